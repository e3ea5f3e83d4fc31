"""What the first cycle of a process waits for, at once rather than one after the other."""

from __future__ import annotations

import importlib

from expectations.library import import_library
from flows.cycle import dbt_home
from flows.prefect_home import begin_server
from flows.proxies import require_usable
from flows.transform import parse_ahead
from warehouse.postgres import open_warehouse
from warehouse.settings import Settings

_LIBRARIES = (
    "flows.elt",
    "load.pipeline",
    "expectations.checkpoint",
    "dbt.cli.main",
    "dbt.adapters.postgres",
)
"""The flow, and what the steps of a cycle import, each when it comes to it."""


def take_head_start(settings: Settings) -> None:
    """Import what the steps need while Prefect's server starts, if one has to be waited for.

    In a new home that server makes its database, for some seconds more: meanwhile dbt reads its
    project, which in a new home it would do in the cycle.

    Raises:
        UserError: the warehouse is out of reach, or that server does not answer.
    """
    require_usable()
    wait_for_server = begin_server(settings.home)
    if wait_for_server is None:
        return  # who is about to be refused need not wait for libraries
    import_library()
    for name in _LIBRARIES:
        importlib.import_module(name)
    with open_warehouse(settings) as warehouse:
        parse_ahead(warehouse, dbt_home(settings))
    wait_for_server()
