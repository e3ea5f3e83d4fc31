"""The two flows of once a day: what is listed, and the upkeep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flows.catalogue import catalogue
from flows.maintenance import maintenance
from ops.metrics import WarehouseMetrics
from simulator.faults import Faults
from simulator.market import Market
from tests.flows.conftest import START, House, moment
from warehouse.errors import AlreadyRunning, UserError
from warehouse.postgres import single_writer

pytestmark = pytest.mark.usefixtures("prefect_server")


def understood(house: House) -> float:
    """The requests that Prometheus is told of."""
    return sum(
        sample.value
        for family in WarehouseMetrics(house.settings, house.warehouse).collect()
        for sample in family.samples
        if sample.name == "p2p_requests_total" and sample.labels["outcome"] == "understood"
    )


@pytest.fixture
def new_house(house: House) -> House:
    house.empty()
    house.exchange.source = Market(7, ["VES", "ARS"], ["USDT"], START, offers=5)
    return house


def test_what_is_listed_is_read_afresh_each_time_and_what_was_asked_counts(
    new_house: House, no_waiting: None
) -> None:
    house = new_house
    house.surround(moment(0))
    for times in (1, 2):
        assert catalogue() == 5, "the fiats; pairs and methods of each"
        assert house.rows("select count(*) from staging.catalogue_readings") == [(5 * times,)]
        assert understood(house) == 5 * times
    house.exchange.faults = Faults({"500": 1.0})
    with pytest.raises(UserError, match="out of reach"):
        catalogue()
    house.exchange.faults = None
    assert understood(house) == 10
    kept = house.rows(
        "select state, error, readings, requests_by_outcome from ops.catalogue_runs"
        " order by state desc"
    )
    assert kept[:2] == [("success", None, 5, {"understood": 5})] * 2
    (state, error, readings, outcomes) = kept[2]
    assert (state, readings) == ("failed", 1), "the one that says why"
    assert "out of reach" in error
    assert outcomes["http_5xx"] > 0
    assert house.runs() == [], "it is no cycle"


def test_the_maintenance_makes_the_days_ahead_and_keeps_out_of_a_cycles_way(
    new_house: House,
) -> None:
    house = new_house
    house.surround(moment(0))
    catalogue()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    there = f"select to_regclass('staging.pages_{tomorrow:%Y%m%d}') is not null"
    with house.warehouse.connect() as connection:
        connection.execute(f"drop table staging.pages_{tomorrow:%Y%m%d}".encode())
    with single_writer(house.warehouse, "cycle"), pytest.raises(AlreadyRunning):
        maintenance()
    assert house.rows(there) == [(False,)]
    maintenance()
    assert house.rows(there) == [(True,)]
