"""What the first cycle of a process waits for, at once rather than one after the other."""

from __future__ import annotations

import importlib

from expectations.library import import_library
from flows.prefect_home import begin_server

_LIBRARIES = (
    "flows.elt",
    "load.pipeline",
    "expectations.checkpoint",
    "dbt.cli.main",
    "dbt.adapters.postgres",
)
"""The flow, and what the steps of a cycle import, each when it comes to it."""


def take_head_start() -> None:
    """Import what the steps need while Prefect's server starts, if one has to be waited for.

    Raises:
        RuntimeError: that server does not answer.
    """
    wait_for_server = begin_server()
    if wait_for_server is None:
        return  # who is about to be refused need not wait for libraries
    import_library()
    for name in _LIBRARIES:
        importlib.import_module(name)
    wait_for_server()
