"""`p2p status`: how the last cycles went, and how old each book is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from flows.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings

SHOWN = 20
"""Books that are shown unless all are asked for; those of `P2P_HOT` are shown besides."""


def status(
    all_books: Annotated[
        bool, typer.Option("--all", help="Every book, the largest first.")
    ] = False,
) -> int:
    """The last cycles, the age and completeness of each book, the age of official rates."""
    settings = load_settings()
    start(settings, is_question=True)
    from cli.console import cell, out, table
    from cli.query import BOOKS, BREAKER, DRIFT, ERRORS, RATES, RUNS, SIMULATED, ask
    from ops.summary import breaker_line, drift_line
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        present = ask(
            warehouse,
            "select to_regclass('ops.runs'), to_regclass('marts.fact_snapshots'),"
            " to_regclass('ops.drift'), to_regclass('marts.official_rates')",
        ).rows[0]
        runs = ask(warehouse, RUNS) if present[0] is not None else None
        if runs is None or not runs.rows:  # `p2p init` makes the table
            raise UserError("Nothing has run yet: try `p2p run`, or `p2p demo`.")
        if ask(warehouse, SIMULATED).rows:
            out.print("Simulated data: this warehouse was filled by a simulated exchange.")
        out.print(table("Cycles, the latest first", runs.columns, runs.rows))
        for breaker in ask(warehouse, BREAKER).rows:
            out.print(cell(breaker_line(*breaker)))
        if present[2] is not None and (drift := drift_line(ask(warehouse, DRIFT).rows)):
            out.print(cell(drift))
        for run_id, error in ask(warehouse, ERRORS).rows:
            out.print(cell(f"{run_id}: {error}"))
        if present[1] is not None:
            books = ask(warehouse, BOOKS)
            shown, title = books.rows, "Books of the last day"
            if not all_books and len(shown) > SHOWN:
                shown = _hot_and_oldest(shown, {"/".join(pair) for pair in settings.hot})
                title = "Books of the last day: the hot and the oldest"
            out.print(table(title, books.columns, shown))
            if left := len(books.rows) - len(shown):
                out.print(f"{left:,} more books: p2p status --all")
        if present[3] is not None and (official := ask(warehouse, RATES)).rows:
            out.print(table("Official rates", official.columns, official.rows))
    return SUCCESS


def _hot_and_oldest(books: Sequence[Sequence[Any]], hot: set[str]) -> list[Sequence[Any]]:
    """The books of the hot pairs, then those whose last whole reading is the oldest, or is none."""
    first = [book for book in books if book[0] in hot]
    others = sorted(
        (book for book in books if book[0] not in hot),
        key=lambda book: (book[3] is not None, -(book[3] or 0)),
    )
    return [*first, *others[:SHOWN]]
