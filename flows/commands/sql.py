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
        from flows.console import out, table

        out.print(table(None, answer.columns, answer.rows))
        out.print(f"{len(answer.rows):,} rows", style="dim")
    return SUCCESS
