"""One step of a cycle, as the flow runs it: python -m bench.worker STEP, settings on stdin."""

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.process import Told, tell
from expectations.library import import_library
from flows.starting import start
from load.report import CycleReport
from warehouse.postgres import Warehouse, open_warehouse, single_writer
from warehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from flows.cycle import Cycle

REQUESTS_PER_SECOND = 1e6  # the pace is politeness, and nobody here has to be spared


@dataclass(frozen=True)
class Job:
    """What a step works on."""

    settings: Settings
    warehouse: Warehouse
    run_id: str
    market_time: datetime
    started: datetime

    def clock(self) -> datetime:
        """The market's time, which goes on while the step runs."""
        return self.market_time + (datetime.now(UTC) - self.started)

    @contextmanager
    def cycle(self) -> "Iterator[Cycle]":
        """As the flow's steps get it."""
        from flows.cycle import Cycle, Surroundings

        surroundings = Surroundings(settings=self.settings, clock=self.clock)
        with single_writer(self.warehouse, "cycle") as writer:
            yield Cycle(self.run_id, self.settings, self.warehouse, surroundings, writer)

    def report(self) -> CycleReport:
        """As much of the loader's report as the checks read."""
        now = self.clock()
        return CycleReport(self.run_id, now, finished_at=now, books_planned=1)


def _load(job: Job) -> Told:
    from bench.waiting import Waiting
    from load.pipeline import run_cycle

    waiting = Waiting()
    waiting.watch()
    started = time.perf_counter()
    report = run_cycle(job.settings, job.warehouse, job.run_id, clock=job.clock)
    return Told(
        time.perf_counter() - started,
        waiting_seconds=waiting.seconds,
        details={
            "landing_seconds": report.seconds["land"],
            "loads": len(report.load_ids),
            "books": report.books_read,
            "books_incomplete": report.books_read - report.books_complete,
            "pages": report.pages,
            "pages_landed": report.pages_landed,
            "offers": report.offers,
        },
    )


def _check_landing(job: Job) -> Told:
    from flows import steps

    with job.cycle() as cycle:
        return _timed(lambda: steps.check_landing(cycle, job.report()))


def _transform(job: Job) -> Told:
    from flows import steps

    with job.cycle() as cycle:
        return _timed(lambda: steps.transform(cycle))


def _check_core(job: Job) -> Told:
    from flows import steps

    with job.cycle() as cycle:
        return _timed(lambda: steps.check_core(cycle, job.report()))


def _flow(job: Job) -> Told:
    from flows.cycle import SURROUNDINGS, Surroundings

    started = time.perf_counter()
    from bench.waiting import Waiting
    from flows.steps import run_cycle

    SURROUNDINGS.set(Surroundings(settings=job.settings, clock=job.clock))
    waiting = Waiting()
    waiting.watch()
    outcome = run_cycle()
    return Told(
        time.perf_counter() - started,
        waiting_seconds=waiting.seconds,
        details={"seconds_by_step": outcome.seconds_by_step},
    )


def _timed(work: Callable[[], object]) -> Told:
    started = time.perf_counter()
    work()
    return Told(time.perf_counter() - started)


GREAT_EXPECTATIONS = ("flows.steps", "expectations.checkpoint", "great_expectations")
DBT = ("flows.steps", "dbt.cli.main", "dbt.adapters.postgres")

STEPS: dict[str, tuple[Callable[[Job], Told], tuple[str, ...]]] = {
    "load": (_load, ("load.pipeline",)),
    "check_landing": (_check_landing, GREAT_EXPECTATIONS),
    "transform": (_transform, DBT),
    "check_core": (_check_core, GREAT_EXPECTATIONS),
    # What it imports is a part of it, beside the start of Prefect's server.
    "flow": (_flow, ()),
}
"""By name: what to do, and what to import before, on another clock."""


def main() -> None:
    """Do the step that the first argument names."""
    told: dict[str, Any] = json.load(sys.stdin)
    settings = load_settings(
        home=told["home"],
        database_url=told["database_url"],
        api_url=told["api_url"],
        rates_url=told["api_url"],
        spot_url=told["api_url"],
        requests_per_second=REQUESTS_PER_SECOND,
        fiats=(),
        assets=(),
        binance_api_key=None,
    )
    work, modules = STEPS[sys.argv[1]]
    start(settings)
    started = time.perf_counter()
    for module in modules:
        if module == "great_expectations":
            import_library()
        else:
            importlib.import_module(module)
    imported = time.perf_counter() - started
    market_time = datetime.fromisoformat(told["market_time"])
    with open_warehouse(settings) as warehouse:
        job = Job(settings, warehouse, told["run_id"], market_time, datetime.now(UTC))
        result = work(job)
    result.import_seconds = imported
    tell(result)


if __name__ == "__main__":
    main()
