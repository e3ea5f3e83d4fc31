"""`p2p sql`: one question to the warehouse."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings


class Format(StrEnum):
    """How an answer can be shown."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One query; marts, ops and staging are found.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file with the query; -: standard input.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to show the answer.")] = (
        Format.table
    ),
    csv: Annotated[bool, typer.Option("--csv", help="The same as --format csv.")] = False,
) -> int:
    """Ask the warehouse; it may only read."""
    settings = load_settings()
    start(settings, is_question=True)
    from cli.query import NO_QUERY, ask, write_csv
    from warehouse.postgres import open_warehouse

    form = Format.csv if csv else form
    question = _question(query, file)
    if not question.strip():
        raise UserError(NO_QUERY)
    if form is Format.parquet and sys.stdout.isatty():
        raise UserError("--format parquet is for a pipe or a file: add > FILE.parquet.")
    with open_warehouse(settings) as warehouse:
        answer = ask(warehouse, question)
    if form is Format.csv:
        write_csv(answer, sys.stdout)
    elif form is Format.json:
        from cli.formats import write_json

        write_json(answer, sys.stdout)
    elif form is Format.parquet:
        from cli.formats import write_parquet

        write_parquet(answer, sys.stdout.buffer)
    else:
        from cli import console

        found = console.answer(answer.columns, answer.rows, console.out.width)
        console.out.print(found)
        count = len(answer.rows)
        console.out.print(f"{count:,} {'row' if count == 1 else 'rows'}", style="dim")
    return SUCCESS


def _question(query: str | None, file: Path | None) -> str:
    """The query as given: in the command, in a file, or on standard input.

    Raises:
        UserError: it is given twice, or the file cannot be read.
    """
    if query is not None and file is not None:
        raise UserError("The query is given twice, as an argument and with -f: drop one of them.")
    if query is not None:
        return query
    if file is None:
        return "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    try:
        return sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UserError(f"-f {file} cannot be read ({why}): name a file with a query.") from None
