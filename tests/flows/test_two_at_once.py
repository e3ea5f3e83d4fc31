"""Two runs at once: one of them says that the other runs, and never do two write."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack

import pytest

from simulator.faults import Asked, Faults
from simulator.market import Market
from tests.conftest import PROJECT
from tests.flows.conftest import (
    PATIENCE,
    START,
    House,
    command,
    moment,
    only_line,
    settings_of,
    wait_for,
)
from warehouse.errors import UserError
from warehouse.writer import single_writer


@pytest.fixture
def small_market(house: House) -> Market:
    house.empty()
    market = Market(seed=6, fiats=["VES"], assets=["USDT", "BTC"], start=START, offers=30)
    house.exchange.source = market
    return market


def test_of_two_runs_started_at_once_one_says_in_one_line_that_the_other_runs(
    house: House, small_market: Market
) -> None:
    def wait_until_one_has_ended(_: Asked) -> bool:
        wait_for(lambda: any(process.poll() is not None for process in both))
        return False

    house.exchange.faults = Faults({"500": 1.0}, only=wait_until_one_has_ended)
    both = [
        subprocess.Popen(
            command("run"),
            cwd=PROJECT,
            env={**os.environ, **settings_of(house)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = []
    for process in both:
        said, errors = process.communicate(timeout=PATIENCE)
        ended.append(subprocess.CompletedProcess([], process.returncode, said, errors))
    house.exchange.faults = None
    first, second = sorted(ended, key=lambda done: done.returncode)
    assert (first.returncode, second.returncode) == (0, 2), second.stderr
    assert "success" in first.stdout
    assert "Another process is at it already" in only_line(second)
    assert second.stdout == ""
    assert house.runs() == [("success", None)]
    assert house.rows(
        "select count(*), count(distinct (fiat_code, asset_code, side)) from staging.snapshots"
    ) == [(4, 4)]


def test_a_run_that_lost_its_lock_ends_before_the_next_step(
    house: House, small_market: Market
) -> None:
    with ExitStack() as other:

        def let_another_in(step: str) -> None:
            if step == "check landing":
                house.rows(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                )
                other.enter_context(single_writer(house.warehouse, "cycle"))

        with pytest.raises(UserError, match="kept other processes out"):
            house.cycle(moment(0), on_step=let_another_in)
    (run,) = house.runs()
    assert run[0] == "failed"
    assert house.rows("select to_regclass('marts.fact_offers') is null") == [(True,)]
