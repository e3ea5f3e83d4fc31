"""`p2p forecast`: what the price will be, as far as anybody can tell."""

from __future__ import annotations

from datetime import UTC, datetime

from flows.starting import SUCCESS, Verbose, start
from warehouse.settings import load_settings

COLUMNS = ("pair", "hours ahead", "now", "forecast", "80% from", "to", "model")


def forecast(verbose: Verbose = False) -> int:
    """Forecast the price of each USDT pair, with the skill of each model."""
    settings = load_settings()
    start(settings, verbose=verbose)
    from cli.console import PairProgress, out, table
    from flows.forecasting import forecast_prices, shown
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse, PairProgress() as progress:
        rows = forecast_prices(warehouse, settings, datetime.now(UTC), progress.pair)
    lines, without = shown(rows)
    if lines:
        out.print(table(None, COLUMNS, lines))
    for reason, pairs in without.items():
        out.print(f"No forecast, {reason}: {', '.join(pairs)}.", markup=False)
    if rows:
        out.print("The next `p2p run` updates the marts.")
    return SUCCESS
