"""Who advertises, with which methods, and how an offer is written in each generation."""

from __future__ import annotations

import re
import statistics
from collections import Counter

import pytest

from simulator.market import Market
from simulator.methods import methods_of
from simulator.source import Query
from simulator.universe import FIATS
from tests.simulator.conftest import SIDES, everything, items_of

# Numbers and people


def test_an_ad_number_is_a_snowflake_of_20_digits_beyond_int64(whole: Market) -> None:
    offers = everything(whole)
    assert len({offer.adv_no for offer in offers}) == len(offers)
    for offer in offers:
        assert re.fullmatch(r"1[23]\d{18}", offer.adv_no)
        assert int(offer.adv_no) > 2**63
        assert (int(offer.adv_no[2:]) >> 22) + 1566993984000 == offer.created_ms
        assert offer.created_ms <= whole.now.timestamp() * 1000


def test_a_third_of_the_rows_are_merchants_and_few_advertisers_have_several_ads(
    large: Market, whole: Market
) -> None:
    rows = [item["advertiser"] for item in items_of(large, "VES", "USDT", "SELL")]
    assert statistics.mean(row["userType"] == "merchant" for row in rows) == pytest.approx(
        0.34, abs=0.04
    )
    for fiat in large.fiats:
        people = {}
        for side in SIDES:
            ads = Counter(offer.user_no for offer in large.book(fiat, "USDT", side))
            people[side] = set(ads)
            assert 1.04 <= ads.total() / len(ads) <= 1.13
            assert max(ads.values()) <= 4
            assert statistics.mean(number == 1 for number in ads.values()) >= 0.88
        both = len(people["BUY"] & people["SELL"]) / len(people["BUY"] | people["SELL"])
        assert 0.06 <= both <= 0.14
    legacy = {o.user_no for o in everything(whole) if not o.user_no.startswith("s")}
    assert 5 <= len(legacy) <= 60
    assert all(re.fullmatch(r"[0-9a-f]{32}", number) for number in legacy)


def test_14_per_cent_have_no_nickname_and_others_have_any_script(whole: Market) -> None:
    names = [offer.nickname for offer in everything(whole)]
    assert statistics.mean(not name for name in names) == pytest.approx(0.14, abs=0.015)
    assert None in names
    assert "" in names
    told = [name for name in names if name]
    assert max(map(len, told)) <= 60
    for sign in ("[一-鿿]", "\u0640", "\U0001f680", "  ", r" $", "'"):
        assert any(re.search(sign, name) for name in told), sign


def test_methods_per_ad_are_as_measured_and_some_ads_list_one_twice_without_a_name(
    large: Market, whole: Market
) -> None:
    counts = Counter(
        len(offer.payment_methods)
        for fiat in large.fiats for side in SIDES for offer in large.book(fiat, "USDT", side)
    )  # fmt: skip
    for number, share in {1: 0.15, 2: 0.12, 3: 0.14, 4: 0.15, 5: 0.45}.items():
        assert counts[number] / counts.total() == pytest.approx(share, abs=0.03)
    twice = ads = 0
    for fiat in whole.fiats[:4]:
        for side in SIDES:
            for item in items_of(whole, fiat, "USDT", side):
                methods = item["adv"]["tradeMethods"]
                assert 1 <= len(methods) <= 5
                ads += 1
                last = methods[-1]
                if last["identifier"] in [method["identifier"] for method in methods[:-1]]:
                    twice += 1
                    assert last["tradeMethodName"] is None
                    assert last["tradeMethodShortName"] is None
    assert 0.003 <= twice / ads <= 0.012


def test_fiats_list_4_to_333_methods_and_two_of_them_may_share_a_name() -> None:
    lists = {fiat: methods_of(fiat) for fiat in FIATS}
    sizes = [len(methods) for methods in lists.values()]
    assert (min(sizes), max(sizes)) == (4, 333)
    for methods in lists.values():
        assert len({method.identifier for method in methods}) == len(methods)
        if len(methods) >= 6:
            names = [method.name for method in methods if method.name]
            assert len(set(names)) < len(names)


# Generations


@pytest.mark.parametrize(
    ("year", "adv_keys", "advertiser_keys", "item_keys", "amount", "commission"),
    [
        (2022, 59, 18, 2, r"\d+\.00", r"0\.00(08|10)0000"),
        (2024, 69, 21, 2, r"\d+\.00", r"0\.00(16|20)0000"),
        (2026, 81, 25, 5, r"\d+", None),
    ],
)
def test_each_generation_has_its_keys_and_its_ways_to_write_numbers(
    year: int,
    adv_keys: int,
    advertiser_keys: int,
    item_keys: int,
    amount: str,
    commission: str | None,
) -> None:
    market = Market(1, fiats=["BOB"], assets=["USDT"], generation=year)
    for item in items_of(market, "BOB", "USDT", "BUY"):
        adv = item["adv"]
        assert (len(adv), len(item["advertiser"]), len(item)) == (
            adv_keys,
            advertiser_keys,
            item_keys,
        )
        assert re.fullmatch(amount, adv["minSingleTransAmount"])
        if commission is None:
            assert adv["commissionRate"] is None
        else:
            assert re.fullmatch(commission, adv["commissionRate"])
        assert (adv["payTimeLimit"] is None) is (year == 2022)
        assert ("takerAdditionalKycRequired" in adv) is (year > 2022)


def test_keys_were_only_ever_added() -> None:
    markets = [Market(1, fiats=["BOB"], assets=["USDT"], generation=y) for y in (2022, 2024, 2026)]
    oldest, middle, newest = (next(items_of(m, "BOB", "USDT", "BUY")) for m in markets)
    for part in ("adv", "advertiser"):
        assert set(oldest[part]) < set(middle[part]) < set(newest[part])


def test_an_offer_weighs_about_3_kilobytes(whole: Market) -> None:
    sizes = []
    for fiat in whole.fiats:
        sizes += [len(item) for item in whole.page(Query(fiat, "USDT", "SELL", 1)).items]
    assert 2900 <= statistics.mean(sizes) <= 3400
