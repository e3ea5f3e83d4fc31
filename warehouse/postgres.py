"""The way to the warehouse: `DATABASE_URL`, or else the embedded PostgreSQL."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg

from warehouse.clock import utc_now
from warehouse.connection import CLOCK, CONNECT_TIMEOUT, SESSION, Warehouse
from warehouse.embedded import embedded_server
from warehouse.errors import UserError
from warehouse.masking import quoted
from warehouse.premises import PORT
from warehouse.roles import assumable
from warehouse.server import DATABASE, USER
from warehouse.settings import Settings
from warehouse.writer import Writer, single_writer

__all__ = [
    "Warehouse",
    "Writer",
    "clock_lead",
    "open_warehouse",
    "require_write_access",
    "single_writer",
]

log = logging.getLogger(__name__)

CLOCKS_DIFFER, CLOCKS_DISAGREE = timedelta(minutes=1), timedelta(minutes=10)
"""How far our clock may be off the server's before that is said, and before nothing is written."""

_OLDEST_VERSION = 150_000  # MERGE and NULLS NOT DISTINCT came with 15
_ENCODING = "UTF8"

# What a pooler cannot be asked for, and what is written depends on.
_DECISIVE = (
    "default_transaction_isolation",
    "default_transaction_read_only",
    "standard_conforming_strings",
)

# What libpq and the server say, and what there is to do about it.
_ADVICE = {
    "password authentication failed": "the user or the password is wrong",
    "no password supplied": "the server wants a password and the URL has none",
    "does not support SSL": "the server offers no TLS: add ?sslmode=prefer if that is intended",
    "no pg_hba.conf entry": "the server admits no such user, database or host",
    "certificate": "the server's certificate is not accepted",
    "Connection refused": "nothing answers there; check that the server runs and the port is right",
    "bad value for connect_timeout": "its connect_timeout must be a number of seconds",
    "timeout": f"no answer within {CONNECT_TIMEOUT} s; check that the host is right and reachable",
    "resolve host": "there is no such host",
    "translate host name": "there is no such host",
    "'idna' codec": "there is no such host",
    "invalid connection option": "an option of the URL is not known to PostgreSQL",
    "invalid sslmode": "its sslmode must be disable, prefer, require, verify-ca or verify-full",
    "No such file or directory": "there is no such socket; check that the server runs",
    "nreachable": "the network does not lead there",
}


