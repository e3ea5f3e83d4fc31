"""The seeded market: repeatable, and composed as section 5 of the API note measured."""

from __future__ import annotations

import re
import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from simulator.market import Market
from simulator.source import Query
from simulator.universe import ASSET_SCALES, FIATS
from tests.simulator.conftest import SIDES, at, everything, items_of

# Repeatable


def test_the_same_seed_and_calls_give_the_same_bytes() -> None:
    def story(seed: int) -> list[bytes]:
        market = Market(seed, fiats=["VES", "LKR"], offers=400)
        pages = []
        for minutes in (0, 3, 90):
            market.advance(minutes)
            for fiat, asset in market.pairs:
                pages += [*market.page(Query(fiat, asset, "BUY", 1)).items]
        return pages

    assert story(4) == story(4)
    assert story(4) != story(5)


def test_moving_in_steps_gives_what_moving_at_once_gives() -> None:
    at_once, in_steps = (Market(2, fiats=["VES"], offers=500) for _ in range(2))
    at_once.advance(60)
    for _ in range(240):
        in_steps.advance(0.25)
    assert at_once.changes() == in_steps.changes()
    assert at_once.book("VES", "USDT", "SELL") == in_steps.book("VES", "USDT", "SELL")


def test_only_the_seconds_since_activity_differ_between_two_answers() -> None:
    market = Market(2, fiats=["BOB"], assets=["USDT"])
    first, second = (list(items_of(market, "BOB", "USDT", "SELL")) for _ in range(2))
    differing = 0
    for before, after in zip(first, second, strict=True):
        one, other = (item["advertiser"].pop("activeTimeInSecond") for item in (before, after))
        differing += one != other
        assert before == after
    assert differing > 0.9 * len(first)


def test_the_clock_starts_where_the_caller_says_and_goes_only_forward() -> None:
    start = datetime(2024, 10, 1, 8, 30, tzinfo=UTC)
    market = Market(1, fiats=["BOB"], assets=["USDT"], start=start)
    market.advance(7.5)
    assert market.now == start + timedelta(minutes=7.5)
    with pytest.raises(ValueError, match="forward only"):
        market.advance(-1)


@pytest.mark.parametrize(
    "wrong", [{"fiats": ["VES", "XXX"]}, {"assets": ["LUNC"]}, {"generation": 2023}]
)
def test_what_the_exchange_does_not_know_is_refused_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*(XXX|LUNC|2022, 2024, 2026)[^\n]*$"):
        Market(1, **wrong)


# Size


def test_the_whole_market_has_112_fiats_13_assets_and_some_23000_offers(whole: Market) -> None:
    assert len(whole.fiats) == len(FIATS) == 112
    assert set(whole.assets) == set(ASSET_SCALES)
    assert 20_000 <= whole.count() <= 25_000
    assert whole.count() == len(everything(whole))


def test_10_to_20_per_cent_of_the_listed_pairs_are_empty(whole: Market) -> None:
    empty = [pair for pair in whole.pairs if not any(whole.book(*pair, side) for side in SIDES)]
    assert 0.10 <= len(empty) / len(whole.pairs) <= 0.20


def test_books_shrink_with_the_rank_of_their_fiat_and_asset(whole: Market) -> None:
    sizes = [len(whole.book(fiat, "USDT", "SELL")) for fiat in whole.fiats]
    assert {"CNY", "VES", "ARS"} <= set(whole.fiats[:5])
    assert 1200 <= sizes[0] <= 1900
    assert 1200 <= sizes[1] <= 1900
    assert 100 <= sizes[9] <= 260
    assert sum(sizes[10:20]) < sum(sizes[2:10])
    assert max(sizes[60:]) < 40
    assert len(whole.book("VES", "BTC", "SELL")) <= 0.2 * sizes[1]
    assert max(len(whole.book("VES", asset, "SELL")) for asset in ("DOGE", "ADA", "TRX")) <= 8


def test_the_caller_may_ask_for_about_so_many_offers() -> None:
    for wanted in (300, 5000):
        assert Market(1, fiats=["VES", "ARS"], offers=wanted).count() == pytest.approx(
            wanted, rel=0.25
        )


# Prices and quantities


def test_prices_spread_around_the_median_as_measured(large: Market) -> None:
    for side, bands in (
        (
            "BUY",
            {0.05: (-0.007, -0.002), 0.75: (0.005, 0.011), 0.95: (0.17, 0.25)},
        ),
        ("SELL", {0.05: (-0.39, -0.29), 0.25: (-0.15, -0.09), 0.95: (0.045, 0.075)}),
    ):
        against_median: list[float] = []
        for fiat in large.fiats:
            prices = [float(offer.price) for offer in large.book(fiat, "USDT", side)]
            middle = statistics.median(prices)
            against_median += [price / middle - 1 for price in prices]
        for share, (low, high) in bands.items():
            assert low <= at(against_median, share) <= high, (side, share)
        assert -0.70 <= min(against_median)
        assert max(against_median) <= 2.3


