"""The flow that reads afresh what the exchange lists: once a day, so that no cycle has to."""

from __future__ import annotations

from prefect import flow

from flows.attended import attended, bury_the_dead, named
from flows.cycle import Cycle, open_cycle
from flows.measured import asked
from load.report import CycleReport
from ops import record
from ops.migrations import migrate
from warehouse.errors import UserError


@flow(
    name="catalogue",
    flow_run_name=named("catalogue"),
    log_prints=False,
    persist_result=False,
)
@attended
def catalogue() -> int:
    """Load the lists of fiats, pairs and payment methods; returns how many lists were read.

    The next cycle checks and transforms them. `ops.catalogue_runs` has the requests.

    Raises:
        UserError: a setting is wrong, or the warehouse or the exchange is out of reach.
    """
    with open_cycle(None, None) as cycle:
        bury_the_dead()
        with record.connected(cycle.warehouse) as connection:
            migrate(connection)
            record.open_run(connection, cycle.run_id, cycle.surroundings.clock(), record.CATALOGUES)
        state, error = "failed", None
        try:
            report = cycle.read(lambda told: _keep(cycle, told), catalogue_only=True)
            state = "stopped" if report.stopped else "success"
        except BaseException as failure:
            error = str(failure) if isinstance(failure, UserError) else type(failure).__name__
            raise
        finally:
            with record.connected(cycle.warehouse) as connection:
                ended = {"state": state, "error": error, "finished_at": cycle.surroundings.clock()}
                record.note(connection, cycle.run_id, ended, record.CATALOGUES)
        return report.catalogue_readings


def _keep(cycle: Cycle, report: CycleReport) -> None:
    facts = asked(report) | {"readings": report.catalogue_readings}
    record.keep_pulse(cycle.warehouse, cycle.run_id, facts, record.CATALOGUES)
