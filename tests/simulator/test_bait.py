"""Ads priced better than the market: what a naive price falls for, and nobody can take."""

from __future__ import annotations

import statistics

import pytest

from simulator.market import Market
from tests.simulator.conftest import SIDES, everything


def test_what_crosses_the_market_is_bait_and_bait_alone(large: Market) -> None:
    rounded = 0.001  # a third of the makers choose round numbers
    for fiat in large.fiats:
        fair = large.fair_price(fiat, "USDT")
        for side, sign in (("BUY", 1), ("SELL", -1)):
            for offer in large.book(fiat, "USDT", side):
                worse = sign * (float(offer.price) / fair - 1)
                assert worse < rounded if offer.is_bait else worse > -rounded


def test_bait_is_of_every_kind_and_rare(large: Market) -> None:
    offers = everything(large)
    bait = [offer for offer in offers if offer.is_bait]
    assert 0.004 < len(bait) / len(offers) < 0.015
    kinds = {"micro": 0, "fiction": 0, "tiny": 0, "top-up": 0}
    for offer in bait:
        value = offer.price * offer.tradable_quantity
        kinds["fiction"] += offer.min_order_amount > value
        kinds["micro"] += offer.max_order_amount < value / 20
        kinds["tiny"] += float(value) < 15 * large.fair_price(offer.fiat, "USDT")
        kinds["top-up"] += offer.payment_methods == ("Mobiletopup",)
    assert kinds["micro"] > len(bait) / 4
    assert all(kinds.values()), kinds


def test_where_offers_compete_the_spread_is_small_though_the_touch_is_crossed() -> None:
    spreads = []
    for seed in range(5):
        market = Market(seed, fiats=["VES"], assets=["USDT"])
        fair = market.fair_price("VES", "USDT")
        best = []
        for side in SIDES:
            prices = [float(o.price) for o in market.book("VES", "USDT", side) if not o.is_bait]
            prices = [price for price in prices if abs(price / fair - 1) < 0.03]
            prices.sort(reverse=side == "SELL")
            best.append(statistics.median(prices[: len(prices) // 10]))
        spreads.append((best[0] / best[1] - 1) * 100)
    assert statistics.median(spreads) == pytest.approx(0.45, abs=0.1)


def test_some_large_books_have_two_dead_ads_at_one_price_better_than_all_that_can_be_had() -> None:
    found = 0
    for seed in range(12):
        market = Market(seed, fiats=["BOB"], assets=["USDT"])
        book = market.book("BOB", "USDT", "BUY")
        fair = market.fair_price("BOB", "USDT")
        pairs = [o for o in book if float(o.price) == pytest.approx(0.979 * fair, abs=0.005)]
        if len(pairs) < 2:
            continue
        found += 1
        market.advance(2 * 1440)
        later = {offer.adv_no: offer for offer in market.book("BOB", "USDT", "BUY")}
        for dead in pairs:
            assert later[dead.adv_no].price == dead.price, "its maker has left"
            assert later[dead.adv_no].surplus_quantity == dead.surplus_quantity
    assert 1 <= found <= 6


def test_whoever_competes_does_not_wander_into_bait(large: Market) -> None:
    market = Market(5, fiats=["VES"], assets=["USDT"], offers=1500)
    market.advance(600)
    assert any(change.kind == "repriced" for change in market.changes())
    fair = market.fair_price("VES", "USDT")
    asks = [o for o in market.book("VES", "USDT", "BUY") if not o.is_bait]
    assert min(float(offer.price) for offer in asks) > 0.985 * fair
