"""Intervals cover what they say where prices are read off offers, noise and all."""

from __future__ import annotations

from datetime import timedelta
from statistics import mean, median

import numpy as np
import pytest

from forecast.evaluation import evaluate
from forecast.models import PERSISTENCE
from forecast.rules import Rules
from forecast.series import HOUR, Series
from simulator.market import Market
from tests.forecast.walks import LAST_HOUR

HOURS = 1500


def middle(market: Market) -> float:
    """The middle of both reference prices of the pair, bait left out."""
    ends = []
    for side, way in (("BUY", 1), ("SELL", -1)):
        book = [offer for offer in market.book("VES", "USDT", side) if not offer.is_bait]
        prices = sorted(way * float(offer.price) for offer in book)
        ends.append(way * median(prices[: max(5, len(prices) // 10)]))
    return mean(ends)


def test_intervals_on_the_simulated_market_cover_what_they_say() -> None:
    start = LAST_HOUR - HOUR * HOURS
    market = Market(seed=7, fiats=["VES"], assets=["USDT"], start=start, offers=80)
    closes = []
    for _ in range(HOURS):
        market.advance(timedelta(hours=1) / timedelta(minutes=1))
        closes.append(middle(market))
    rows = evaluate(Series(np.array(closes), LAST_HOUR), Rules(), ["persistence", "drift"]).rows
    assert {row["model_id"] for row in rows} == {PERSISTENCE, "drift", "markov_chain"}
    covered = [
        row["coverage_80_pct"]
        for row in rows
        if "coverage_80_pct" in row and row["horizon_hours"] < 168
    ]
    assert mean(covered) == pytest.approx(80, abs=5), "of a week there are few that are apart"
