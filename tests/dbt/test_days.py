"""That candles, days of methods and hours of the week add up, however what they tell arrived."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dbt.conftest import Dbt, Rows
from tests.dbt.plain_days import Moment, candles, hours_of_week, method_days
from tests.dbt.plain_market import Offer
from tests.dbt.test_capacity import offers as any_offers
from tests.dbt.test_history import random_loads
from tests.dbt.test_market import NOON, assert_equal, crowd, minute, reading, trusted
from tests.landing import Book, Reading, land

MARTS = {
    "executable_prices": "snapshot_id, payment_method, ticket_usd",
    "depth_bands": "snapshot_id, band_pct",
    "price_candles": "fiat_code, asset_code, side, period, price_notion, period_start",
    "payment_method_days": "day, fiat_code, asset_code, side, payment_method",
    "hour_of_week": "fiat_code, asset_code, weekday, hour",
}
INNER = ("int_book_capacity", "int_price_hours", "int_method_days")
"""What the views among them stand on."""
RUN = ("run", "--select", *(f"+{mart}" for mart in MARTS))


def told(connection: psycopg.Connection[Any], mart: str) -> list[dict[str, Any]]:
    """The rows of a mart, in the order of its grain."""
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    return cursor.execute(f"select * from marts.{mart} order by {MARTS[mart]}".encode()).fetchall()


ZONES = {"VES": "America/Caracas", "INR": "Asia/Kolkata", "NPR": "Asia/Kathmandu", "XYZ": "UTC"}
"""A zone of whole hours, one of a half, one of a quarter, and a fiat of which none is known."""


def weeks() -> list[Reading]:
    """Four readings of some two hours in each of four weeks, of a pair in every zone."""
    chance = random.Random(4)
    return [
        reading((fiat, "USDT", side), crowd(f"{price:.2f}", count), at)
        for fiat in ZONES
        for week in range(4)
        for minutes in (0, 35, 70, 100)
        for at in [NOON + timedelta(days=7 * week, minutes=minutes + chance.randint(0, 9))]
        for middle, count in [(chance.uniform(90, 110), chance.randint(5, 8))]
        for side, price in (("BUY", middle * 1.01), ("SELL", middle * 0.995))
    ]


# Gaps of some ten minutes with outages among them; a price, an empty book, or half a book.
series = st.lists(
    st.tuples(
        st.sampled_from([5, 19, 20, 21, 45, 60, 130, 700]),
        st.sampled_from(["9.99", "10", "10.01", "11.5", "", "cut"]),
    ),
    min_size=1,
    max_size=14,
)
# Without a price that most of a book could leap to, which would make its reading suspect.
near_offers = any_offers.filter(lambda offer: Fraction(offer.price) < 20)
days = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.lists(st.lists(near_offers, max_size=14), min_size=1, max_size=3),
)


def test_days_nobody_chose_add_up_in_sql_as_in_plain_python(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    moments: dict[Book, list[Moment]] = {}
    methods: dict[Book, list[list[Offer]]] = {}
    readings = []

    @settings(max_examples=25, deadline=None, database=None)
    @given(series)
    def gather(example: list[tuple[int, str]]) -> None:
        book: Book = (f"C{len(moments):03}", "USDT", "BUY")
        moments[book] = []
        at = NOON
        for gap, price in example:
            at += timedelta(minutes=gap)
            is_cut = price == "cut"
            shown = [Offer("7" if is_cut else price, user=f"s{book[0]}")] if price else []
            cut = {"incomplete_reason": "timeout", "announced": 9} if is_cut else {}
            readings.append(reading(book, shown, at, **cut))
            known = None if is_cut or not price else Fraction(price)
            moments[book].append((at, known, not is_cut))

    @settings(max_examples=40, deadline=None, database=None)
    @given(days)
    def gather_days(example: tuple[str, list[list[Offer]]]) -> None:
        side, snapshots = example
        book: Book = (f"M{len(methods):03}", "USDT", side)
        methods[book] = [
            [replace(offer, user=f"{offer.user}{book[0]}", orders=500) for offer in offers]
            for offers in snapshots
        ]
        readings.extend(
            reading(book, offers, minute(20 * number))
            for number, offers in enumerate(methods[book])
        )

    gather()
    gather_days()
    readings += weeks()
    land(connection, "1", readings)
    dbt(*RUN)

    found = {
        ((row["fiat_code"], "USDT", "BUY"), row["period"], row["period_start"]): row
        for row in told(connection, "price_candles")
        if row["price_notion"] == "best_raw" and row["fiat_code"].startswith("C")
    }
    expected = {
        (book, *place): candle
        for book, series in moments.items()
        for place, candle in candles(series).items()
    }
    assert found.keys() == expected.keys()
    for place, candle in expected.items():
        assert_equal(found[place], candle, (place, moments[place[0]]))

    spreads: dict[str, list[Any]] = {}
    for fiat, at, spread, mid, count in rows(
        "select s.fiat_code, s.buy_snapshot_at, s.spread_pct, s.mid, a.n_offers + b.n_offers"
        " from marts.market_spreads as s"
        " inner join marts.market_quotes as a on s.buy_snapshot_id = a.snapshot_id"
        " inner join marts.market_quotes as b on s.sell_snapshot_id = b.snapshot_id"
        " where s.spread_pct is not null order by s.buy_snapshot_at"
    ):
        if fiat in ZONES:
            spreads.setdefault(fiat, []).append((at, Fraction(spread), Fraction(mid), count))
    hours = {
        (row["fiat_code"], row["weekday"], row["hour"]): row
        for row in told(connection, "hour_of_week")
        if row["fiat_code"] in ZONES
    }
    by_hour = {
        (fiat, *place): row
        for fiat, zone in ZONES.items()
        for place, row in hours_of_week(spreads[fiat], zone).items()
    }
    assert hours.keys() == by_hour.keys()
    for where, row in by_hour.items():
        found_row = {**hours[where], "volatility_pct": None}
        assert_equal(found_row, {**row, "volatility_pct": None}, where)
        volatility = hours[where]["volatility_pct"]
        assert (volatility is None) == (row["volatility_pct"] is None), where
        assert abs(float(volatility or 0) - (row["volatility_pct"] or 0)) < 2e-6, where
    assert sum(row["volatility_pct"] is not None for row in by_hour.values()) >= len(ZONES)

    of_methods = {
        ((row["fiat_code"], "USDT", row["side"]), row["payment_method"]): row
        for row in told(connection, "payment_method_days")
        if row["fiat_code"].startswith("M")
    }
    wanted = {
        (book, method): row
        for book, snapshots in methods.items()
        for method, row in method_days(book[2], snapshots).items()
    }
    assert of_methods.keys() == wanted.keys()
    for key, row in wanted.items():
        assert_equal(of_methods[key], row, (key, methods[key[0]]))
    assert rows(
        "select count(*) filter (where total < market), count(*) filter (where total > market)"
        " > 0 from (select sum(quantity) as total, max(market_quantity) as market"
        " from marts.payment_method_days group by day, fiat_code, asset_code, side) as books"
    ) == [(0, True)], "not additive: the sum is the market's, or more"


def test_however_loads_arrive_the_days_are_those_of_a_rebuild(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    loads = random_loads(3, loads=6)
    for group in [[1], [3], [0, 4], [2], [5]]:
        for number in group:
            shifted = [
                replace(trusted(reading), at=reading.at + timedelta(minutes=170 * number))
                for reading in loads[number]
                if reading.pages is not None
            ]
            land(connection, f"load-{number}", shifted)
        dbt(*RUN)
    as_they_came = {mart: told(connection, mart) for mart in MARTS}
    dbt("run", "--full-refresh", "--select", "+hour_of_week", *INNER, *MARTS)

    for mart in MARTS:
        assert as_they_came[mart] == told(connection, mart), mart
        assert as_they_came[mart], mart
