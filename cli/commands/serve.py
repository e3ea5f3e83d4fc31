"""`p2p serve`: the flow on a schedule, and its metrics."""

from __future__ import annotations

from datetime import timedelta

from flows.starting import SUCCESS, Verbose, start, told_to_stop
from warehouse.settings import load_settings


def serve(verbose: Verbose = False) -> int:
    """Run a cycle every EXTRACTION_INTERVAL minutes and publish metrics, until stopped."""
    settings = load_settings()
    start(settings, verbose=verbose)
    from cli.console import out
    from flows import serving
    from ops import metrics, record
    from ops.migrations import migrate
    from warehouse.postgres import open_warehouse, require_write_access

    stop = told_to_stop()
    interval = timedelta(minutes=settings.extraction_interval)
    with open_warehouse(settings) as warehouse, serving.own_server(settings.home) as server:
        require_write_access(warehouse)
        with record.connected(warehouse) as connection:
            migrate(connection)

        def is_due() -> bool:
            with record.connected(warehouse) as connection:
                return record.is_due(connection, interval)

        with metrics.shown(settings, warehouse) as address:
            out.print(
                f"A cycle every {settings.extraction_interval:g} minutes; metrics at {address}."
            )
            if server is not None:
                out.print(
                    f"Prefect's UI: {server.address}; its password is in {server.password_file}.",
                    soft_wrap=True,
                )
            serving.serve(server, interval, is_due, stop, out.print)
    out.print("Stopped.")
    return SUCCESS
