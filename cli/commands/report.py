"""`p2p report`: the market, or one pair of it, as pages to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings


def report(
    pair: Annotated[str, typer.Option(help="One pair, VES/USDT; otherwise all of them.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="A folder: the market, and a page for each pair.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The file, or with --all the folder; otherwise in P2P_HOME/docs."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the folder to a browser, until stopped.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on loopback; 0: a free one.")
    ] = 8809,
) -> int:
    """Write pages of HTML with the prices, and how far to trust them, to look at."""
    if pair and (every or serve):
        raise UserError("--pair writes one page: leave out --all and --serve, or --pair.")
    settings = load_settings()
    start(settings, is_question=True)
    from report.writing import write_all, write_report
    from warehouse.postgres import open_warehouse

    docs, is_for_others = settings.home / "docs", out is not None
    if not every and not serve:
        name = f"report-{pair.strip().upper().replace('/', '-')}" if pair else "report"
        page = out or docs / f"{name}.html"
        with open_warehouse(settings) as warehouse:
            write_report(warehouse, pair, page, is_for_others=is_for_others)
        print(f"Report: {page}")
        return SUCCESS
    from rich.progress import Progress

    from cli.console import err

    folder = out or docs / "market"
    with (
        open_warehouse(settings) as warehouse,
        Progress(console=err, transient=True, disable=not err.is_terminal) as shown,
    ):
        task = shown.add_task("pages", total=None)
        page = write_all(
            warehouse,
            folder,
            is_for_others=is_for_others,
            on_page=lambda done, of: shown.update(task, completed=done, total=of),
        )
    print(f"Report: {page}", flush=True)
    if serve:
        from cli.docs_server import serve_until_stopped

        serve_until_stopped(folder, port, _say)
    return SUCCESS


def _say(address: str) -> None:
    print(f"Served to this machine only, until Ctrl-C: {address}/", flush=True)
