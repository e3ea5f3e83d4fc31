"""Questions to the marts, all to one moment of the warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from warehouse.errors import UserError
from warehouse.masking import quoted
from warehouse.postgres import Warehouse

Row = dict[str, Any]
PATIENCE = "60s"


class MissingMart(Exception):
    """A mart, or a column of one, is not in this warehouse; its text is for readers of the page."""


class Marts:
    """Reads the marts, as they all stood when the first question was asked."""

    def __init__(self, connection: psycopg.Connection[Any], now: datetime) -> None:
        """Ages are counted to `now`, when the page is made."""
        self._connection = connection
        self.now = now
        self._definitions: dict[tuple[str, str], str] | None = None

    def rows(self, question: str, **parameters: Any) -> list[Row]:
        """The answer to a question.

        Raises:
            MissingMart: this warehouse was built before the mart was, or has not been built yet.
        """
        try:
            with self._connection.transaction(), self._connection.cursor(row_factory=dict_row) as c:
                return c.execute(question.encode(), parameters).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            named = re.search(r"(?:relation|column) \"?([\w.]+)", error.diag.message_primary or "")
            raise MissingMart(f"there is no {named[1] if named else 'mart of it'}") from None

    def row(self, question: str, **parameters: Any) -> Row | None:
        """The first row of the answer, if it has one."""
        found = self.rows(question, **parameters)
        return found[0] if found else None

    def is_simulated(self) -> bool:
        """Whether a simulated exchange gave what is in this warehouse, as its runs record it."""
        try:
            return self.row("select from ops.runs where is_simulated limit 1") is not None
        except MissingMart:  # no run of a version that records it
            return False

    def definition(self, mart: str, metric: str) -> str:
        """How a metric is worked out, as the warehouse itself defines it; empty if it does not."""
        if self._definitions is None:
            found = self.rows("select mart, metric, formula from marts.metric_definitions")
            self._definitions = {(row["mart"], row["metric"]): row["formula"] for row in found}
        return self._definitions.get((mart, metric), "")


@contextmanager
def open_marts(warehouse: Warehouse, now: datetime | None = None) -> Iterator[Marts]:
    """The marts of a warehouse, read only.

    Raises:
        UserError: nothing is in them, or not yet what a page cannot do without, or the server
            gives up.
    """
    try:
        with warehouse.connect() as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute(f"set local statement_timeout = '{PATIENCE}'".encode())
            marts = Marts(connection, now or datetime.now(UTC))
            try:
                known = marts.row("select from marts.fact_snapshots limit 1")
            except MissingMart:
                known = None
            if known is None:
                raise UserError("Nothing has run yet: try `p2p run`, or `p2p demo`.")
            yield marts
    except MissingMart as missing:
        raise UserError(
            f"The marts are not whole yet ({missing}): let a cycle run to its end, `p2p run`."
        ) from None
    except psycopg.Error as error:
        said = quoted(error.diag.message_primary or str(error))
        raise UserError(f"The report could not be made: {said}") from None
