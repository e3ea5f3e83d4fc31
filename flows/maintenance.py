"""The flow that keeps the warehouse small and ready, once a day."""

from __future__ import annotations

from prefect import flow

from flows.attended import attended, bury_the_dead
from flows.cycle import open_cycle


@flow(name="maintenance", log_prints=False, persist_result=False)
@attended
def maintenance() -> None:
    """Make the partitions that the next days need.

    Raises:
        UserError: a setting is wrong, or the warehouse is out of reach.
    """
    from load import partitions

    with open_cycle(None, None) as cycle, cycle.warehouse.connect(autocommit=True) as connection:
        bury_the_dead()
        partitions.prepare(connection)
