"""`p2p maintain`: what keeps the warehouse small and quick, by hand."""

from __future__ import annotations

from flows.starting import SUCCESS, start
from warehouse.settings import load_settings


def maintain() -> int:
    """Daily maintenance: create partitions, archive and drop old raw pages, vacuum."""
    settings = load_settings()
    start(settings)
    from cli.console import out
    from upkeep.retention import maintain as do_what_is_due
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        report = do_what_is_due(warehouse, settings)
    for line in report.lines:
        out.print(line)
    return SUCCESS
