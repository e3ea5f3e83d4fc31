"""That walks are the best there are, are judged by their legs, and are what a rebuild finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.dbt import plain_arbitrage
from tests.dbt.conftest import Dbt, Rows
from tests.dbt.plain_market import Offer
from tests.dbt.test_market import reading
from tests.landing import Rate, Reading, land, land_prices

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MARTS = (
    "trade_steps",
    "arbitrage_cycles",
    "arbitrage_runs",
    "pivots",
    "arbitrage_outcomes",
    "market_alerts",
)
RUN = ("run", "--select", *(f"+{mart}" for mart in MARTS))
WALKS = ("run", "--select", "+arbitrage_runs")
FREE_FROM = NOON + timedelta(days=20, hours=-1)
"""From when, in these tests, a coin is sent for nothing."""

WORTH = {"USDT": 1.0, "BTC": 90_000.0, "ETH": 3_000.0, "DOGE": 0.2}
LEVEL = {"AAA": 10.0, "BBB": 600.0, "CCC": 0.9, "DDD": 4_000.0}
SHAPES = ("one_book", "spot", "two_fiats", "official")


def book(fiat: str, asset: str, side: str, chance: random.Random, at: datetime) -> Reading:
    """A book around what its coin is worth, shallow or deep, of few offers or enough."""
    away = 0.004 if side == "BUY" else -0.004
    middle = LEVEL[fiat] * WORTH[asset] * (1 + away + chance.gauss(0, 0.006))
    count = chance.choice([4, 5, 7, 9])
    worth = chance.choice([15, 60, 300, 4000])
    offers = [
        Offer(
            f"{middle * (1 + chance.uniform(0, 0.004)):.10g}",
            f"{worth / WORTH[asset]:.8f}",
            smallest=f"{LEVEL[fiat] * chance.choice([1, 15]):.2f}",
            largest=f"{LEVEL[fiat] * 5000:.2f}",
            user=f"{fiat}{asset}{side}{number}",
        )
        for number in range(count)
    ]
    return reading((fiat, asset, side), offers, at)


def market(chance: random.Random, at: datetime, fiats: int = 4) -> list[Reading]:
    """Nearly all books of some fiats, a few seconds apart."""
    books = [(fiat, asset, side) for fiat in LEVEL for asset in WORTH for side in ("BUY", "SELL")]
    chosen = chance.sample(sorted(LEVEL), fiats)
    return [
        book(*one, chance, at + timedelta(seconds=5 * place))
        for place, one in enumerate(one for one in books if one[0] in chosen)
        if chance.random() < 0.9
    ]


def spot(chance: random.Random) -> dict[str, tuple[str, str]]:
    """Bid and ask of each coin, near what it is worth."""
    return {
        coin: (f"{worth * (1 + chance.gauss(0, 0.002)):.8g}", f"{worth * 1.004:.8g}")
        for coin, worth in WORTH.items()
        if coin != "USDT"
    }


@pytest.fixture
def free_transfers(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A network that costs nothing, for every coin, from `FREE_FROM` on."""
    for coin in WORTH:
        connection.execute(
            "insert into marts.transfer_fees"
            " (asset_code, network, valid_from, fee_quantity, source)"
            " values (%s, 'inside', %s, 0, 'test')",
            (coin, FREE_FROM),
        )
    yield
    connection.execute("delete from marts.transfer_fees where network = 'inside'")


def fetch(connection: psycopg.Connection[Any], query: str) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    return cursor.execute(query.encode()).fetchall()


