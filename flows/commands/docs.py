"""`p2p docs`: the pages about the tables and the checks."""

from __future__ import annotations

import shutil

from flows.commands.starting import SUCCESS, start
from warehouse.errors import UserError
from warehouse.settings import load_settings


def docs() -> int:
    """Build dbt's documentation as one page, and say where it and the checks' pages are."""
    settings = load_settings()
    start(settings)
    from flows.transform import run_dbt
    from warehouse.postgres import open_warehouse

    home = settings.home / "dbt-docs"
    with open_warehouse(settings) as warehouse:
        report = run_dbt(warehouse, ["docs", "generate", "--static"], home)
    if not report.is_success:
        raise UserError(f"dbt could not build its docs: {report.failures[0].message}")
    folder = settings.home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    shutil.copyfile(home / "target" / "static_index.html", page)
    print(f"Models and columns: {page}")
    checks = folder / "checks" / "index.html"
    print(f"Checks: {checks if checks.exists() else 'none yet, a cycle writes them'}")
    return SUCCESS
