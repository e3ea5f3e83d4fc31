"""What the simulator knows of itself: what was online when, what changed, and what is fair."""

from __future__ import annotations

from datetime import timedelta

import requests

from simulator.market import Market
from simulator.rates import fair_price
from simulator.server import Exchange
from simulator.truth import Truth
from tests.simulator.conftest import SIDES

BOOK = ("VES", "USDT", "BUY")


def test_which_offers_were_online_can_be_asked_of_any_moment() -> None:
    market = Market(4, fiats=["VES"], assets=["USDT", "BTC"], offers=500)
    seen = []
    for minutes in (0, 7, 50, 200):
        market.advance(minutes)
        books = [(fiat, asset, side) for fiat, asset in market.pairs for side in SIDES]
        seen.append(
            (market.now, {book: {offer.adv_no for offer in market.book(*book)} for book in books})
        )
    truth = market.truth()
    for moment, online in seen:
        for book, numbers in online.items():
            assert truth.online(book, moment) == numbers
    assert len({frozenset(online[BOOK]) for _, online in seen}) == 4


def test_whether_an_offer_was_online_throughout_can_be_asked_of_any_time() -> None:
    market = Market(4, fiats=["VES"], assets=["USDT"], offers=500)
    start = market.now
    before = {offer.adv_no for offer in market.book(*BOOK)}
    market.advance(60)
    after = {offer.adv_no for offer in market.book(*BOOK)}
    truth = market.truth()
    gone = next(change for change in truth.changes if change.kind == "gone")
    moment = timedelta(seconds=1)
    assert truth.was_online(gone.adv_no, start, gone.time - moment)
    assert not truth.was_online(gone.adv_no, start, gone.time + moment)
    assert not truth.was_online(gone.adv_no, gone.time + moment, gone.time + 2 * moment)
    back = next(change for change in truth.changes if change.kind == "returned")
    assert not truth.was_online(back.adv_no, back.time - moment, back.time + moment)
    throughout = {
        number for number in before & after if truth.was_online(number, start, market.now)
    }
    came_back = before & after - throughout
    assert len(throughout) > len(before) * 0.8
    assert came_back <= {change.adv_no for change in truth.changes if change.kind == "returned"}
    assert not any(truth.was_online(number, start, market.now) for number in after - before)


def test_the_fair_price_goes_with_the_market() -> None:
    market = Market(4, fiats=["VES"], assets=["USDT", "BTC"], offers=500)
    assert market.fair_price("VES", "USDT") == fair_price("VES", "USDT")
    market.advance(3 * 1440)
    moved = market.fair_price("VES", "USDT") / fair_price("VES", "USDT") - 1
    assert 0 < abs(moved) < 0.03
    in_between = [offer.price for offer in market.book(*BOOK) if not offer.is_bait]
    assert abs(float(min(in_between)) / market.fair_price("VES", "USDT") - 1) < 0.03


def test_all_of_it_is_told_over_http() -> None:
    market = Market(4, fiats=["VES"], assets=["USDT"], offers=500)
    with Exchange(market) as exchange:
        exchange.advance(30)
        answer = requests.get(exchange.url + "/simulator/truth", timeout=5)
    told = Truth.parse(answer.json())
    assert told.changes == tuple(market.changes())
    assert told.fair_prices == {"VES/USDT": market.fair_price("VES", "USDT")}
    assert told.bait == {
        offer.adv_no for side in SIDES for offer in market.book("VES", "USDT", side)
        if offer.is_bait
    }  # fmt: skip
    for moment in (market.now, market.now - timedelta(minutes=20)):
        assert told.online(BOOK, moment) == market.truth().online(BOOK, moment)