def test_the_touch_is_crossed_most_of_the_time_where_the_competitive_spread_is_small() -> None:
    crossed, spreads = [], []
    for seed in range(20):
        market = Market(seed, fiats=["BOB", "PEN", "LKR"], assets=["USDT"])
        for fiat in market.fiats:
            asks = sorted(float(offer.price) for offer in market.book(fiat, "USDT", "BUY"))
            bids = sorted(float(offer.price) for offer in market.book(fiat, "USDT", "SELL"))
            crossed.append(bids[-1] > asks[0])
            spreads.append(at(asks, 0.06) / at(bids, 0.94) - 1)
    assert 0.5 <= statistics.mean(crossed) <= 0.9
    assert 0.003 <= statistics.median(spreads) <= 0.008


def test_quantities_and_ages_have_the_measured_medians_and_tails(large: Market) -> None:
    now = large.now.timestamp() * 1000
    for side, median, tail, age in (("BUY", 450, 9900, 13), ("SELL", 1000, 30000, 68)):
        offers = [offer for fiat in large.fiats for offer in large.book(fiat, "USDT", side)]
        surplus = [float(offer.surplus_quantity) for offer in offers]
        assert statistics.median(surplus) == pytest.approx(median, rel=0.15)
        assert at(surplus, 0.95) == pytest.approx(tail, rel=0.3)
        days = [(now - offer.created_ms) / 86_400_000 for offer in offers]
        assert statistics.median(days) == pytest.approx(age, rel=0.15)


def test_tradable_is_less_the_commission_on_sell_ads_and_the_surplus_on_buy_ads(
    large: Market,
) -> None:
    for offer in large.book("VES", "USDT", "SELL"):
        assert offer.tradable_quantity == offer.surplus_quantity
    asks = large.book("VES", "USDT", "BUY")
    locked = [offer for offer in asks if offer.tradable_quantity < offer.surplus_quantity / 2]
    assert all(offer.tradable_quantity <= offer.surplus_quantity for offer in asks)
    usual = [o for o in asks if o.tradable_quantity * Decimal("1.002") > o.surplus_quantity]
    assert len(usual) > 0.95 * len(asks)
    assert len(locked) < 0.03 * len(asks)


def test_text_decimals_carry_the_scales_that_the_ad_announces(whole: Market) -> None:
    for fiat, asset in (("VES", "USDT"), ("VES", "BTC"), ("KWD", "USDT"), ("CNY", "SHIB")):
        for item in items_of(whole, fiat, asset, "BUY"):
            adv = item["adv"]
            assert adv["assetScale"] == ASSET_SCALES[asset]
            for key, scale in (
                ("price", adv["priceScale"]),
                ("surplusAmount", adv["assetScale"]),
                ("tradableQuantity", adv["assetScale"]),
                ("minSingleTransQuantity", adv["assetScale"]),
                ("maxSingleTransQuantity", adv["assetScale"]),
                ("dynamicMaxSingleTransQuantity", adv["assetScale"]),
            ):
                assert isinstance(adv[key], str)
                assert re.fullmatch(rf"\d+\.\d{{{scale}}}", adv[key]), (key, adv[key])
            assert Decimal(adv["price"]) > 0


def test_a_page_shows_the_true_state_of_the_book(whole: Market) -> None:
    for fiat, asset, side in (("LKR", "USDT", "BUY"), ("ARS", "BTC", "SELL")):
        shown = [
            (
                item["adv"]["advNo"],
                Decimal(item["adv"]["price"]),
                Decimal(item["adv"]["surplusAmount"]),
                Decimal(item["adv"]["tradableQuantity"]),
                item["advertiser"]["userNo"],
                item["advertiser"]["nickName"],
            )
            for item in items_of(whole, fiat, asset, side)
        ]
        assert shown == [
            (o.adv_no, o.price, o.surplus_quantity, o.tradable_quantity, o.user_no, o.nickname)
            for o in whole.book(fiat, asset, side)
        ]


def test_the_dynamic_limit_is_the_limit_or_what_is_left_and_may_be_below_the_least(
    large: Market,
) -> None:
    below, unknown, count = 0, 0, 0
    for item in items_of(large, "VES", "USDT", "BUY"):
        adv = item["adv"]
        count += 1
        if adv["dynamicMaxSingleTransAmount"] is None:
            unknown += 1
            continue
        dynamic = int(adv["dynamicMaxSingleTransAmount"])
        left = Decimal(adv["price"]) * Decimal(adv["tradableQuantity"])
        expected = min(Decimal(adv["maxSingleTransAmount"]), left)
        # The exchange multiplies before it truncates the quantity to hundredths.
        slack = 1 + Decimal(adv["price"]) / 100
        assert expected - 1 <= dynamic <= expected + slack
        below += dynamic < int(adv["minSingleTransAmount"])
    assert 0 < below < 0.2 * count
    assert unknown < 0.01 * count
