"""The way to the warehouse: `DATABASE_URL`, or else the embedded PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from warehouse.connection import CONNECT_TIMEOUT, Warehouse
from warehouse.embedded import embedded_server
from warehouse.errors import AlreadyRunning, UserError
from warehouse.masking import quoted
from warehouse.premises import PORT
from warehouse.roles import ASSUMABLE
from warehouse.server import DATABASE, USER
from warehouse.settings import Settings

__all__ = ["Writer", "Warehouse", "open_warehouse", "require_write_access", "single_writer"]

_LOCK_PATIENCE = "3s"
_OLDEST_VERSION = 150_000  # MERGE and NULLS NOT DISTINCT came with 15

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
    if settings.database_url is None:
        with embedded_server(settings.home) as socket_folder:
            warehouse = Warehouse(str(socket_folder), PORT, USER, "x", DATABASE, "disable")
            yield _with_roles(warehouse)
        return
    warehouse = Warehouse.from_url(settings.database_url.get_secret_value())
    yield _with_roles(warehouse)


def require_write_access(
    warehouse: Warehouse, schemas: tuple[str, ...] = ("staging", "marts", "ops")
) -> None:
    """Make sure that our role can fill `schemas`, before anything is read from the exchange.

    Raises:
        UserError: the server only reads, or the role may neither create a missing schema nor
            create tables in one that is there.
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


@dataclass(frozen=True)
class Writer:
    """The only one who does `name` in a warehouse, for as long as its connection stands."""

    name: str
    _connection: psycopg.Connection[tuple[Any, ...]] = field(repr=False)

    def require(self) -> None:
        """Make sure that it still is, before anything is written that others rely on.

        A server that restarts, or somebody who ends our connection, lets the lock go with it, and
        the next writer in; whoever went on writing then would be a second one.

        Raises:
            UserError: the connection is gone.
        """
        try:
            self._connection.execute("select 1")
        except psycopg.Error:
            raise UserError(
                "DATABASE_URL: the server ended the connection that kept other processes out "
                f"({self.name}): this one stops, and the next run goes on from there."
            ) from None


@contextmanager
def single_writer(warehouse: Warehouse, name: str) -> Iterator[Writer]:
    """Be the only one who does `name` in this warehouse while the context is open.

    A session's advisory lock on a connection of its own: the server drops it with the
    connection, so a killed writer leaves no lock behind, but for the moment that the server takes
    to notice: hence a short wait. The other way round, see `Writer.require`.

    Raises:
        UserError: another process is at it.
    """
    with warehouse.connect(autocommit=True) as connection:
        # A long cycle leaves this connection idle; a server that ends idle ones would free us.
        connection.execute("set idle_session_timeout = 0")
        connection.execute(f"set lock_timeout = '{_LOCK_PATIENCE}'".encode())
        try:
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [f"p2p:{name}"])
        except psycopg.errors.LockNotAvailable:
            raise AlreadyRunning(
                f"Another process is at it already ({name}) in this warehouse: "
                "wait until it has ended, or end it."
            ) from None
        yield Writer(name, connection)


def _with_roles(warehouse: Warehouse) -> Warehouse:
    """Connect once: what is wrong with `DATABASE_URL` is said before anything starts.

    Returns the warehouse with the roles that this login may act as in it.
    """
    try:
        with warehouse.connect() as connection:
            version = connection.info.server_version
            roles = frozenset(str(role) for (role,) in connection.execute(ASSUMABLE))
    except (psycopg.Error, UnicodeError) as error:  # a host that is no name ends in the latter
        raise UserError(_refusal(warehouse, str(error))) from None
    if version < _OLDEST_VERSION:
        raise UserError(
            f"DATABASE_URL: the server at {_place(warehouse)} is PostgreSQL {version // 10_000}: "
            f"{_OLDEST_VERSION // 10_000} or later is needed."
        )
    return replace(warehouse, roles=roles)


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
