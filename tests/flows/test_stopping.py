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


def test_a_run_that_is_told_to_stop_while_it_waits_stops_at_once_and_the_next_one_goes_on(
    house: House,
) -> None:
    house.empty()
    house.exchange.source = Market(
        seed=5, fiats=["VES", "ARS", "BOB"], assets=["USDT", "BTC"], start=START, offers=60
    )
    searches = 0

    def refuse(asked: Asked) -> bool:
        """From the third page on."""
        nonlocal searches
        searches += asked.endpoint == "search"
        return asked.endpoint == "search" and searches >= 3

    house.exchange.faults = Faults({"429": 1.0}, retry_after=100, only=refuse)
    process = subprocess.Popen(
        command("run"),
        cwd=PROJECT,
        # Slow enough for a page to be refused before the last book.
        env={
            **os.environ,
            **settings_of(house, P2P_REQUESTS_PER_SECOND="4", P2P_LOG_FORMAT="json"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "throttled by the exchange" in line:
            break
    process.send_signal(signal.SIGTERM)  # in the middle of a wait of 100 seconds
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

    (house.settings.home / "exchange.json").unlink()  # as if the 100 seconds were over
    outcome = house.cycle(datetime.now(UTC))
    assert outcome.is_success
    assert outcome.counts["books_read"] == left
    assert house.rows("select is_resumed from ops.runs order by started_at") == [(False,), (True,)]
    assert house.rows("select count(*) from marts.fact_snapshots") == [(landed + left,)]
