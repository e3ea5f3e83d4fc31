"""A process that runs the flow and is killed, hard, at a place that is named.

It stands in the very warehouse of the tests, with a clock that stands still; `chaos.victim` runs
the whole command instead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from multiprocessing.process import BaseProcess

from chaos.places import LOADER_PLACES, Watch, around, dbt_places
from chaos.victim import Forge
from tests.load.victim import die
from warehouse.settings import Settings


def _between_two_batches() -> None:
    import load.land.source
    import load.pipeline
    from load.land.landing import Landing

    load.pipeline.IN_FLIGHT, load.land.source.BATCH_SECONDS = 1, 0.0
    around(Landing, "land", Watch(die, skip=1), before=True)


POINTS: dict[str, Callable[[], None]] = {
    "between two batches": _between_two_batches,
    "within dlt's load": lambda: LOADER_PLACES["between the commit and dlt's marker"].install(
        Watch(die)
    ),
    "between two models": lambda: dbt_places()["inside fact_offers"].install(Watch(die)),
}


def run_flow(settings: Settings, at: datetime, point: str | None) -> None:
    """In the process to be killed: one cycle, with the clock standing still."""
    from flows.cycle import SURROUNDINGS, Surroundings
    from flows.steps import run_cycle

    if point:
        POINTS[point]()
    SURROUNDINGS.set(Surroundings(settings=settings, clock=lambda: at))
    run_cycle()


class Killer(Forge):
    """Starts flows in processes of their own."""

    def cycle(self, settings: Settings, at: datetime, point: str | None = None) -> BaseProcess:
        """A cycle under way, to die at `point` or to be killed."""
        return self.fork(run_flow, settings, at, point)
