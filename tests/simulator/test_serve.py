"""The blocking way to serve, as the command line uses it."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from simulator.answers import FIAT_LIST

_ROOT = Path(__file__).parents[2]
_SERVE = """
from simulator.market import Market
from simulator.server import serve
serve(Market(1, fiats=["BOB"], assets=["USDT"]), on_ready=lambda x: print(x.url, flush=True))
print("stopped cleanly")
"""


def assert_it_is_as_the_real_one(session: requests.Session, url: str) -> None:
    """It takes its time for an answer, and the market has moved meanwhile."""

    def now() -> datetime:
        health = session.get(url + "/simulator/health", timeout=5).json()
        return datetime.fromisoformat(health["now"])

    before = now()
    answer = session.post(url + FIAT_LIST, json={}, timeout=5)
    assert answer.elapsed >= timedelta(seconds=0.2)
    assert now() - before >= answer.elapsed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_served_exchange_stops_cleanly_when_it_is_told_to(number: signal.Signals) -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, text=True, cwd=_ROOT
        ) as process,
        requests.Session() as session,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            # A client that keeps its connection must not keep the exchange from stopping.
            assert session.get(url + "/simulator/health", timeout=5).ok
            assert_it_is_as_the_real_one(session, url)
            process.send_signal(number)
            rest, _ = process.communicate(timeout=10)
        finally:
            process.kill()
    assert rest == "stopped cleanly\n"
    assert process.returncode == 0
