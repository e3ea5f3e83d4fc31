"""The flow: load, check, transform, check. One run is one cycle."""

from __future__ import annotations

import logging

from prefect import flow

from flows import tasks
from flows.attended import attended, bury_the_dead
from flows.cycle import open_cycle
from flows.summary import CycleOutcome
from warehouse.errors import UserError
from warehouse.masking import hide

log = logging.getLogger(__name__)


@flow(name="elt", log_prints=False, persist_result=False, validate_parameters=True)
@attended
def elt(fiats: list[str] | None = None, assets: list[str] | None = None) -> CycleOutcome:
    """Bring the warehouse up to date with the market.

    `fiats` and `assets` limit what is read in this cycle; empty means as the settings say.

    Raises:
        UserError: a setting is wrong, or the warehouse or the whole exchange is out of reach.
        CheckFailed: a critical check or a dbt test is red.
    """
    with open_cycle(fiats, assets) as cycle:
        bury_the_dead()
        tasks.open_run(cycle)
        state, error = "success", None
        try:
            report = tasks.load(cycle)
            if not (report.stopped or cycle.is_stopped):
                tasks.check_landing(cycle, report)
            if report.stopped or cycle.is_stopped:
                state = "stopped"
            else:
                tasks.transform(cycle)
                tasks.check_core(cycle, report)
        except BaseException as failure:
            hide(failure)  # Prefect keeps what it says
            state = "failed"
            error = str(failure) if isinstance(failure, UserError) else type(failure).__name__
            # What a user can mend is said once, by the command.
            level = logging.WARNING if isinstance(failure, UserError) else logging.ERROR
            log.log(level, "cycle failed", extra={"run_id": cycle.run_id}, exc_info=failure)
            raise
        finally:
            outcome = tasks.close_run(cycle, state, error)
        return outcome