@contextmanager
def open_warehouse(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse, reachable while the context is open.

    Without `DATABASE_URL` the embedded server is started, or joined, and stopped again when
    the last command has left it.

    Raises:
        UserError: it cannot be reached; one line that says why, never with the password.
    """
    os.environ.update(CLOCK)
    if settings.database_url is None:
        with embedded_server(settings.home) as socket_folder:
            warehouse = Warehouse(str(socket_folder), PORT, USER, "x", DATABASE, "disable")
            yield _met(replace(warehouse, role_prefix=settings.role_prefix))
        return
    warehouse = Warehouse.from_url(settings.database_url.get_secret_value())
    yield _met(replace(warehouse, role_prefix=settings.role_prefix))


def require_write_access(
    warehouse: Warehouse,
    schemas: tuple[str, ...] = ("staging", "marts", "ops"),
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Make sure that what we write into `schemas` can be, before the exchange is asked anything.

    Raises:
        UserError: the server only reads, the role may neither create a missing schema nor create
            tables in one that is there, or the clocks disagree.
    """
    with warehouse.connect() as connection:
        row = connection.execute(
            """
            select
                current_setting('transaction_read_only')::boolean,
                array(
                    select wanted.name
                    from unnest(%s::text[]) as wanted (name)
                    left join pg_namespace as present on present.nspname = wanted.name
                    where not coalesce(
                        has_schema_privilege(present.oid, 'CREATE'),
                        has_database_privilege(current_database(), 'CREATE')
                    )
                )
            """,
            [list(schemas)],
        ).fetchone()
        if warehouse.pooler_of is not None:
            _require_usual_settings(warehouse, connection)
        lead = clock_lead(connection, clock)
    is_read_only, refused = row or (True, [])
    if is_read_only:
        raise UserError(
            f"DATABASE_URL: the server at {_place(warehouse)} only reads (a standby, or "
            "default_transaction_read_only): name one that can be written to."
        )
    if refused:
        raise UserError(
            f"DATABASE_URL: the role {warehouse.user} may not create tables in "
            f"{', '.join(refused)} of the database {warehouse.database}: "
            "grant it CREATE on the database."
        )
    if abs(lead) > CLOCKS_DISAGREE:
        raise UserError(
            f"The clock of this machine is {said_of_lead(lead)} that of the server at "
            f"{_place(warehouse)}: nothing is stamped by it; set both by NTP."
        )
    if abs(lead) > CLOCKS_DIFFER:
        log.warning("clocks differ", extra={"this_machine_is": f"{said_of_lead(lead)} the server"})


def clock_lead(
    connection: psycopg.Connection, clock: Callable[[], datetime] = utc_now
) -> timedelta:
    """How far our clock is ahead of the server's; below zero where it is behind it.

    What the question takes on its way is not counted.
    """
    asked = clock()
    there: datetime
    (there,) = connection.execute("select clock_timestamp()").fetchone() or (asked,)
    answered = clock()
    return max(asked - there, timedelta()) or min(answered - there, timedelta())


def said_of_lead(lead: timedelta) -> str:
    """Such as `12 min ahead of`."""
    minutes = abs(lead) / timedelta(minutes=1)
    return f"{minutes:,.0f} min {'ahead of' if lead > timedelta() else 'behind'}"


def _require_usual_settings(warehouse: Warehouse, connection: psycopg.Connection) -> None:
    """Refuse what a server says of a session that we, behind a pooler, cannot ask otherwise.

    Raises:
        UserError: a setting differs; the line has the statement that changes it.
    """
    said = connection.execute(
        "select name, setting from pg_settings where name = any(%s)", [list(_DECISIVE)]
    ).fetchall()
    for name, found in said:
        if found != SESSION[name]:
            raise UserError(
                f"DATABASE_URL: {name} is {found}, which cannot be asked otherwise through the "
                f"pooler at {_place(warehouse)}: alter role {warehouse.user} in database "
                f"{warehouse.database} set {name} = '{SESSION[name]}', or name the server itself "
                f"({warehouse.pooler_of})."
            )


def _met(warehouse: Warehouse) -> Warehouse:
    """Connect once: what is wrong with `DATABASE_URL` is said before anything starts.

    Returns the warehouse with the roles that this login may act as in it, and knowing whether it is
    a pooler that answers. That shows by the process: a pooler numbers its clients itself.
    """
    if re.search("['\"]", warehouse.database):
        raise UserError(
            f"DATABASE_URL: dbt does not get along with the quote in the name of the database "
            f"{warehouse.database}: rename it, or name another."
        )
    # A pooler would refuse what is asked of a session.
    plain = replace(warehouse, pooler_of="")
    try:
        with plain.connect(autocommit=True) as connection:
            version = connection.info.server_version
            encoding = connection.info.parameter_status("server_encoding")
            process, address, port = connection.execute(
                "select pg_backend_pid(), host(inet_server_addr()), current_setting('port')"
            ).fetchone() or (0, None, "")
            is_itself = process == connection.info.backend_pid
            roles = assumable(connection, warehouse.role_prefix)
    except (psycopg.Error, UnicodeError) as error:  # a host that is no name ends in the latter
        raise UserError(_refusal(warehouse, str(error))) from None
    if version < _OLDEST_VERSION:
        raise UserError(
            f"DATABASE_URL: the server at {_place(warehouse)} is PostgreSQL {version // 10_000}: "
            f"{_OLDEST_VERSION // 10_000} or later is needed."
        )
    if encoding != _ENCODING:
        raise UserError(
            f"DATABASE_URL: the database {warehouse.database} is kept in {encoding}, which cannot "
            f"hold every name: create one with encoding '{_ENCODING}' and template template0."
        )
    server = None if is_itself else f"{address or warehouse.host}:{port}"
    return replace(warehouse, roles=roles, pooler_of=server)


def _refusal(warehouse: Warehouse, said: str) -> str:
    """One line about a failed connection, in our words where we have some, else in libpq's."""
    if f'database "{warehouse.database}" does not exist' in said:
        advice = f"it has no database {warehouse.database}: create it, or name another"
    else:
        first_line = said.splitlines()[0] if said else "no reason given"
        own_words = quoted(first_line.rpartition("failed: ")[2])  # it repeats what it was given
        advice = next((text for mark, text in _ADVICE.items() if mark in said), own_words)
    return f"DATABASE_URL: no connection to {_place(warehouse)} as {warehouse.user}: {advice}."


def _place(warehouse: Warehouse) -> str:
    """The server, as a user would name it."""
    return f"{warehouse.host}:{warehouse.port}"
