"""A process that runs the flow and is killed, hard, at a point that is named.

The processes are forked from one that has imported all the rooms, so that each costs a second
rather than twenty.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import datetime
from multiprocessing.process import BaseProcess
from typing import Any

from warehouse.settings import Settings

_PRELOADED = [
    "flows.elt",
    "expectations.checkpoint",
    "great_expectations",
    "dbt.cli.main",
    "dbt.adapters.postgres",
    "load.pipeline",
    "tests.load.victim",
    "tests.flows.victim",
]


def _die_before(owner: Any, name: str, when: Callable[..., bool]) -> None:
    real = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        if when(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)

    setattr(owner, name, wrapped)


def _between_two_batches() -> None:
    import load.pipeline
    import load.source
    from load.landing import Landing

    landed: list[Any] = []

    def is_second(_landing: Any, batch: Any, *_: Any) -> bool:
        landed.append(batch)
        return len(landed) == 2

    load.pipeline.IN_FLIGHT, load.source.BATCH_SECONDS = 1, 0.0
    _die_before(Landing, "land", is_second)


def _within_a_load() -> None:
    from tests.load.victim import POINTS

    POINTS["between the commit and dlt's marker"]()


def _between_two_models() -> None:
    from dbt.task.run import ModelRunner

    _die_before(ModelRunner, "execute", lambda _, model, *__: model.name == "fact_offers")


POINTS: dict[str, Callable[[], None]] = {
    "between two batches": _between_two_batches,
    "within dlt's load": _within_a_load,
    "between two models": _between_two_models,
}


def run_flow(settings: Settings, at: datetime, point: str | None) -> None:
    """In the process to be killed: one cycle, with the clock standing still."""
    from flows.cycle import SURROUNDINGS, Surroundings
    from flows.elt import elt

    if point:
        POINTS[point]()
    SURROUNDINGS.set(Surroundings(settings=settings, clock=lambda: at))
    elt()


class Killer:
    """Starts flows in processes of their own."""

    def __enter__(self) -> Killer:
        """Begin to import, in a process beside this one."""
        from multiprocessing.forkserver import ensure_running

        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        ensure_running()
        return self

    def __exit__(self, *_: object) -> None:
        """The process that forks ends with this one."""

    def start(self, settings: Settings, at: datetime, point: str | None = None) -> BaseProcess:
        """A cycle under way, to die at `point` or to be killed."""
        process = self._context.Process(target=run_flow, args=(settings, at, point), daemon=True)
        process.start()
        return process
