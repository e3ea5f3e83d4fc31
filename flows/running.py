"""Which function runs a cycle that somebody started by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flows import prefect_home, proxies
from ops.summary import CycleOutcome


def cycle_function(home: Path) -> Callable[[], CycleOutcome]:
    """The flow where `PREFECT_API_URL` names a server to report to, else its steps alone.

    Without Prefect there is no server to start or to wait for, and none of it is imported.

    Raises:
        UserError: that server does not answer, or a proxy that is set cannot be used.
    """
    proxies.require_usable()
    if prefect_home.is_reported(home):
        from flows.elt import elt

        return elt
    from flows.steps import run_cycle

    return run_cycle
