"""The flow that forecasts prices from the candles: once an hour, beside the cycles."""

from __future__ import annotations

import os

from prefect import flow

from flows.attended import attended, bury_the_dead, is_scheduled, named
from flows.cycle import SURROUNDINGS, Surroundings

_NICE = 10


@flow(name="forecast", flow_run_name=named("forecast"), log_prints=False, persist_result=False)
@attended
def forecast() -> int:
    """Run `p2p forecast`; returns how many forecasts were loaded.

    It holds no lock that a cycle asks for, and where both want a core the cycle goes first.

    Raises:
        UserError: a setting is wrong, or nothing was built yet.
    """
    from flows.forecasting import forecast_prices
    from warehouse.postgres import open_warehouse
    from warehouse.settings import load_settings

    surroundings = SURROUNDINGS.get() or Surroundings()
    settings = surroundings.settings or load_settings()
    if is_scheduled():
        os.nice(_NICE)  # this process is for the one run
    with open_warehouse(settings) as warehouse:
        now = surroundings.clock()
        return len(forecast_prices(warehouse, settings, now, on_start=bury_the_dead))
