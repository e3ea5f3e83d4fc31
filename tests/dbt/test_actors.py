"""That what is said of offers over time and of who makes them is what its definition says."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import psycopg

from tests.dbt.conftest import Dbt
from tests.dbt.plain_actors import History
from tests.dbt.plain_market import Offer
from tests.landing import Book, Reading, land

BUY: Book = ("VES", "USDT", "BUY")
MORNING = datetime(2026, 11, 1, 8, tzinfo=UTC)
RUN = ("run", "--select", "+marts.actors")
BOOK = "fiat_code, asset_code, side"
KEYS = {
    "offer_lifecycles": f"{BOOK}, adv_no",
    "inferred_fills": f"{BOOK}, snapshot_at, adv_no",
    "turnover_days": f"day, {BOOK}",
    "market_concentration_days": f"day, {BOOK}",
    "advertiser_days": f"day, {BOOK}, advertiser",
}
A, B, C = (f"1299000000000000000{n}" for n in range(3))


def at(minutes: float) -> datetime:
    """That many minutes after the morning's first reading."""
    return MORNING + timedelta(minutes=minutes)


def reading(minutes: float, offers: Mapping[str, Offer], book: Book = BUY, **more: Any) -> Reading:
    """A reading of a book on one page, by ad number."""
    page = [offer.item(adv_no, book[2]) for adv_no, offer in offers.items()]
    return Reading(book, at(minutes), [page], **more)


