"""`p2p report`: the market, or one pair of it, as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.starting import SUCCESS, start
from warehouse.settings import load_settings


def report(
    pair: Annotated[str, typer.Option(help="One pair, VES/USDT; otherwise all of them.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Where to; otherwise a page in P2P_HOME/docs.")
    ] = None,
) -> int:
    """Write one page of HTML with the prices, and how far to trust them, to look at."""
    settings = load_settings()
    start(settings, is_question=True)
    from report.writing import write_report
    from warehouse.postgres import open_warehouse

    name = f"report-{pair.strip().upper().replace('/', '-')}" if pair else "report"
    file = out or settings.home / "docs" / f"{name}.html"
    with open_warehouse(settings) as warehouse:
        write_report(warehouse, pair, file, is_for_others=out is not None)
    print(f"Report: {file}")
    return SUCCESS
