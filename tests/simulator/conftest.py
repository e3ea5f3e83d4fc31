"""A small market behind a real port, and the ways in which tests talk to it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from simulator.answers import SEARCH
from simulator.market import Market
from simulator.offers import OfferState
from simulator.server import Exchange
from simulator.source import Query

Json = dict[str, Any]
Search = Callable[..., Json]

SIDES = ("BUY", "SELL")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(Market(7, fiats=["VES", "BOB", "LKR"], offers=900)) as served:
        yield served


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def body(fiat: str = "BOB", asset: str = "USDT", side: str = "BUY", page: int = 1) -> Json:
    return {"fiat": fiat, "asset": asset, "tradeType": side, "page": page, "rows": 20}


@pytest.fixture
def search(exchange: Exchange, client: requests.Session) -> Search:
    """Asks for a page of the market and returns the envelope."""

    def ask(**changes: Any) -> Json:
        answer = client.post(exchange.url + SEARCH, json={**body(), **changes}, timeout=5)
        envelope: Json = answer.json()
        return envelope

    return ask


@pytest.fixture
def read_book(search: Search) -> Callable[..., list[Json]]:
    """Reads a book page by page up to the first empty page."""

    def read(fiat: str = "BOB", asset: str = "USDT", side: str = "BUY") -> list[Json]:
        items: list[Json] = []
        for page in range(1, 200):
            data = search(fiat=fiat, asset=asset, tradeType=side, page=page)["data"]
            items += data
            if not data:
                break
        return items

    return read


@pytest.fixture(scope="session")
def whole() -> Market:
    """The market of all fiats and assets; tests must not move it."""
    return Market(1)


@pytest.fixture(scope="session")
def large() -> Market:
    """Some books of thousands of offers, so that quantiles are sharp; not to be moved."""
    return Market(5, fiats=["VES", "BOB", "ARS", "COP"], assets=["USDT"], offers=16000)


def items_of(market: Market, fiat: str, asset: str, side: str) -> Iterator[dict[str, Any]]:
    for page in itertools.count(1):
        answer = market.page(Query(fiat, asset, side, page))
        if not answer.items:
            return
        yield from map(json.loads, answer.items)


def everything(market: Market) -> list[OfferState]:
    return [
        offer for fiat, asset in market.pairs for side in SIDES
        for offer in market.book(fiat, asset, side)
    ]  # fmt: skip


def at(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]
