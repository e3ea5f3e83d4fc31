"""The flow that keeps the warehouse small and ready, once a day."""

from __future__ import annotations

from prefect import flow

from flows.attended import attended, bury_the_dead, named
from flows.cycle import open_cycle


@flow(
    name="maintenance",
    flow_run_name=named("maintenance"),
    log_prints=False,
    persist_result=False,
)
@attended
def maintenance() -> None:
    """Run `p2p maintain`: create partitions, archive and drop old raw pages, vacuum.

    Raises:
        UserError: a setting is wrong, or the warehouse or the archive is out of reach.
    """
    from upkeep.retention import maintain

    with open_cycle(None, None) as cycle:
        bury_the_dead()
        maintain(cycle.warehouse, cycle.settings)
