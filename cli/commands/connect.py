"""`p2p connect`: what other programs need to connect to the warehouse as its analyst."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from flows.starting import SUCCESS, start, told_to_stop
from warehouse.errors import UserError
from warehouse.settings import load_settings

if TYPE_CHECKING:
    from warehouse.postgres import Warehouse

QUESTION = "select * from market_now"
SCHEMAS = "marts,ops"
"""Where an analyst's session looks for a table that is named without its schema."""


def connect(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on loopback; 0: a free one.")
    ] = 0,
) -> int:
    """Show what psql, DBeaver and pandas need to connect as analyst, who may only read.

    The embedded server stays up, and its port open, until this is stopped.
    """
    settings = load_settings()
    start(settings)
    from warehouse.door import HOST, open_door
    from warehouse.postgres import open_warehouse
    from warehouse.premises import SOCKET_FILE
    from warehouse.roles import ANALYST

    role = f"{settings.role_prefix}{ANALYST}"
    stop = told_to_stop()
    with open_warehouse(settings) as warehouse:
        _require_role(warehouse, role)
        analyst = replace(warehouse, user=role, options={})
        if settings.database_url is not None:
            _show(replace(analyst, password="PASSWORD"))  # noqa: S106 - stands for one
            print(f"PASSWORD is that of {role}; in psql, \\password {role} sets it.")
            return SUCCESS
        try:
            with open_door(Path(warehouse.host) / SOCKET_FILE, role, port) as door:
                _show(replace(analyst, host=HOST, port=door.port, password=door.password))
                print("This machine only, until Ctrl-C; the password is new each time.", flush=True)
                stop.wait()
        except OSError as error:
            raise UserError(
                f"--port {port} cannot be used ({error.strerror}): name another, or 0."
            ) from None
    return SUCCESS


def _require_role(warehouse: Warehouse, role: str) -> None:
    with warehouse.connect() as connection:
        found = connection.execute("select from pg_roles where rolname = %s", [role]).fetchone()
    if found is None:
        raise UserError(f"This warehouse has no role {role} yet: run `p2p init` once.")


def _show(analyst: Warehouse) -> None:
    """The same login in the words of each program."""
    url = replace(analyst, options={"options": f"-csearch_path={SCHEMAS}"}).url
    alchemy = url.replace("postgresql://", "postgresql+psycopg://", 1)
    print(f'psql:     psql "{url}"')
    if analyst.host.startswith("/"):
        print("DBeaver:  it needs a host and a port, and DATABASE_URL names a socket")
    else:
        place = f"{analyst.host}:{analyst.port}/{quote(analyst.database)}"
        print(
            f"DBeaver:  jdbc:postgresql://{place}?currentSchema={SCHEMAS}&sslmode={analyst.sslmode}"
        )
        print(f"          user {analyst.user}, password {analyst.password}")
    print(f'pandas:   pandas.read_sql("{QUESTION}", "{alchemy}")', flush=True)
