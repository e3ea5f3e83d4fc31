"""`p2p init`: schemas, roles and days of pages, by whoever owns the database."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.settings import load_settings


def init(
    adopt_roles: Annotated[
        bool,
        typer.Option(
            "--adopt-roles",
            help="Also use roles of these names that p2p did not create.",
        ),
    ] = False,
) -> int:
    """Create schemas, partitions and the roles loader, transformer and analyst."""
    settings = load_settings()
    start(settings)
    from cli.console import out
    from load.land.landed import create_tables
    from load.land.tables import TABLES
    from ops.migrations import migrate
    from warehouse import roles
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse, warehouse.connect(autocommit=True) as connection:
        if not adopt_roles:
            roles.require_own(connection, settings.role_prefix)
        roles.make_schemas(connection)
        create_tables(connection, TABLES)
        migrate(connection)
        made = roles.set_up(connection, settings.role_prefix, adopt=adopt_roles)
    out.print(f"The database is set up. Roles created: {', '.join(made) or 'none, they exist'}.")
    if made and settings.database_url is None:
        out.print(
            "The embedded server asks for no password: it lets in only you and root, and as any "
            "of them."
        )
    elif made:
        out.print(
            "They have no password yet, so none logs in by one: in psql, "
            f"\\password {made[0]} and so on, or make a login of your own a member of them.",
            markup=False,
        )
    return SUCCESS
