"""`p2p demo`: the real flow, three cycles, over a simulated market that moves all the while."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.console import CycleProgress, out
from flows.cycle import SURROUNDINGS, Surroundings
from ops.summary import CycleOutcome
from simulator.planted import Planted
from warehouse.embedded import erase
from warehouse.settings import Settings, load_settings

CYCLES = 3
MINUTES_BETWEEN = 15
SEED = 7
FIATS = ("VES", "ARS", "BOB", "COP", "BRL", "INR", "TRY", "UAH", "USD", "KES")
ASSETS = ("USDT", "BTC", "ETH", "USDC")
# Asks and bids near the fair price, 100 dollars in each of six ads, so that two walks of trades net
# a little for 500 dollars: BRL > USDC > BRL 0.374%, BRL > USDC > INR > ETH > BRL 0.258% after
# transfers.
WALKS = {
    ("BRL", "USDC", "BUY"): Planted(5.35, 100.0),
    ("BRL", "USDC", "SELL"): Planted(5.37, 100.0),
    ("INR", "USDC", "SELL"): Planted(88.90, 100.0),
    ("INR", "ETH", "BUY"): Planted(279_100.0, 0.032),
    ("BRL", "ETH", "SELL"): Planted(16_860.0, 0.032),
}
REQUESTS_PER_SECOND = 500.0  # the exchange is in this very process: nobody has to be spared


def demo_settings(settings: Settings) -> Settings:
    """A home of its own below the user's: made-up prices must never meet real ones."""
    return load_settings(
        home=settings.home / "demo",
        database_url=None,
        fiats=(),
        assets=(),
        requests_per_second=REQUESTS_PER_SECOND,
        log_format=settings.log_format,
        binance_api_key=None,
    )


def run_demo(settings: Settings) -> list[CycleOutcome]:
    """Run the cycles and return what each came to; `settings` are those of `demo_settings`."""
    from flows.forecasting import forecast_prices
    from flows.running import cycle_function
    from simulator.market import Market
    from simulator.server import Exchange
    from warehouse.postgres import open_warehouse

    begun = datetime.now(UTC) - timedelta(minutes=(CYCLES - 1) * MINUTES_BETWEEN)
    market = Market(seed=SEED, fiats=FIATS, assets=ASSETS, start=begun, planted=WALKS)
    outcomes: list[CycleOutcome] = []
    stop = threading.Event()  # one for all cycles: who interrupts one means the demo
    run_cycle = cycle_function(settings.home)
    with Exchange(market) as exchange:
        settings = settings.model_copy(
            update=dict.fromkeys(("api_url", "rates_url", "spot_url"), exchange.url)
        )
        for number in range(1, CYCLES + 1):
            until = begun + timedelta(minutes=(number - 1) * MINUTES_BETWEEN)
            # The market has moved while it was read, and goes on to the next cycle's time.
            exchange.advance(max(0.0, (until - market.now).total_seconds() / 60))
            with CycleProgress(f"cycle {number} of {CYCLES}: ") as progress:
                SURROUNDINGS.set(
                    Surroundings(
                        settings=settings,
                        stop=stop,
                        clock=clock_of(market.now),
                        on_progress=progress.loaded,
                        on_step=progress.step,
                    )
                )
                outcome = run_cycle()
                if number == CYCLES - 1 and not stop.is_set():
                    progress.step("forecast")  # for the last cycle to take into the marts
                    with open_warehouse(settings) as warehouse:
                        forecast_prices(warehouse, settings, clock_of(market.now)())
            outcomes.append(outcome)
            out.print(
                f"Cycle {number} of {CYCLES}: {outcome.counts['books_read']:,} books, "
                f"{outcome.counts['offers']:,} offers, {outcome.seconds:.0f} s, {outcome.state}"
            )
            if stop.is_set():
                raise KeyboardInterrupt
    return outcomes


def clock_of(market_time: datetime) -> Callable[[], datetime]:
    """The market's time from now on: it goes as the real one does until the next cycle."""
    started = datetime.now(UTC)
    return lambda: market_time + (datetime.now(UTC) - started)


def start_over(home: Path) -> None:
    """Remove an earlier demo, and nothing but a demo."""
    erase(home)
    for part in ("dlt", "docs"):
        shutil.rmtree(home / part, ignore_errors=True)
