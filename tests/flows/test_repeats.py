"""Run again, built anew, or met by another run: the history is the same."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import pytest

from flows.transform import run_dbt
from simulator.market import Market
from tests.flows.conftest import (
    MINUTES,
    START,
    House,
    Table,
    moment,
    only_line,
    p2p,
    settings_of,
)

CYCLES = 3


@dataclass
class Moved:
    """The house after three cycles of a market that moves, and what its marts told then."""

    house: House
    history: dict[str, Table]


@pytest.fixture(scope="module")
def moved(house: House) -> Moved:
    house.empty()
    house.exchange.source = Market(
        seed=3, fiats=["VES", "ARS"], assets=["USDT", "BTC"], start=START, offers=150
    )
    for number in range(CYCLES):
        if number:
            house.exchange.advance(MINUTES * 3)
        assert house.cycle(moment(number)).is_success
    house.keep("moved")
    return Moved(house, house.history())


def test_an_incremental_history_is_that_of_a_full_refresh(moved: Moved) -> None:
    house = moved.house
    house.go_back_to("moved")
    assert len(moved.history["fact_offers"]) > len(moved.history["dim_trading_pairs"]) > 2
    assert house.rows("select 1 from marts.fact_offers where valid_to is not null limit 1")
    report = run_dbt(house.warehouse, ["run", "--full-refresh"], house.settings.home / "dbt")
    assert report.is_success, report.failures
    rebuilt = house.history()
    for table, rows in moved.history.items():
        assert rebuilt[table] == rows, table


def test_the_flow_run_twice_on_one_market_adds_no_version_and_lets_no_other_run_in(
    moved: Moved,
) -> None:
    house = moved.house
    house.go_back_to("moved")
    others: list[subprocess.CompletedProcess[str]] = []

    def meet(step: str) -> None:
        if step == "check landing":
            others.append(p2p("run", **settings_of(house)))

    outcome = house.cycle(moment(CYCLES), on_step=meet)
    assert outcome.is_success
    assert outcome.counts["books_unchanged"] == outcome.counts["books_read"] == 8

    history = house.history()
    for table in ("fact_offers", "dim_advertisers", "fact_offer_payment_methods"):
        assert history[table] == moved.history[table], table
    assert len(history["fact_snapshots"]) == len(moved.history["fact_snapshots"]) + 8

    (other,) = others
    assert other.returncode == 2
    assert "Another process is at it already" in only_line(other)
    assert other.stdout == ""
    assert house.rows("select count(*) from ops.runs") == [(CYCLES + 1,)]
