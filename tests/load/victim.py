"""A loader that kills itself, hard, at a place that is named: python -m tests.load.victim PLACE.

Run as a process of its own by `test_recovery`; settings come as JSON on standard input.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import load.landing
import load.source
from chaos.places import LOADER_PLACES, Watch
from load.pacing import Pacer
from load.pipeline import run_cycle
from tests.load.conftest import Clock, FakeTime
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings


def die() -> None:
    """As the kernel's out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


RATE = 1_000.0


def main() -> None:
    told = json.load(sys.stdin)
    batches = told["batches"]
    real = load.landing.Landing.land

    def land(self: Any, *arguments: Any) -> Any:
        nonlocal batches
        batches -= 1
        if batches == 0:
            LOADER_PLACES[sys.argv[1]].install(Watch(die))
        return real(self, *arguments)

    load.landing.Landing.land = land  # type: ignore[assignment, method-assign]
    load.source.BATCH_SECONDS = told["batch_pages"] / RATE
    clock = Clock()
    clock.advance(told["minutes"])
    run_cycle(
        load_settings(
            database_url=None,
            home=Path(told["home"]),
            api_url=told["api_url"],
            rates_url=None,
            spot_url=None,
            requests_per_second=RATE,
        ),
        Warehouse(**{**told["warehouse"], "roles": frozenset(told["warehouse"]["roles"])}),
        "victim",
        clock=clock,
        pacer=Pacer(RATE, time=FakeTime()),
    )


if __name__ == "__main__":
    main()
