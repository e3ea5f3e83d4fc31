"""`p2p docs`: the pages about the tables, the checks and the market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.postgres import Warehouse


def docs(
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve them to a browser, until stopped.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on loopback; 0: a free one.")
    ] = 8808,
) -> int:
    """Build dbt's documentation as one page, and say where it and the checks' pages are."""
    settings = load_settings()
    start(settings)
    from cli.docs_server import serve_until_stopped
    from warehouse.postgres import open_warehouse

    folder = settings.home / "docs"
    with open_warehouse(settings) as warehouse:
        _build(warehouse, settings.home / "dbt-docs", folder / "index.html")
        if serve:
            _report(warehouse, folder / "report.html")
    checks = folder / "checks" / "index.html"
    if not serve:
        print(f"Models and columns: {folder / 'index.html'}")
        print(f"Checks: {checks if checks.exists() else 'none yet, a cycle writes them'}")
        return SUCCESS

    def say(address: str) -> None:
        print(f"Models and columns: {address}/")
        print(f"Checks: {address}/checks/" if checks.exists() else "Checks: none yet")
        print(f"Reports: {', '.join(f'{address}/{name}' for name in reports) or 'none yet'}")
        print("Served to this machine only, until Ctrl-C.", flush=True)

    reports = sorted(path.name for path in folder.glob("report*.html"))
    reports += ["market/"] if (folder / "market" / "index.html").exists() else []
    serve_until_stopped(folder, port, say)
    return SUCCESS


def _build(warehouse: Warehouse, home: Path, page: Path) -> None:
    from cli.docs_page import write_docs_page
    from flows.transform import run_dbt
    from ops import record

    report = run_dbt(warehouse, ["docs", "generate"], home)
    if not report.is_success:
        raise UserError(f"dbt could not build its docs: {report.failures[0].message}")
    with record.connected(warehouse) as connection:
        is_simulated = record.holds_simulated(connection)
    write_docs_page(home / "target", page, is_simulated=bool(is_simulated))


def _report(warehouse: Warehouse, page: Path) -> None:
    """Renew the report, if there is anything to report yet."""
    from report.writing import write_report

    try:
        write_report(warehouse, "", page)
    except UserError as nothing:
        print(f"Report: {nothing}")
