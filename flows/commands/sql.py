"""`p2p sql`: one question to the warehouse."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flows.commands.starting import SUCCESS, start
from warehouse.settings import load_settings


def sql(
    query: Annotated[str, typer.Argument(help="One query; marts, ops and staging are found.")],
    csv: Annotated[bool, typer.Option("--csv", help="CSV with a header.")] = False,
) -> int:
    """Ask the warehouse; it may only read."""
    settings = load_settings()
    start(settings, is_question=True)
    from flows.query import ask, write_csv
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        answer = ask(warehouse, query)
    if csv:
        write_csv(answer, sys.stdout)
    else:
        from flows import console

        found = console.answer(answer.columns, answer.rows, console.out.width)
        console.out.print(found)
        count = len(answer.rows)
        console.out.print(f"{count:,} {'row' if count == 1 else 'rows'}", style="dim")
    return SUCCESS
