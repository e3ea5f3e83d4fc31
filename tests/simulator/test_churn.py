"""How the market moves between two readings, against the measured figures."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache

import pytest

from simulator.market import Market
from simulator.offers import OfferState
from simulator.source import Query

# BOB and its neighbours: at the start it is late morning there, as in much of what was measured.
FIATS = ("VES", "BOB", "ARS", "COP", "PEN", "BRL")
# The taker's side of the page on which the ads of this maker's side stand.
PAGE = {"SELL ads": "BUY", "BUY ads": "SELL"}

Ads = dict[str, OfferState]


@cache
def readings() -> dict[str, tuple[Ads, Ads, Ads]]:
    """The ads of each maker's side at the start, after 10 minutes and after 2 hours."""
    market = Market(11, fiats=list(FIATS), assets=["USDT"], offers=16000)

    def read(side: str) -> Ads:
        return {o.adv_no: o for fiat in FIATS for o in market.book(fiat, "USDT", side)}

    found: dict[str, list[Ads]] = defaultdict(list)
    for minutes in (0, 10, 110):
        market.advance(minutes)
        for ads, side in PAGE.items():
            found[ads].append(read(side))
    return {ads: (first, second, third) for ads, (first, second, third) in found.items()}


def shares(before: Ads, after: Ads) -> dict[str, float]:
    """What changed between two readings, in per cent."""
    stayed = before.keys() & after.keys()

    def changed(key: str) -> float:
        moved = sum(bool(getattr(before[n], key) != getattr(after[n], key)) for n in stayed)
        return 100 * moved / len(stayed)

    return {
        "gone": 100 * len(before.keys() - after.keys()) / len(before),
        "new": 100 * len(after.keys() - before.keys()) / len(before),
        "re-priced": changed("price"),
        "other surplus": changed("surplus_quantity"),
        "other orders": changed("month_order_count"),
    }


@pytest.mark.parametrize(
    ("ads", "bands"),
    [
        (
            "SELL ads",
            {"gone": (2, 4), "new": (1, 4), "re-priced": (2, 3), "other surplus": (1, 9)},
        ),
        (
            "BUY ads",
            {"gone": (0.5, 1.5), "new": (0.3, 1.5), "re-priced": (0, 1), "other surplus": (1, 2)},
        ),
    ],
)
def test_ten_minutes_change_what_they_change_on_the_real_market(
    ads: str, bands: dict[str, tuple[float, float]]
) -> None:
    first, second, _ = readings()[ads]
    found = shares(first, second)
    for what, (low, high) in bands.items():
        assert low <= found[what] <= high, (what, found)


@pytest.mark.parametrize(
    ("ads", "expected"),
    [
        ("SELL ads", {"gone": 22, "new": 21, "re-priced": 11, "other surplus": 30}),
        ("BUY ads", {"gone": 8, "new": 9, "re-priced": 5, "other surplus": 14}),
    ],
)
def test_two_hours_change_what_they_change_on_the_real_market(
    ads: str, expected: dict[str, float]
) -> None:
    first, _, third = readings()[ads]
    found = shares(first, third)
    for what, share in expected.items():
        assert found[what] == pytest.approx(share, rel=0.25), (what, found)
    assert 17 <= found["other orders"] <= 31


def test_most_of_the_gone_come_back_with_the_number_they_had() -> None:
    market = Market(3, fiats=["VES"], assets=["USDT"], offers=1500)
    market.advance(3 * 24 * 60)
    gone: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for change in market.changes():
        side = change.book[2]
        if change.kind == "gone":
            gone[side].add(change.adv_no)
        elif change.kind == "returned" and change.adv_no in gone[side]:
            back[side].add(change.adv_no)
    assert len(back["BUY"]) / len(gone["BUY"]) == pytest.approx(0.73, abs=0.07)
    assert len(back["SELL"]) / len(gone["SELL"]) == pytest.approx(0.53, abs=0.07)


def test_the_asks_of_a_country_sleep_at_night_and_the_market_keeps_its_size() -> None:
    # 04h in Caracas is 08h UTC.
    start = datetime(2026, 11, 2, 8, tzinfo=UTC)
    market = Market(3, fiats=["VES"], assets=["USDT"], start=start, offers=1500)
    asks, bids = {}, {}
    for hour in range(0, 72, 2):
        asks[hour] = market.page(Query("VES", "USDT", "BUY", 1)).total
        bids[hour] = market.page(Query("VES", "USDT", "SELL", 1)).total
        market.advance(120)
    nights, days = (0, 24, 48), (10, 34, 58)
    for night, day in zip(nights, days, strict=True):
        assert asks[night] / asks[day] == pytest.approx(76 / 150, abs=0.12)
        assert bids[night] / bids[day] > 0.75
    for hours in (nights, days):
        for earlier, later in itertools.pairwise(hours):
            assert asks[later] == pytest.approx(asks[earlier], rel=0.15)


def test_the_changes_account_for_every_difference_between_two_states() -> None:
    market = Market(9, fiats=["VES", "LKR"], offers=1500)
    books = [(fiat, asset, side) for fiat, asset in market.pairs for side in ("BUY", "SELL")]
    before = {book: {o.adv_no: o for o in market.book(*book)} for book in books}
    market.advance(45)
    market.advance(45)
    changes = market.changes()
    assert [change.number for change in changes] == list(range(1, len(changes) + 1))
    assert [change.time for change in changes] == sorted(change.time for change in changes)
    assert market.changes(since=len(changes) - 2) == changes[-2:]
    kinds: dict[str, set[str]] = defaultdict(set)
    online = {number: book for book, ads in before.items() for number in ads}
    for change in changes:
        kinds[change.adv_no].add(change.kind)
        if change.kind in ("opened", "returned"):
            assert change.adv_no not in online
            online[change.adv_no] = change.book
        else:
            assert online[change.adv_no] == change.book
        if change.kind == "gone":
            del online[change.adv_no]
    after = {book: {o.adv_no: o for o in market.book(*book)} for book in books}
    assert online == {number: book for book, ads in after.items() for number in ads}
    assert {"opened", "returned", "gone", "repriced", "resized", "edited", "orders", "renamed"} == (
        set().union(*kinds.values())
    )
    for book in books:
        for number in before[book].keys() & after[book].keys():
            one, other = before[book][number], after[book][number]
            if one != other:
                assert kinds[number], number
            if one.price != other.price:
                assert kinds[number] & {"repriced", "returned"}
            if one.surplus_quantity != other.surplus_quantity:
                assert "resized" in kinds[number]
            if one.nickname != other.nickname:
                assert "renamed" in kinds[number]
            if one.payment_methods != other.payment_methods:
                assert "edited" in kinds[number]


def test_a_page_in_the_cache_is_written_anew_when_its_offer_changes() -> None:
    market = Market(8, fiats=["VES"], assets=["USDT"], offers=400)
    for _ in range(6):
        market.advance(40)
        for side in ("BUY", "SELL"):
            shown: list[bytes] = []
            for page in itertools.count(1):
                items = market.page(Query("VES", "USDT", side, page)).items
                shown += items
                if not items:
                    break
            for item, offer in zip(shown, market.book("VES", "USDT", side), strict=True):
                assert f'"price":"{offer.price}"'.encode() in item
                assert f'"surplusAmount":"{offer.surplus_quantity}"'.encode() in item
                assert f'"minSingleTransAmount":"{offer.min_order_amount}"'.encode() in item
                assert f'"nickName":{json.dumps(offer.nickname, ensure_ascii=False)},' in (
                    item.decode()
                )
                assert f'"monthOrderCount":{offer.month_order_count},'.encode() in item
