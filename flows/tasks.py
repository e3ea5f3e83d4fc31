"""The tasks of the flow: each thin, and each kept in `ops`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows import ops, quarantine
from flows.attended import nobody_listens
from flows.cycle import CheckFailed, Cycle, dbt_home
from flows.measured import measured
from flows.summary import CycleOutcome, markdown
from load.report import CycleReport
from warehouse.errors import UserError
from warehouse.masking import hide
from warehouse.roles import TRANSFORMER

log = logging.getLogger(__name__)


def _is_worth_a_retry(_task: Any, _run: Any, state: Any) -> bool:
    """Whether what failed may pass of itself: not what a user has to mend, nor a red check."""
    try:
        state.result()
    except UserError:
        return False
    except Exception:
        return True
    return False


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
        log.info("step ended", extra={"run_id": cycle.run_id, "step": name, "seconds": spent})
        with ops.connected(cycle.warehouse) as connection:
            ops.note_seconds(connection, cycle.run_id, {name: spent})


@task(cache_policy=NO_CACHE)
def open_run(cycle: Cycle) -> None:
    """Record that the cycle runs."""
    with ops.connected(cycle.warehouse) as connection:
        ops.prepare(connection)
        ops.open_run(connection, cycle.run_id, cycle.surroundings.clock())


@task(
    cache_policy=NO_CACHE,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=_is_worth_a_retry,
)
def load(cycle: Cycle) -> CycleReport:
    """Read what is due of the market into `staging`."""
    with _step(cycle, "load"):
        report = cycle.read(partial(_keep_pulse, cycle))
    with ops.connected(cycle.warehouse) as connection:
        ops.note_seconds(
            connection,
            cycle.run_id,
            {f"load.{step}": spent for step, spent in report.seconds.items()},
        )
        ops.take_drift(connection)
        ops.note(connection, cycle.run_id, measured(report))
    return report


def _keep_pulse(cycle: Cycle, report: CycleReport) -> None:
    ops.keep_pulse(cycle.warehouse, cycle.run_id, measured(report))


@task(cache_policy=NO_CACHE)
def check_landing(cycle: Cycle, report: CycleReport) -> None:
    """Judge what the transform is about to take in; what is refused stays out of the marts.

    Raises:
        CheckFailed: a critical check is red. The loads are quarantined: the marts keep their
            last good state, and the next cycle goes on without them.
    """
    with ops.connected(cycle.warehouse) as connection:
        if late := quarantine.refuse_late(connection, cycle.run_id):
            log.warning("loads come too late for the raw pages kept", extra={"load_ids": late})
        if future := quarantine.refuse_future(connection, cycle.run_id):
            log.warning("loads are dated by a clock ahead", extra={"load_ids": future})
            if not ops.pending_loads(connection):
                raise CheckFailed(
                    "The landing was refused: a clock ahead of the server's has dated it; set the "
                    "clocks of both by NTP. The marts keep their last good state."
                )
        pending = ops.pending_loads(connection)
    if not pending and not report.books_planned:
        return  # nothing was due
    refused = _check(cycle, report, "landing", pending)
    if not refused:
        return
    with ops.connected(cycle.warehouse) as connection:
        ops.quarantine(connection, cycle.run_id, pending, ", ".join(refused))
    raise CheckFailed(
        f"The landing was refused ({', '.join(refused)}): the marts keep their last good state; "
        "see `p2p status`."
    )


@task(
    cache_policy=NO_CACHE,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=_is_worth_a_retry,
)
def transform(cycle: Cycle) -> int:
    """Build the marts from what has landed, with their tests; returns how many tests passed.

    Raises:
        CheckFailed: a model could not be built, or a test is red.
    """
    from flows import standing
    from flows.transform import run_dbt

    with _step(cycle, "transform"):
        with ops.connected(cycle.warehouse) as connection:
            selected = standing.selection(connection)
        report = run_dbt(
            cycle.warehouse,
            # What dbt would write of itself nobody reads: `p2p docs` has it made when it is asked.
            ["build", *selected, "--exclude-resource-type", "unit_test", "--no-write-json"],
            dbt_home(cycle.settings),
            tested="new",
        )
    with ops.connected(cycle.warehouse) as connection:
        if report.is_success and not selected:
            standing.note_build(connection)
        ops.note(
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
    return report.tests_passed


@task(cache_policy=NO_CACHE)
def check_core(cycle: Cycle, report: CycleReport) -> None:
    """Judge the core tables after the transform.

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
            ),
            cycle.data_docs,
        )
    with ops.connected(cycle.warehouse) as connection:
        ops.record_checks(connection, cycle.run_id, verdict.results)
    for warning in verdict.warnings:
        log.warning(
            "check is red",
            extra={"check": warning.name, "severity": "warning", "observed": warning.observed},
        )
    return [result.name for result in verdict.critical_failed]


@task(cache_policy=NO_CACHE)
def close_run(cycle: Cycle, state: str, error: str | None) -> CycleOutcome:
    """Record how the cycle ended, and leave its summary where Prefect shows it."""
    with ops.connected(cycle.warehouse) as connection:
        outcome = CycleOutcome.close(
            connection, cycle.run_id, state, error, cycle.surroundings.clock()
        )
    if not nobody_listens():
        create_markdown_artifact(
            key="cycle", markdown=markdown(outcome), description=f"Cycle {cycle.run_id}"
        )
    return outcome