@pytest.mark.usefixtures("free_transfers")
def test_the_best_walk_of_each_shape_is_the_one_that_networkx_finds_among_all(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """Markets two days apart, so that none is the last of another; half of them send for nothing.

    Those have two fiats, and no closed walk but of two legs or four: some product is above 1 where
    Bellman-Ford finds a negative cycle, and nowhere else.
    """
    prices: dict[datetime, dict[str, tuple[str, str]]] = {}
    rates: dict[datetime, dict[str, float]] = {}
    for number in range(16):
        chance = random.Random(number)
        at = NOON + timedelta(days=2 * number + (10 if number >= 5 else 0))
        land(
            connection,
            f"books-{number}",
            market(chance, at, 4 if at < FREE_FROM else 2),
            run_id=f"run-{number}",
        )
        prices[at] = spot(chance)
        rates[at] = {f: level * (1 + chance.gauss(0, 0.02)) for f, level in LEVEL.items()}
        official = [Rate(fiat, at, f"{rate:.10f}") for fiat, rate in rates[at].items()]
        land_prices(connection, f"prices-{number}", official, prices[at], at=at)
    dbt(*WALKS)

    executable = fetch(
        connection, "select * from marts.executable_prices where payment_method = 'any'"
    )
    found = {
        (row["as_of"], row["ticket_usd"], row["shape"]): float(row["best"])
        for row in fetch(
            connection,
            "select as_of, ticket_usd, shape, max(net_pct) as best from marts.arbitrage_cycles"
            " group by as_of, ticket_usd, shape",
        )
    }
    fees = plain_arbitrage.transfer_fees()
    compared, signs = 0, set()
    for row in fetch(connection, "select as_of from marts.arbitrage_runs order by as_of"):
        as_of = row["as_of"]
        at = max(start for start in prices if start <= as_of)
        is_free = as_of >= FREE_FROM
        near = [one for one in executable if at <= one["snapshot_at"]]
        by_ticket = plain_arbitrage.p2p_legs(
            plain_arbitrage.in_time(near, as_of), dict.fromkeys(WORTH, 0.0) if is_free else fees
        )
        beside = plain_arbitrage.spot_legs(prices[at])
        beside += plain_arbitrage.official_legs(
            {fiat: round(rate, 10) for fiat, rate in rates[at].items()}
        )
        for ticket, legs in by_ticket.items():
            expected = plain_arbitrage.best([*legs, *beside])
            told = {
                shape: 1 + found[as_of, ticket, shape] / 100
                for shape in SHAPES
                if (as_of, ticket, shape) in found
            }
            assert told == pytest.approx(expected, abs=1e-9, rel=1e-9), (as_of, ticket)
            compared += len(told)
            if is_free:
                above = any(told.get(shape, 0) > 1 for shape in ("one_book", "two_fiats"))
                assert plain_arbitrage.has_negative_cycle(legs) == above, (as_of, ticket)
                signs.add(above)
    assert compared > 150
    assert signs == {True, False}


@pytest.fixture
def eager_alerts(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A rule of each kind that fires at little, and cools down within two cycles."""
    for kind in ("spread", "premium", "price_move", "depth_fallen", "arbitrage_net"):
        connection.execute(
            "insert into marts.alert_rules"
            " (rule, kind, fiat_code, asset_code, valid_from, threshold, cool_down_minutes, source)"
            " values (%s, %s, '*', '*', '2020-01-01', 0.2, 50, 'test')",
            (f"eager {kind}", kind),
        )
    yield
    connection.execute("delete from marts.alert_rules where source = 'test'")


@pytest.mark.usefixtures("eager_alerts")
def test_however_loads_arrive_walks_and_alerts_are_those_of_a_rebuild(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    """Five cycles that read a part of the books each, in loads that come out of order."""
    loads = []
    for number in range(5):
        chance = random.Random(100 + number)
        at = NOON + timedelta(minutes=40 * number)
        whole = market(chance, at)
        loads.append((chance.sample(whole, len(whole) * 5 // 6), spot(chance), at))
    rates = [Rate(fiat, NOON - timedelta(days=1), f"{level}") for fiat, level in LEVEL.items()]
    for group in [[2], [0, 4], [1, 3]]:
        for number in group:
            books, prices, at = loads[number]
            land(connection, f"books-{number}", books, run_id=f"run-{number}")
            late = rates if number in (1, 2) else []
            land_prices(connection, f"prices-{number}", late, prices, at=at)
        dbt(*RUN)
    told = {mart: rows(f"select m::text from marts.{mart} as m order by 1") for mart in MARTS}
    dbt("run", "--full-refresh", "--select", *MARTS)
    for mart in MARTS:
        assert told[mart] == rows(f"select m::text from marts.{mart} as m order by 1"), mart
        assert len(told[mart]) >= 5, mart
    for mart in ("arbitrage_cycles", "arbitrage_outcomes"):
        assert {row[0] for row in rows(f"select shape from marts.{mart}")} == set(SHAPES), mart
    assert len(rows("select distinct rule from marts.market_alerts where rule ~ 'eager'")) == 5
    assert {row[0] for row in rows("select is_filled from marts.arbitrage_outcomes")} == {
        True,
        False,
    }


def crowd(price: str, count: int = 6, largest: str = "100", method: str = "Wise") -> list[Offer]:
    """As many offers of 100 units at one price, the first of them of `largest`."""
    return [
        Offer(price, "100" if number else largest, "1", "1000000", f"s{number}", methods=(method,))
        for number in range(count)
    ]


def test_a_walk_is_as_old_thin_and_doubtful_as_the_worst_of_its_legs(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    """A pair that crosses, on days apart: 600 dollars at 10, and bids of the other side.

    The bids of one day are those of four offers, which make no price; of another nearly all are one
    advertiser's; of another too good; of another read an hour before, where 20 minutes are usual.
    Only a day is paid by one method alone.
    """
    days = {
        "sound": (crowd("10.1"), 5),
        "other way to pay": (crowd("10.1", method="Cash"), 5),
        "thin": (crowd("10.1", 4), 5),
        "doubtful": (crowd("10.1", largest="1000000"), 5),
        "absurd": (crowd("10.4"), 5),
        "stale": (crowd("10.1"), 60),
    }
    for number, (name, (bids, behind)) in enumerate(days.items()):
        noon = NOON + timedelta(days=2 * number)
        readings = [
            reading(("VES", "USDT", side), offers, noon - timedelta(minutes=age))
            for side, offers, late in (("BUY", crowd("10"), 0), ("SELL", bids, behind))
            for age in (late + 40, late + 20, late)
        ]
        land(connection, name, readings, run_id=name)
    dbt(*WALKS)

    told = rows(
        "select run_id, net_pct, capacity_usd, n_eligible, oldest_leg_minutes, is_fresh,"
        " is_credible, is_data_bug_suspect, is_credited, is_one_method"
        " from marts.arbitrage_cycles where ticket_usd = 100 order by as_of"
    )
    assert told == [
        ("sound", 1, 500, 6, 5, True, True, False, True, True),
        ("other way to pay", 1, 500, 6, 5, True, True, False, True, False),
        ("doubtful", 1, 500, 6, 5, True, False, False, False, True),
        ("absurd", 4, 500, 6, 5, True, True, True, False, True),
        ("stale", 1, 500, 6, 60, False, True, False, False, True),
    ]
    # Asks of ten and a bid of four: the walk ends where the thin book is no leg.
    runs = rows("select run_id, n_books, n_edges, n_credited from marts.arbitrage_runs")
    assert ("thin", 1, 5, 0) in runs
