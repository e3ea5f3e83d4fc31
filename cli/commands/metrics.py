"""`p2p metrics`: the metrics alone, where a work pool runs the cycles."""

from __future__ import annotations

from flows.starting import SUCCESS, Verbose, start, told_to_stop
from warehouse.settings import load_settings


def metrics(verbose: Verbose = False) -> int:
    """Publish Prometheus metrics until stopped; `p2p serve` includes this."""
    settings = load_settings()
    start(settings, verbose=verbose)
    from cli.console import out
    from ops import metrics
    from warehouse.postgres import open_warehouse

    stop = told_to_stop()
    with open_warehouse(settings) as warehouse, metrics.shown(settings, warehouse) as address:
        out.print(f"Metrics at {address}.")
        stop.wait()
    out.print("Stopped.")
    return SUCCESS
