"""Walks that the simulated market plants are found with their net, the best as networkx does.

Its bait is not credited.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from cli.demo import WALKS
from simulator.market import Market
from simulator.planted import Planted
from simulator.source import Query
from tests.dbt import plain_arbitrage
from tests.dbt.conftest import Dbt, Rows
from tests.dbt.test_arbitrage import fetch
from tests.landing import Book, Reading, land

ROOM = 100.0
"""US dollars' worth in each ad of a planted book."""
TICKET = 500
WORTH = {"USDT": 1.0, "BTC": 100_000.0}


def planted(
    fiat_per_usd: float, asset: str, times: float, offers: int = 6, smallest: int = 1
) -> Planted:
    """A book at a multiple of what the asset is worth."""
    price = fiat_per_usd * WORTH[asset] * times
    return Planted(round(price, 2), ROOM / WORTH[asset], offers, smallest)


def pair(
    fiat: str, per_usd: float, ask: float, bid: float, asset: str = "USDT", **bids: Any
) -> dict[Book, Planted]:
    return {
        (fiat, asset, "BUY"): planted(per_usd, asset, ask),
        (fiat, asset, "SELL"): planted(per_usd, asset, bid, **bids),
    }


BOOKS: dict[Book, Planted] = {
    **pair("KES", 100, 1, 1.01),
    # VES > USDT > BOB > BTC > VES: the fourth price is 3.5% above what the other three make.
    **pair("VES", 600, 1, 0.98),
    **pair("BOB", 10, 1.03, 1),
    **pair("BOB", 10, 1, 0.97, "BTC"),
    **pair("VES", 600, 1.05, 1.035, "BTC"),
    # Those of the demo, and beside them what a dollar costs.
    **WALKS,
    **pair("BRL", 5.36, 1, 0.99),
    **pair("INR", 88.9, 1, 0.99),
    # Bait: three ads, a price beyond all reason, orders larger than what is left, an old reading.
    **pair("ARS", 1500, 1, 1.01, offers=3),
    **pair("COP", 4000, 1, 1.1),
    **pair("TRY", 40, 1, 1.01, smallest=10**7),
    **pair("UAH", 40, 1, 1.01),
}
STALE = ("UAH", "USDT", "SELL")
ASSETS, SIDES = ("USDT", "BTC", "USDC", "ETH"), ("BUY", "SELL")
NATURAL = ("CNY", "BDT", "EGP")
"""Fiats of which nothing is planted."""


def read(market: Market, book: Book, at: datetime) -> Reading:
    """A book of the market, said to be read at this time."""
    answer = market.page(Query(*book, page=1, rows=20))
    if book in BOOKS:
        assert answer.total == len(answer.items) == BOOKS[book].offers
    items = [json.loads(item) for item in answer.items]
    return Reading(book, at, [items])


def test_planted_walks_are_found_with_their_net_depth_and_age_and_bait_is_never_credited(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    market = Market(
        3,
        sorted({*NATURAL, *(fiat for fiat, _, _ in BOOKS)}),
        ASSETS,
        offers=500,
        planted=BOOKS,
    )
    natural = [(fiat, asset, side) for fiat in NATURAL for asset in ASSETS for side in SIDES]
    readings = []
    for _ in range(3):
        market.advance(20)
        for book in BOOKS:
            late = timedelta(minutes=60 if book == STALE else 7 * (book[2] == "SELL"))
            readings.append(read(market, book, market.now - late))
        readings += [read(market, book, market.now) for book in natural]
    land(connection, "1", readings, run_id="one")
    dbt("run", "--select", "+arbitrage_cycles")

    credited = rows(
        "select shape, fiat_code, net_pct, capacity_usd, n_eligible, oldest_leg_minutes"
        " from marts.arbitrage_cycles where ticket_usd = %s and is_credited and net_pct > 0",
        TICKET,
    )
    # What is bought in one fiat and sold in another is sent: of the BTC and the ETH 0.0001, of what
    # is a dollar 0.29. A dollar is what the USDT on the same page costs, in BOB 3% more.
    sent = (1 - 0.0001 * WORTH["BTC"] / (1.03 * TICKET)) * (1 - 0.29 / TICKET)
    price = {book: one.price for book, one in WALKS.items()}
    demo = price["INR", "USDC", "SELL"] / price["BRL", "USDC", "BUY"] * (1 - 0.29 / TICKET)
    demo *= price["BRL", "ETH", "SELL"] / price["INR", "ETH", "BUY"]
    demo *= 1 - 0.0001 * price["INR", "ETH", "BUY"] / (88.9 * TICKET)
    nets = {
        ("one_book", "KES"): 1,
        ("one_book", "BRL"): 100 * (5.37 / 5.35 - 1),
        ("two_fiats", "BOB"): 100 * (1.035 * sent - 1),
        ("two_fiats", "BRL"): 100 * (demo - 1),
    }
    assert {(shape, fiat): float(net) for shape, fiat, net, *_ in credited} == (
        pytest.approx(nets, abs=1e-9)
    )
    assert all(0.2 < net < 0.4 for (_, fiat), net in nets.items() if fiat == "BRL"), "not modest"
    assert [row[3:] for row in credited] == [(500, 6, 7)] * 4
    never = rows("select distinct fiat_code from marts.arbitrage_cycles where is_credited")
    assert not {fiat for (fiat,) in never} & {"ARS", "COP", "TRY", "UAH"}
    # The absurd one is found, and called what it is; the stale one nets as much as the sound one.
    doubted = rows(
        "select fiat_code, net_pct, is_data_bug_suspect from marts.arbitrage_cycles"
        " where ticket_usd = %s and shape = 'one_book' and not is_credited",
        TICKET,
    )
    assert doubted == [("COP", 10, True)]

    prices = fetch(connection, "select * from marts.executable_prices where payment_method = 'any'")
    found = {
        (float(ticket), shape): 1 + float(best) / 100
        for ticket, shape, best in rows(
            "select ticket_usd, shape, max(net_pct) from marts.arbitrage_cycles"
            " group by ticket_usd, shape"
        )
    }
    legs = plain_arbitrage.p2p_legs(
        plain_arbitrage.in_time(prices, market.now), plain_arbitrage.transfer_fees()
    )
    assert {leg.given for leg in legs[100]} >= set(NATURAL)
    assert found == pytest.approx(
        {
            (ticket, shape): product
            for ticket, of_ticket in legs.items()
            for shape, product in plain_arbitrage.best(of_ticket).items()
        },
        abs=1e-9,
    )
