"""Let a plain `dbt build` find its warehouse, and start the embedded one if that is it.

dbt imports every installed module named `dbt_…` and sets up the plugins in it, for whatever
project it works on: after the profile is rendered, before a connection opens. `p2p` itself does
not need this one; it opens the warehouse first and says where through `P2P_PG_*`.
"""

import atexit
import os
from contextlib import ExitStack

from dbt.plugins.manager import dbtPlugin

_PROJECT = "p2p"
_NEEDS_NO_DATABASE = {"clean", "deps", "list", "ls", "parse", "serve"}

_until_exit = ExitStack()


class WarehousePlugin(dbtPlugin):
    """Holds the warehouse open until dbt's process ends."""

    def initialize(self) -> None:
        """Open the warehouse of `.env` and the environment, and point dbt's profile at it.

        The profile was rendered from the environment alone: it knows nothing of `.env`, nor
        that the socket of a home too deep for one stands elsewhere.

        Raises:
            UserError: it cannot be opened; dbt prints the line and ends.
        """
        if self.project_name != _PROJECT or "P2P_PG_HOST" in os.environ:
            return
        import click

        context = click.get_current_context(silent=True)
        if context is None or context.info_name in _NEEDS_NO_DATABASE:
            return
        from warehouse.postgres import open_warehouse
        from warehouse.roles import TRANSFORMER
        from warehouse.settings import load_settings

        opened = _until_exit.enter_context(open_warehouse(load_settings()))
        warehouse = opened.acting_as(TRANSFORMER)
        credentials = context.obj["profile"].credentials
        for name in ("host", "port", "user", "password", "database", "sslmode"):
            setattr(credentials, name, getattr(warehouse, name))
        for variable, value in warehouse.environment().items():
            if not variable.startswith("P2P_"):  # libpq's own, for what a profile cannot say
                os.environ[variable] = value


plugins = [WarehousePlugin]

atexit.register(_until_exit.close)
