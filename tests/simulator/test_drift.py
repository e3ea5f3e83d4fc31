"""A book that moves while it is read: no snapshot isolation, as on the real exchange."""

from __future__ import annotations

from datetime import timedelta

import requests

from simulator.answers import SEARCH
from simulator.clock import Clock, by_request, by_wall_clock, still
from simulator.market import Market
from simulator.server import Exchange


def read(exchange: Exchange, page: int) -> list[str]:
    body = {"fiat": "VES", "asset": "USDT", "tradeType": "BUY", "page": page, "rows": 20}
    answer = requests.post(exchange.url + SEARCH, json=body, timeout=5)
    return [item["adv"]["advNo"] for item in answer.json()["data"]]


def sweep(clock: Clock | None = None) -> tuple[int, int, int]:
    """Reads one large book.

    Returns how many ads came twice, how many were there and never came, and how many changed.
    """
    market = Market(6, fiats=["VES"], assets=["USDT"], offers=1600)
    with Exchange(market, clock=clock) as exchange:
        before = {offer.adv_no for offer in market.book("VES", "USDT", "BUY")}
        seen: list[str] = []
        page = 1
        while items := read(exchange, page):
            seen += items
            page += 1
        after = {offer.adv_no for offer in market.book("VES", "USDT", "BUY")}
    skipped = len((before & after) - set(seen))
    return len(seen) - len(set(seen)), skipped, len(market.changes())


def test_ads_come_twice_and_are_skipped_when_a_book_is_read_slowly() -> None:
    duplicates, skipped, _ = sweep(by_request(20))
    assert duplicates > 0
    assert skipped > 0


def test_a_book_moves_while_it_is_read_unless_standing_still_is_asked_for() -> None:
    assert sweep()[2] > 0
    assert sweep(still()) == (0, 0, 0)


def test_each_page_of_the_search_takes_what_it_takes_at_the_default_pace() -> None:
    market = Market(6, fiats=["VES"], assets=["USDT"])
    start = market.now
    with Exchange(market) as exchange:
        read(exchange, 1)
        read(exchange, 2)
        requests.post(exchange.url + "/simulator/advance", json={"minutes": 0}, timeout=5)
        assert (market.now - start).total_seconds() == 1
        exchange.clock = by_request(3)
        read(exchange, 1)
        assert (market.now - start).total_seconds() == 4


def test_by_the_clock_on_the_wall_it_moves_however_seldom_it_is_asked() -> None:
    market = Market(6, fiats=["VES"], assets=["USDT"])
    start, wall = market.now, [100.0]
    with Exchange(market, clock=by_wall_clock(lambda: wall[0])) as exchange:
        wall[0] += 90
        read(exchange, 1)
        assert (market.now - start).total_seconds() == 90
        wall[0] += 30
        health = requests.get(exchange.url + "/simulator/health", timeout=5).json()
        assert health["now"] == (start + timedelta(minutes=2)).isoformat()
    assert {change.kind for change in market.changes()} >= {"gone", "repriced", "resized"}