def told(connection: psycopg.Connection[Any], mart: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of a mart by key."""
    keys = KEYS[mart].split(", ")
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    rows = cursor.execute(f"select * from marts.{mart}".encode()).fetchall()
    by_key = {tuple(row[key] for key in keys): row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def assert_same(
    found: Mapping[tuple[Any, ...], Mapping[str, Any]],
    expected: Mapping[tuple[Any, ...], Mapping[str, Any]],
    mart: str,
) -> None:
    """Each expected column is the one found, up to the digits that a division is cut to."""
    assert found.keys() == expected.keys(), mart
    for key, row in expected.items():
        for column, value in row.items():
            where = (mart, key, column, found[key][column], value)
            if value is None or isinstance(value, bool | str | datetime):
                assert found[key][column] == value, where
            else:
                assert found[key][column] is not None, where
                apart = abs(Fraction(found[key][column]) - Fraction(value))
                assert apart <= Fraction(1, 10**10) * max(Fraction(1), abs(Fraction(value))), where


def test_a_small_market_has_the_numbers_worked_out_by_hand(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """One book at 8:00, 8:40 and 9:00, and half of it at 8:20, which counts for nothing.

    A of s1 falls from 100 to 80 at 10 while s1's orders rise: 20, worth 200, over 40 minutes, so
    0.9 x 20 / 40. B of s2 is gone at 8:40: no fill, but at most 30 were sold of it, for 330. C of
    s2 comes at 8:40 and falls from 50 to 45 at 12: 5, worth 60. Then A asks 10.50 for the same.

    Listed: 130, 130 and 125, so 385 / 3 in the mean. s1 held 100 + 80 + 80 = 260 of the 385, s2
    30 + 50 + 45 = 125: shares squared and summed (67600 + 15625) / 148225; gini (2 (125 + 520) -
    3 x 385) / (2 x 385). s1 is the reference at each reading; s2 is 10%, 20% and 1.5 / 10.5 above.
    """
    first = {A: Offer("10", "100", user="s1", orders=5), B: Offer("11", "30", user="s2")}
    second = {A: Offer("10", "80", user="s1", orders=6), C: Offer("12", "50", user="s2")}
    third = {A: Offer("10.5", "80", user="s1", orders=6), C: Offer("12", "45", user="s2")}
    half = reading(20, {A: Offer("10", "60", user="s1")}, incomplete_reason="timeout", announced=2)
    land(connection, "1", [reading(0, first), half, reading(40, second), reading(60, third)])
    dbt(*RUN)

    nov_1 = MORNING.date()
    assert_same(
        told(connection, "inferred_fills"),
        {
            (*BUY, at(40), A): {
                "method": "decay_and_orders", "quantity": 20, "price": 10, "value": 200,
                "confidence": Fraction("0.45"), "minutes": 40, "order_count_change": 1,
            },
            (*BUY, at(60), C): {
                "method": "decay", "quantity": 5, "price": 12, "value": 60,
                "confidence": Fraction("0.5"), "minutes": 20, "order_count_change": 0,
            },
        },
        "inferred_fills",
    )  # fmt: skip
    turnover = {
        "snapshots": 3, "fills": 2, "inferred_quantity": 25, "inferred_value": 260,
        "lower_quantity": 20, "lower_value": 200, "upper_quantity": 55, "upper_value": 590,
        "fills_vwap": Fraction("10.4"), "listed_quantity": Fraction(385, 3),
        "listed_share": Fraction(75, 385),
    }  # fmt: skip
    assert_same(told(connection, "turnover_days"), {(nov_1, *BUY): turnover}, "turnover_days")
    stood = {
        A: ("active", 3, 1, 20, 60, None, True, None),
        B: ("withdrawn", 1, 0, 0, 0, None, True, at(40)),
        C: ("active", 2, 0, 5, 20, None, False, None),
    }
    columns = ("end_state", "seen", "re_prices", "total_decrease", "lifetime_least_minutes",
               "lifetime_most_minutes", "is_left_censored", "gone_at")  # fmt: skip
    lives = {
        (*BUY, adv_no): dict(zip(columns, life, strict=True)) for adv_no, life in stood.items()
    }
    assert_same(told(connection, "offer_lifecycles"), lives, "offer_lifecycles")
    days = {
        (nov_1, *BUY, "s1"): {
            "presence_pct": 100, "mean_rank": 1, "tradable_share": Fraction(260, 385),
            "reference_gap_pct": None, "re_prices": 1, "decay_quantity": 20,
            "order_count_change": 1,
        },
        (nov_1, *BUY, "s2"): {
            "presence_pct": 100, "mean_rank": 2, "tradable_share": Fraction(125, 385),
            "reference_gap_pct": None, "re_prices": 0,
            "decay_quantity": 5, "order_count_change": 0,
        },
    }  # fmt: skip
    assert_same(told(connection, "advertiser_days"), days, "advertiser_days")
    concentration = {
        "n_advertisers": 2, "hhi": Fraction(10000 * 83225, 148225), "cr4": 100, "cr10": 100,
        "gini": Fraction(135, 770),
    }  # fmt: skip
    assert_same(
        told(connection, "market_concentration_days"),
        {(nov_1, *BUY): concentration},
        "market_concentration_days",
    )


def test_a_day_told_again_is_told_whole_although_another_mart_lacks_one_of_its_loads(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """8:30 comes after 9:00, which only another mart has still to read: the day begins at 8:00."""
    land(connection, "1", [reading(0, {A: Offer("10", user="s1")})])
    land(connection, "2", [reading(60, {A: Offer("10", user="s1")})])
    dbt(*RUN)
    connection.execute(
        "delete from ops.transformed_loads where model = 'market_quotes' and load_id = '2'"
    )
    land(connection, "3", [reading(30, {A: Offer("10", user="s1")})])
    dbt(*RUN)

    (day,) = told(connection, "advertiser_days").values()
    assert (day["snapshots"], day["snapshots_seen"], day["first_seen_at"]) == (3, 3, at(0))


def test_an_offer_stays_unknown_when_only_another_book_is_read_next(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """VES whole at 8:00 and in part at 8:20, a load each; ARS alone at 8:40, and a day later."""
    half = reading(20, {B: Offer("10", user="s2")}, incomplete_reason="timeout", announced=2)
    loads = [
        [reading(0, {A: Offer("10", user="s1"), B: Offer("10", user="s2")})],
        [half],
        [reading(40, {C: Offer("10", user="s3")}, ("ARS", "USDT", "BUY"))],
        [reading(1500, {C: Offer("10", user="s3")}, ("ARS", "USDT", "BUY"))],
    ]
    ends = []
    for number, readings in enumerate(loads):
        land(connection, str(number), readings)
        dbt("run", "--select", "+offer_lifecycles")
        ends.append({key[3]: row["end_state"] for key, row in lives(connection).items()})
    assert ends == [
        {A: "active", B: "active"},
        {A: "unknown", B: "unknown"},
        {A: "unknown", B: "unknown", C: "active"},
        {A: "unknown", B: "unknown", C: "active"},
    ]
    as_they_came = lives(connection)
    dbt("run", "--full-refresh", "--select", "offer_lifecycles")
    assert lives(connection) == as_they_came


def lives(connection: psycopg.Connection[Any]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of `offer_lifecycles` by key."""
    return told(connection, "offer_lifecycles")


PRICES = ["9.99", "10", "10.00", "10.2", "12"]
QUANTITIES = ["0", "3", "10", "14.99", "15", "50", "60.00", "400"]
PAUSES = [7, 20, 20, 45, 110, 130, 400, 900, 1500, 2900]


def random_market(seed: int, cycles: int) -> list[list[Reading]]:
    """Loads of a made-up market, one a cycle: offers dwindle, move, come and go; readings fail."""
    chance = random.Random(seed)
    books = fiat(f"F{seed}")
    standing: dict[Book, dict[str, Offer]] = {book: {} for book in books}
    whole: dict[Book, str | None] = dict.fromkeys(books)
    orders = {f"s{seed}n{number}": 5 for number in range(6)}
    minutes = 0.0
    loads = []
    for cycle in range(cycles):
        # The clock of all markets is one, whatever their chances.
        minutes += PAUSES[(cycle * 7) % len(PAUSES)]
        readings = []
        for place, book in enumerate(books):
            # A load reads some books: the others, with what is in them, wait.
            if chance.random() < 0.25 or (place == 2 and cycle > cycles // 2):
                continue
            offers = standing[book]
            if whole[book] and chance.random() < 0.2:
                made = Reading(book, at(minutes + place + seed / 10), None, same_as=whole[book],
                               announced=len(offers), distinct=len(offers))  # fmt: skip
                readings.append(made)
                continue
            for number in range(8):
                _move(chance, offers, f"1299{seed:04}0000000{place}{number:04}", orders)
            readings.append(_read(chance, book, minutes + place + seed / 10, offers, orders))
            is_trusted = readings[-1].incomplete_reason is None
            whole[book] = readings[-1].snapshot_id if is_trusted else None
        loads.append(readings)
    return loads


def _move(
    chance: random.Random, offers: dict[str, Offer], adv_no: str, orders: dict[str, int]
) -> None:
    old = offers.get(adv_no)
    fate = chance.random()
    if old is None:
        if fate < 0.4:
            offers[adv_no] = Offer(
                chance.choice(PRICES),
                chance.choice(QUANTITIES),
                smallest=chance.choice(["0", "50", "150.00"]),
                largest=chance.choice(["150", "500"]),
                user=chance.choice(list(orders)),
                dynamic=chance.choice([None, "100", "600"]),
            )
    elif fate < 0.15:
        del offers[adv_no]
    elif fate < 0.6:
        quantity = old.quantity
        if chance.random() < 0.8:
            quantity = str(max(0, float(old.quantity) - chance.choice([1, 5, 15, 30, 50])))
        price = chance.choice(PRICES) if chance.random() < 0.3 else old.price
        offers[adv_no] = replace(old, price=price, quantity=quantity)
        if chance.random() < 0.6:
            orders[old.user] += 1
    elif fate < 0.7:
        offers[adv_no] = replace(old, quantity=chance.choice(QUANTITIES))
        orders[old.user] -= 2


def _read(
    chance: random.Random,
    book: Book,
    minutes: float,
    offers: Mapping[str, Offer],
    orders: Mapping[str, int],
) -> Reading:
    shown = {adv_no: replace(o, orders=orders[o.user]) for adv_no, o in offers.items()}
    fate = chance.random()
    if shown and fate < 0.12:
        half = dict(list(shown.items())[: len(shown) // 2])
        more = {"incomplete_reason": "timeout", "announced": len(shown)}
        return reading(minutes, half, book, **more)
    if shown and fate < 0.2:
        swapped = [offer.item(adv_no, "SELL" if book[2] == "BUY" else "BUY")
                   for adv_no, offer in shown.items()]  # fmt: skip
        return Reading(book, at(minutes), [swapped])
    return reading(minutes, shown, book)


def arrivals(loads: int) -> list[list[int]]:
    """One by one, several at once, late by hours and by days."""
    early, late = loads // 2, loads - 3
    return [
        [n for n in range(early) if n != 4],
        *([n] for n in range(early, early + 3)),
        [early + 4],
        [early + 3, *range(early + 5, late)],
        [loads - 1, 4],
        [late, late + 1],
    ]


DELISTED = at(11000)


def fiat(code: str) -> list[Book]:
    """The books of a made-up market."""
    return [(code, "USDT", "BUY"), (code, "USDT", "SELL"), (code, "BTC", "BUY")]


def land_delisting(connection: psycopg.Connection[Any]) -> None:
    """A catalogue in which F5 is gone from the fiats, and one of its pairs from F4's."""
    land(connection, "delisting", [])
    connection.execute(
        "insert into staging.catalogue_readings values"
        " ('fiats', 'run-1', 'fiats', null, %(at)s, 1, true, null, 'delisting'),"
        " ('F4', 'run-1', 'trading_pairs', 'F4', %(at)s, 2, true, null, 'delisting')",
        {"at": DELISTED},
    )
    connection.execute(
        "insert into staging.fiats"
        " select 'fiats', %s, 'F' || number, '$', 2, 'XX', 'delisting'"
        " from generate_series(1, 4) as number",
        [DELISTED],
    )
    connection.execute(
        "insert into staging.trading_pairs"
        " select 'F4', %s, 'F4', 'USDT', side, 'delisting'"
        " from unnest(array['BUY', 'SELL']) as side",
        [DELISTED],
    )


def test_on_histories_nobody_chose_sql_and_plain_python_say_the_same_in_whatever_order_loads_came(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    cycles = 20
    markets = [random_market(seed, cycles) for seed in range(1, 6)]
    order = arrivals(cycles)
    assert sorted(n for group in order for n in group) == list(range(cycles))
    for group in order:
        for number in group:
            land(connection, str(number), [r for market in markets for r in market[number]])
            if number == cycles // 2:
                land_delisting(connection)
        dbt(*RUN)

    readings = [r for market in markets for cycle in market for r in cycle]
    plain = History(readings, dict.fromkeys([("F4", "BTC", "BUY"), *fiat("F5")], DELISTED))
    expected = {
        "offer_lifecycles": plain.lifecycles(),
        "inferred_fills": plain.fills(),
        "turnover_days": plain.turnover(),
        "market_concentration_days": plain.concentration(),
        "advertiser_days": plain.advertisers(),
    }
    as_they_came = {mart: told(connection, mart) for mart in KEYS}
    for mart, rows in expected.items():
        assert_same(as_they_came[mart], rows, mart)
    ends = {row["end_state"] for row in as_they_came["offer_lifecycles"].values()}
    assert ends == {"active", "exhausted", "withdrawn", "delisted", "unknown"}
    dbt("run", "--full-refresh", "--select", "int_offer_changes", "marts.actors")
    for mart in KEYS:
        assert told(connection, mart) == as_they_came[mart], mart
