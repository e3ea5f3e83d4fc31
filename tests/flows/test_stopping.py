"""Asked to stop, a run lands what it has in hand and ends; the next one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, datetime

from simulator.faults import Asked, Faults
from simulator.market import Market
from tests.conftest import PROJECT
from tests.flows.conftest import PATIENCE, START, House, command, settings_of


def test_a_run_that_is_told_to_stop_says_so_and_the_next_one_goes_on(house: House) -> None:
    house.empty()
    house.exchange.source = Market(
        seed=5, fiats=["VES", "ARS", "BOB"], assets=["USDT", "BTC"], start=START, offers=60
    )
    searches = 0

    def stop(asked: Asked) -> bool:
        """On the third page, tell the run to end."""
        nonlocal searches
        searches += asked.endpoint == "search"
        if searches == 3 and asked.endpoint == "search":
            os.kill(process.pid, signal.SIGTERM)
        return False

    house.exchange.faults = Faults({"500": 1.0}, only=stop)
    process = subprocess.Popen(
        command("run"),
        cwd=PROJECT,
        # Slow enough for the signal to be met before the last book.
        env={**os.environ, **settings_of(house, P2P_REQUESTS_PER_SECOND="4")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said, errors = process.communicate(timeout=PATIENCE)
    house.exchange.faults = None
    assert "stopped" in said, errors
    assert process.returncode == 130
    assert "Traceback" not in errors
    (run,) = house.rows("select state, error, books_read, books_cut_short from ops.runs")
    state, error, landed, left = run
    assert (state, error) == ("stopped", None)
    assert landed >= 1
    assert left >= 1

    outcome = house.cycle(datetime.now(UTC))
    assert outcome.is_success
    assert outcome.counts["books_read"] == left
    assert house.rows("select is_resumed from ops.runs order by started_at") == [(False,), (True,)]
    assert house.rows("select count(*) from marts.fact_snapshots") == [(landed + left,)]
