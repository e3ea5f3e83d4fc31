"""The steps of a cycle, each recorded in `ops`, and the order in which they run.

Nothing here needs Prefect: `p2p run` calls them as they are, and `flows.elt` as tasks of a flow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.cycle import CheckFailed, Cycle, dbt_home, open_cycle
from flows.measured import measured
from load.report import CycleReport
from ops import quarantine, record
from ops.migrations import migrate
from ops.summary import CycleOutcome
from warehouse.errors import BadSetting, UserError, hide
from warehouse.log import words_of
from warehouse.roles import TRANSFORMER

if TYPE_CHECKING:
    from flows.transform import TransformReport

log = logging.getLogger(__name__)

Step = Callable[..., Any]


def plainly(step: Step) -> Step:
    """Call a step as it is."""
    return step


def run_cycle(fiats: list[str] | None = None, assets: list[str] | None = None) -> CycleOutcome:
    """Bring the warehouse up to date with the market; see `sequence`.

    `fiats` and `assets` limit what is read in this cycle; empty means as the settings say.

    Raises:
        UserError: a setting is wrong, or the warehouse or the whole exchange is out of reach.
        CheckFailed: a critical check or a dbt test is red.
    """
    with open_cycle(fiats, assets) as cycle:
        return sequence(cycle)


def sequence(cycle: Cycle, do: Callable[[Step], Step] = plainly) -> CycleOutcome:
    """Load, check, transform, check: each step as `do` makes it, and in the end the record of all.

    Raises:
        UserError: the warehouse or the whole exchange is out of reach.
        CheckFailed: a critical check or a dbt test is red.
    """
    do(open_run)(cycle)
    state, error = "success", None
    try:
        report = do(load)(cycle)
        if not (report.stopped or cycle.is_stopped):
            do(check_landing)(cycle, report)
        if report.stopped or cycle.is_stopped:
            state = "stopped"
        else:
            built = do(transform)(cycle)
            do(check_core)(cycle, report, built)
    except BaseException as failure:
        hide(failure)  # Prefect keeps what it says
        # Nothing was asked that could be done: that leaves nothing to repair.
        state = "stopped" if isinstance(failure, BadSetting) else "failed"
        error = str(failure) if isinstance(failure, UserError) else type(failure).__name__
        # Who called it has the traceback in its log, once.
        level = logging.WARNING if isinstance(failure, UserError) else logging.ERROR
        log.log(level, "cycle failed: %s", words_of(failure), extra={"run_id": cycle.run_id})
        raise
    finally:
        outcome: CycleOutcome = do(close_run)(cycle, state, error)
    return outcome


@contextmanager
def _step(cycle: Cycle, name: str) -> Iterator[None]:
    """Say that a step runs, and record how long it took, whatever came of it.

    Raises:
        UserError: another process may have begun a cycle, since what kept it out is gone.
    """
    cycle.writer.require()
    cycle.surroundings.on_step(name)
    started = time.perf_counter()
    try:
        yield
    except Exception as failure:
        hide(failure)  # Prefect keeps what it says
        raise
    finally:
        spent = time.perf_counter() - started
        log.info("%s ended in %.1f s", name, spent, extra={"run_id": cycle.run_id, "step": name})
        with record.connected(cycle.warehouse) as connection:
            record.note_seconds(connection, cycle.run_id, {name: spent})


def open_run(cycle: Cycle) -> None:
    """Record that the cycle runs."""
    with record.connected(cycle.warehouse) as connection:
        migrate(connection)
        record.open_run(connection, cycle.run_id, cycle.surroundings.clock())
        if cycle.flow_run_id:
            record.note(connection, cycle.run_id, {"flow_run_id": cycle.flow_run_id})


def load(cycle: Cycle) -> CycleReport:
    """Read what is due of the market into `staging`."""
    with _step(cycle, "load"):
        report = cycle.read(partial(_keep_pulse, cycle))
    cycle.surroundings.on_unlisted(report.unlisted)
    with record.connected(cycle.warehouse) as connection:
        record.note_seconds(
            connection,
            cycle.run_id,
            {f"load.{step}": spent for step, spent in report.seconds.items()},
        )
        record.take_drift(connection)
        record.note(connection, cycle.run_id, measured(report))
    return report


def _keep_pulse(cycle: Cycle, report: CycleReport) -> None:
    record.keep_pulse(cycle.warehouse, cycle.run_id, measured(report))


def check_landing(cycle: Cycle, report: CycleReport) -> None:
    """Judge what the transform is about to take in; what is refused stays out of the marts.

    Raises:
        CheckFailed: a critical check is red. The loads are quarantined: the marts keep their
            last good state, and the next cycle goes on without them.
    """
    with record.connected(cycle.warehouse) as connection:
        if late := quarantine.refuse_late(connection, cycle.run_id):
            log.warning(
                "%d loads are older than the raw pages kept, and quarantined: %s", len(late), late
            )
        if future := quarantine.refuse_future(connection, cycle.run_id):
            log.warning(
                "%d loads have times in the future, and are quarantined: %s", len(future), future
            )
            if not record.pending_loads(connection):
                raise CheckFailed(
                    "The landing was rejected: its times are ahead of the server's clock. Set the "
                    "clocks of both by NTP. The marts keep their last good state."
                )
        pending = record.pending_loads(connection)
    if not pending and not report.books_planned:
        return  # nothing was due
    refused = _check(cycle, report, "landing", pending)
    if not refused:
        return
    with record.connected(cycle.warehouse) as connection:
        record.quarantine(connection, cycle.run_id, pending, ", ".join(refused))
    raise CheckFailed(
        f"The landing was rejected ({', '.join(refused)}): the marts keep their last good state; "
        "see `p2p status`."
    )


def transform(cycle: Cycle) -> TransformReport:
    """Build the marts from what has landed, with their tests.

    Raises:
        CheckFailed: a model could not be built, or a test is red.
    """
    from flows import standing
    from flows.transform import run_dbt

    with _step(cycle, "transform"):
        with record.connected(cycle.warehouse) as connection:
            selected = standing.selection(connection)
        report = run_dbt(
            cycle.warehouse,
            # What dbt would write of itself nobody reads: `p2p docs` has it made when it is asked.
            ["build", *selected, "--exclude-resource-type", "unit_test", "--no-write-json"],
            dbt_home(cycle.settings),
            tested="new",
        )
    cycle.surroundings.on_built(report)
    with record.connected(cycle.warehouse) as connection:
        if report.is_success and not selected:
            standing.note_build(connection)
        record.note(
            connection,
            cycle.run_id,
            {
                "models_built": report.models_built,
                "models_failed": len(report.failures) - report.tests_failed,
                "tests_failed": report.tests_failed,
            },
        )
    if not report.is_success:
        first = report.failures[0] if report.failures else None
        said = f"{first.node}: {first.message}" if first else "dbt gave no reason"
        raise CheckFailed(f"dbt: {len(report.failures)} failed, the first is {said}")
    log.info("%d models built, %d tests passed", report.models_built, report.tests_passed)
    return report


def check_core(cycle: Cycle, report: CycleReport, _built: TransformReport | None = None) -> None:
    """Judge the core tables after the transform; given its outcome, Prefect draws that order.

    Raises:
        CheckFailed: a critical check is red.
    """
    refused = _check(cycle, report, "core", None)
    if refused:
        raise CheckFailed(f"The core tables are not as they should be: {', '.join(refused)}.")


def _check(cycle: Cycle, report: CycleReport, suite: Any, load_ids: list[str] | None) -> list[str]:
    """Run one suite, record it, and return the names of the critical checks that failed."""
    from expectations.checkpoint import run_suite
    from expectations.profiles import Parameters

    with _step(cycle, f"check {suite}"):
        verdict = run_suite(
            suite,
            cycle.warehouse.acting_as(TRANSFORMER),
            Parameters(
                cycle.run_id,
                load_ids=load_ids,
                as_of=report.finished_at,
                interval_minutes=cycle.settings.extraction_interval,
                is_simulated=bool(report.is_simulated),
            ),
            cycle.data_docs,
        )
    with record.connected(cycle.warehouse) as connection:
        record.record_checks(connection, cycle.run_id, map(asdict, verdict.results))
    for warning in verdict.warnings:
        log.warning("check %s failed: %s", warning.name, warning.observed)
    return [result.name for result in verdict.critical_failed]


def close_run(cycle: Cycle, state: str, error: str | None) -> CycleOutcome:
    """Record how the cycle ended."""
    with record.connected(cycle.warehouse) as connection:
        return CycleOutcome.close(
            connection, cycle.run_id, state, error, cycle.surroundings.clock()
        )
