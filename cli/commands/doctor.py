"""`p2p doctor`: what is wrong, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.starting import CHECK_FAILED, SUCCESS, start
from warehouse.settings import load_settings


def doctor(
    exchange: Annotated[
        bool, typer.Option("--exchange", help="Also send one request to the exchange.")
    ] = False,
) -> int:
    """Report problems and how to fix them; exit status 1 if there are any."""
    settings = load_settings()
    start(settings, is_question=True)
    from rich.table import Table

    from cli.console import cell, out
    from cli.doctor import Verdict, examine
    from warehouse.clock import utc_now

    looks = {Verdict.fine: "green", Verdict.watch: "yellow", Verdict.wrong: "bold red"}
    shown = Table.grid("", "", "", "", padding=(0, 2, 0, 0))
    found = list(examine(settings, utc_now(), ask_exchange=exchange))
    for finding in found:
        verdict = cell(finding.verdict.value)
        verdict.stylize(looks[finding.verdict])
        shown.add_row(verdict, cell(finding.what), cell(finding.said), cell(finding.advice))
    out.print(shown)
    bad = sum(finding.verdict is Verdict.wrong for finding in found)
    out.print(f"{bad} to fix." if bad else "Nothing to fix.")
    return CHECK_FAILED if bad else SUCCESS
