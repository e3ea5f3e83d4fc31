"""The flow: load, check, transform, check. One run is one cycle."""

from __future__ import annotations

import logging

from prefect import flow

from flows import tasks
from flows.cycle import open_cycle
from flows.summary import CycleOutcome
from warehouse.errors import UserError

log = logging.getLogger(__name__)


@flow(name="elt", log_prints=False, persist_result=False, validate_parameters=True)
def elt(fiats: list[str] | None = None, assets: list[str] | None = None) -> CycleOutcome:
    """Bring the warehouse up to date with the market.

    `fiats` and `assets` limit what is read in this cycle; empty means as the settings say.

    Raises:
        UserError: a setting is wrong, or the warehouse or the whole exchange is out of reach.
        CheckFailed: a critical check or a dbt test is red.
    """
    with open_cycle(fiats, assets) as cycle:
        tasks.open_run(cycle)
        state, error = "success", None
        try:
            report = tasks.load(cycle)
            if report.stopped or cycle.surroundings.stop.is_set():
                state = "stopped"
            else:
                tasks.check_landing(cycle, report)
                tasks.transform(cycle)
                tasks.check_core(cycle, report)
        except BaseException as failure:
            state = "failed"
            error = str(failure) if isinstance(failure, UserError) else type(failure).__name__
            # What a user can mend is said once, by the command.
            level = logging.WARNING if isinstance(failure, UserError) else logging.ERROR
            log.log(level, "cycle failed", extra={"run_id": cycle.run_id}, exc_info=failure)
            raise
        finally:
            outcome = tasks.close_run(cycle, state, error)
        return outcome
