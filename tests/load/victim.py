"""A loader that kills itself, hard, at a place that is named, in a process of its own."""

import os
import signal
from pathlib import Path
from typing import Any

import load.land.landing
import load.land.source
from chaos.places import LOADER_PLACES, Watch
from load.pace.pacer import Pacer
from load.pipeline import run_cycle
from tests.load.conftest import Clock, FakeTime
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings


def die() -> None:
    """As the kernel's out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


RATE = 1_000.0


def load_and_die(
    warehouse: Warehouse,
    home: Path,
    api_url: str,
    place: str,
    *,
    batches: int,
    minutes: float,
    batch_pages: int,
) -> None:
    """In the process to be killed: one cycle, that dies at `place` of this batch."""
    real = load.land.landing.Landing.land

    def land(self: Any, *arguments: Any) -> Any:
        nonlocal batches
        batches -= 1
        if batches == 0:
            LOADER_PLACES[place].install(Watch(die))
        return real(self, *arguments)

    load.land.landing.Landing.land = land  # type: ignore[assignment, method-assign]
    load.land.source.BATCH_SECONDS = batch_pages / RATE
    clock = Clock()
    clock.advance(minutes)
    run_cycle(
        load_settings(
            database_url=None,
            home=home,
            api_url=api_url,
            rates_url=None,
            spot_url=None,
            requests_per_second=RATE,
        ),
        warehouse,
        "victim",
        clock=clock,
        pacer=Pacer(RATE, time=FakeTime()),
    )
