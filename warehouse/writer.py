"""The lock that keeps two writers of one kind apart, also when the server restarts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from warehouse.connection import Warehouse
from warehouse.errors import AlreadyRunning, UserError

_LOCK_PATIENCE = "3s"
_RESTART_PATIENCE, _BETWEEN = 60.0, 1.0  # seconds

# What would end our wait, or a transaction that is idle for hours: not all are in each version.
_TIMEOUTS = (
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "statement_timeout",
    "transaction_timeout",
)


class Writer:
    """The only one who does `name` in a warehouse, until it is closed.

    The lock is a transaction's, in one that stays open: a pooler lends a connection for no longer
    than that. It reads nothing between its statements, and so holds back no vacuum.
    """

    def __init__(self, warehouse: Warehouse, name: str) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: another process has it, also after a short wait: the server takes a
                moment to notice that a process was killed.
            psycopg.OperationalError: the server does not answer.
        """
        self.name = name
        self._warehouse = warehouse
        self._connection = self._locked()

    def require(self) -> None:
        """Make sure that it still is, before anything is written that others rely on.

        A server that restarts, or somebody who ends our connection, lets the lock go with it. It is
        taken again then; who had it in between has left the warehouse whole, as who is killed does.

        Raises:
            UserError: another process has it now, or the server stays away.
        """
        with suppress(psycopg.Error):
            self._connection.execute("select 1")
            return
        self.close()
        give_up = time.monotonic() + _RESTART_PATIENCE
        while self._connection.closed:
            try:
                self._connection = self._locked()
            except AlreadyRunning:
                raise UserError(
                    "DATABASE_URL: the server ended the connection that kept other processes out "
                    f"({self.name}), and another is at it now: this one stops, and the next run "
                    "goes on from there."
                ) from None
            except psycopg.Error:
                if time.monotonic() > give_up:
                    raise UserError(
                        "DATABASE_URL: the server ended the connection that kept other processes "
                        f"out ({self.name}) and lets us in no more: this one stops, and the next "
                        "run goes on from there."
                    ) from None
                time.sleep(_BETWEEN)

    def close(self) -> None:
        """Let the lock go."""
        with suppress(psycopg.Error):
            self._connection.rollback()  # a pooler would else end the server's connection, too
        self._connection.close()

    def _locked(self) -> "psycopg.Connection[tuple[Any, ...]]":
        connection = self._warehouse.connect()
        try:
            # Only so a snapshot ends with its statement, and holds back no vacuum.
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            # A statement with values beside it would keep its snapshot until the next one.
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(
                "select set_config(name, '0', true) from pg_settings where name = any(%s)",
                [list(_TIMEOUTS)],
            )
            cursor.execute("select set_config('lock_timeout', %s, true)", [_LOCK_PATIENCE])
            cursor.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"p2p:{self.name}"]
            )
        except psycopg.errors.LockNotAvailable:
            connection.close()
            raise AlreadyRunning(
                f"Another process is at it already ({self.name}) in this warehouse: "
                "wait until it has ended, or end it."
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def single_writer(warehouse: Warehouse, name: str) -> Iterator[Writer]:
    """Be the only one who does `name` in this warehouse while the context is open.

    Raises:
        AlreadyRunning: another process is at it.
    """
    writer = Writer(warehouse, name)
    try:
        yield writer
    finally:
        writer.close()
