"""A book that moves while it is read: no snapshot isolation, as on the real exchange."""

from __future__ import annotations

import requests

from simulator.answers import SEARCH
from simulator.market import Market
from simulator.server import Exchange


def read(exchange: Exchange, page: int) -> list[str]:
    body = {"fiat": "VES", "asset": "USDT", "tradeType": "BUY", "page": page, "rows": 20}
    answer = requests.post(exchange.url + SEARCH, json=body, timeout=5)
    return [item["adv"]["advNo"] for item in answer.json()["data"]]


def sweep(seconds_per_request: float) -> tuple[int, int]:
    """Reads one large book; how many ads came twice, and how many were there and never came."""
    market = Market(6, fiats=["VES"], assets=["USDT"], offers=1600)
    with Exchange(market, seconds_per_request=seconds_per_request) as exchange:
        before = {offer.adv_no for offer in market.book("VES", "USDT", "BUY")}
        seen: list[str] = []
        page = 1
        while items := read(exchange, page):
            seen += items
            page += 1
        after = {offer.adv_no for offer in market.book("VES", "USDT", "BUY")}
    return len(seen) - len(set(seen)), len((before & after) - set(seen))


def test_ads_come_twice_and_are_skipped_when_the_clock_moves_with_each_request() -> None:
    duplicates, skipped = sweep(seconds_per_request=20)
    assert duplicates > 0
    assert skipped > 0


def test_a_book_read_while_the_clock_stands_is_read_whole_and_once() -> None:
    assert sweep(seconds_per_request=0) == (0, 0)


def test_the_clock_moves_by_the_seconds_given_and_for_searches_only() -> None:
    market = Market(6, fiats=["VES"], assets=["USDT"])
    start = market.now
    with Exchange(market, seconds_per_request=3) as exchange:
        read(exchange, 1)
        read(exchange, 2)
        requests.post(exchange.url + "/simulator/advance", json={"minutes": 0}, timeout=5)
        assert (market.now - start).total_seconds() == 6
