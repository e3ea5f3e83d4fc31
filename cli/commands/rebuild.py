"""`p2p rebuild`: facts and marts again, from what has landed."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings


def rebuild(
    since: Annotated[
        str, typer.Option("--from", metavar="DAY", help="From this day (UTC) on: 2026-11-20.")
    ] = "",
) -> int:
    """Rebuild facts and marts from raw pages: all of them, or from a day on."""
    first_day = _day(since) if since else None
    settings = load_settings()
    start(settings)
    from cli.console import out
    from flows.rebuild import rebuild as build_again
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        report = build_again(warehouse, settings, first_day, on_step=out.print)
    out.print(f"{report.models_built} models built, {report.tests_passed} tests passed.")
    return SUCCESS


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--from {text[:40]} is not a date such as 2026-11-20.") from None
