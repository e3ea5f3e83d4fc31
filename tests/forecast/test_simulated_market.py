"""Intervals cover what they say where prices are read off offers, noise and all."""

from __future__ import annotations

from datetime import timedelta
from statistics import mean, median

import numpy as np
import pytest

from forecast.evaluation import evaluate
from forecast.models import CHAIN
from forecast.rules import HORIZONS, Rules
from forecast.series import HOUR, Series
from simulator.market import Market
from tests.forecast.walks import LAST_HOUR

HOURS = 1200
MARKETS = 4


def middle(market: Market) -> float:
    """The middle of both reference prices of the pair, bait left out."""
    ends = []
    for side, way in (("BUY", 1), ("SELL", -1)):
        book = [offer for offer in market.book("VES", "USDT", side) if not offer.is_bait]
        prices = sorted(way * float(offer.price) for offer in book)
        ends.append(way * median(prices[: max(5, len(prices) // 10)]))
    return mean(ends)


def test_intervals_on_simulated_markets_cover_what_they_say_at_each_horizon() -> None:
    start = LAST_HOUR - HOUR * HOURS
    covered: dict[int, list[float]] = {hours: [] for hours in HORIZONS}
    for seed in range(1, MARKETS + 1):
        market = Market(seed=seed, fiats=["VES"], assets=["USDT"], start=start, offers=60)
        closes = []
        for _ in range(HOURS):
            market.advance(HOUR / timedelta(minutes=1))
            closes.append(middle(market))
        series = Series(np.array(closes), LAST_HOUR)
        for row in evaluate(series, Rules(), ["persistence", "drift"]).rows:
            if row["model_id"] != CHAIN:
                covered[row["horizon_hours"]].append(row["coverage_80_pct"])
    means = {hours: mean(found) for hours, found in covered.items()}
    assert means == {hours: pytest.approx(80, abs=5) for hours in HORIZONS}
