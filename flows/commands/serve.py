"""`p2p serve`: the flow on a schedule, and its metrics."""

from __future__ import annotations

import signal
import threading
from datetime import timedelta
from types import FrameType

from flows.commands.starting import SUCCESS, Verbose, start
from warehouse.settings import load_settings


def serve(verbose: Verbose = False) -> int:
    """Run a cycle every EXTRACTION_INTERVAL minutes, and show metrics, until told to stop."""
    settings = load_settings()
    start(settings, verbose=verbose)
    from flows import metrics, ops, serving
    from flows.console import out
    from warehouse.postgres import open_warehouse, require_write_access

    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and _number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    interval = timedelta(minutes=settings.extraction_interval)
    with open_warehouse(settings) as warehouse, serving.own_server(settings.home) as server:
        require_write_access(warehouse)
        with ops.connected(warehouse) as connection:
            ops.prepare(connection)

        def is_due() -> bool:
            with ops.connected(warehouse) as connection:
                return ops.is_due(connection, interval)

        with metrics.shown(settings, warehouse) as address:
            out.print(
                f"A cycle every {settings.extraction_interval:g} minutes; metrics at {address}."
            )
            serving.serve(server, interval, is_due, stop, out.print)
    out.print("Stopped.")
    return SUCCESS
