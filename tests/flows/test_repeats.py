"""Run again or rebuilt: the history is the same."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flows.catalogue import catalogue
from flows.transform import run_dbt
from simulator.clock import still
from simulator.market import Market
from tests.flows.conftest import MINUTES, START, House, moment

CYCLES, BOOKS = 3, 4
VIEWS_AND_SEEDS = """
select view.oid::bigint, null
from pg_class as view
where view.relkind = 'v' and view.relnamespace::regnamespace::text in ('staging', 'marts')
union all
select count(*), max(seeded.xmin::text) from marts.metric_definitions as seeded
order by 1
"""


@dataclass
class Moved:
    """The house after three cycles of a market that moves, and what its marts told then."""

    house: House
    history: dict[str, list[str]]


@pytest.fixture(scope="module")
def moved(house: House) -> Moved:
    house.empty()
    # Books so large that none is empty at any hour of the day: it would be an incomplete reading.
    house.exchange.source = Market(
        seed=3, fiats=["VES", "ARS"], assets=["USDT"], start=START, offers=150
    )
    clock = house.exchange.clock
    for number in range(CYCLES):
        if number:
            house.exchange.advance(MINUTES * 3)
        if number == CYCLES - 1:  # what it read is what a test may find again
            house.exchange.clock = still()
        counts = house.cycle(moment(number)).counts
        assert counts["books_complete"] == counts["books_read"] == BOOKS
        assert house.rows("select * from ops.loads_under_test") == [], "all was tested, and green"
    house.keep("moved")
    house.exchange.clock = clock
    return Moved(house, house.history())


def test_an_incremental_history_is_that_of_a_full_refresh(moved: Moved) -> None:
    house = moved.house
    house.go_back_to("moved")
    assert len(moved.history["fact_offers"]) > len(moved.history["dim_trading_pairs"]) >= 2
    assert house.rows("select 1 from marts.fact_offers where valid_to is not null limit 1")
    report = run_dbt(house.warehouse, ["run", "--full-refresh"], house.settings.home / "dbt")
    assert report.is_success, report.failures
    rebuilt = house.history()
    for table, rows in moved.history.items():
        assert rebuilt[table] == rows, table


@pytest.mark.usefixtures("prefect_server")
def test_the_flow_run_twice_on_one_market_adds_no_version(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = moved.house
    monkeypatch.setattr(house.exchange, "clock", still())
    house.go_back_to("moved")
    house.surround(moment(CYCLES))
    assert catalogue() > 0, "nor does what is listed, read afresh in between"
    standing = house.rows(VIEWS_AND_SEEDS)
    outcome = house.cycle(moment(CYCLES))
    assert outcome.is_success
    assert house.rows(VIEWS_AND_SEEDS) == standing, "what does not change was made again"
    assert house.rows("select * from ops.loads_under_test") == []
    assert outcome.counts["books_unchanged"] == outcome.counts["books_read"] == BOOKS

    history = house.history()
    for table in ("fact_offers", "dim_advertisers", "fact_offer_payment_methods"):
        assert history[table] == moved.history[table], table
    assert len(history["fact_snapshots"]) == len(moved.history["fact_snapshots"]) + BOOKS
