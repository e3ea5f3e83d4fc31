"""The flow that reads afresh what the exchange lists: once a day, so that no cycle has to."""

from __future__ import annotations

from prefect import flow

from flows.attended import attended, bury_the_dead
from flows.cycle import open_cycle


@flow(name="catalogue", log_prints=False, persist_result=False)
@attended
def catalogue() -> int:
    """Land fiats, pairs and payment methods; returns how many lists were read.

    The next cycle checks them and takes them in.

    Raises:
        UserError: a setting is wrong, or the warehouse or the exchange is out of reach.
    """
    from load.pipeline import run_cycle

    with open_cycle(None, None) as cycle:
        bury_the_dead()
        report = run_cycle(
            cycle.settings,
            cycle.warehouse,
            cycle.run_id,
            clock=cycle.surroundings.clock,
            stop=cycle.surroundings.stop,
            catalogue_only=True,
        )
        return report.catalogue_readings
