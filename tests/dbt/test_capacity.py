"""That an amount has the price it would really get, and a band the depth that stands in it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dbt.conftest import Dbt, Rows
from tests.dbt.plain_capacity import depth, executable
from tests.dbt.plain_market import Offer
from tests.dbt.test_market import BUY, assert_equal, crowd, minute, reading
from tests.landing import Book, land

RUN = ("run", "--select", "+executable_prices", "+depth_bands")

PRICES = (
    "select ticket_usd, single_order_price, single_order_price_eligible, sweep_price, fill_ratio,"
    " n_orders, is_filled from marts.executable_prices where payment_method = %s"
    " and asset_code = 'USDT' and side = 'BUY' order by ticket_usd"
)


def numbers(*texts: str | None) -> tuple[Decimal | None, ...]:
    """Decimals; `-` for none."""
    return tuple(None if text == "-" else Decimal(str(text)) for text in texts)


def test_what_is_left_of_an_amount_decides_which_offer_takes_it_next(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    """30 at 10, 200 at 10.1 in orders from 800 on, 90 at 10.2 in orders to 500, and two sold out.

    The middle one of the five prices is 10.1, the dollar, so 20 dollars are 202, 50 are 505, 100
    are 1010 and 1000 are 10100; all are within 3% of it. One order takes up to 300 of the first,
    from 800 to 2020 of the second, from 205 to 500 of the third.

    202: the first. 505: 300 of the first, and 205 are too few for the second, but not for the
    third: 505 / (30 + 205 / 10.2) = 10.0802. 1010: 300 of the first, 710 too few for the second,
    500 of the third, and 210 are left: 800 / (30 + 500 / 10.2) = 10.1241, 800 / 1010 = 0.7920.
    2020: 300, then 1720 of the second: 2020 / (30 + 1720 / 10.1) = 10.0850. So it is filled where
    1010 was not, and at a better price: a greedy walk is not monotone. 5050: 300, 2020 and 500:
    2820 / (30 + 200 + 500 / 10.2) = 10.1068, 2820 / 5050 = 0.5584. From there on, no more. The
    1010 are filled all the same: the second takes them in one order.
    """
    book = [
        Offer("10", "30", "100", "5000", "s1"),
        Offer("10.10", "200", "800", "100000", "s2", methods=("Cash",)),
        Offer("10.2", "90", "205", "500", "s3", methods=("Cash", "Wise")),
        *(Offer("10.1", "0", "0", user=user, methods=("Zelle",)) for user in ("s4", "s5")),
    ]
    coins = [Offer("400000", "0.1", "1", "100000", user=f"b{number}") for number in range(5)]
    bitcoin: Book = ("VES", "BTC", "BUY")
    land(
        connection,
        "1",
        [
            reading(bitcoin, coins, minute(-1)),
            reading(BUY, book),
            reading(bitcoin, coins, minute(1)),
            reading(("VES", "BTC", "SELL"), coins, minute(1)),
        ],
    )
    dbt(*RUN)

    assert rows(PRICES, "any") == [
        (*numbers("20", "10", "10", "10", "1", "1"), True),
        (*numbers("50", "-", "-", "10.08023", "1", "2"), True),
        (*numbers("100", "10.1", "10.1", "10.12407", "0.792", "2"), True),
        (*numbers("200", "10.1", "10.1", "10.08502", "1", "2"), True),
        *[
            (*numbers(ticket, "-", "-", "10.10682", ratio, "3"), False)
            for ticket, ratio in [
                ("500", "0.5584"),
                ("1000", "0.2792"),
                ("5000", "0.0558"),
                ("10000", "0.0279"),
            ]
        ],
    ]
    assert [row[4] for row in rows(PRICES, "Wise")[:3]] == list(numbers("1", "1", "0.792"))
    told = "select snapshot_at, ticket_amount from marts.executable_prices where asset_code = 'BTC'"
    amounts = rows(f"{told} and ticket_usd = 100 and payment_method_key is null")
    assert amounts == [(minute(1), 1010)], "no dollar was known before, nor on the other page"


offers = st.builds(
    Offer,
    price=st.sampled_from(["9.99", "10", "10.00", "10.01", "10.2", "10.3456", "12", "9999.99"]),
    quantity=st.sampled_from(["0", "0.01", "1.75", "33.33", "100", "251.5", "5605"]),
    smallest=st.sampled_from(["0", "1", "50", "300", "1999.99", "5000"]),
    largest=st.sampled_from(["10", "500.00", "1000", "100000"]),
    dynamic=st.sampled_from([None, "10", "300", "1999.99", "100000"]),
    user=st.sampled_from([f"s{number}" for number in range(9)]),
    methods=st.lists(st.sampled_from(["Wise", "Cash", "Zelle"]), min_size=1, unique=True).map(
        tuple
    ),
)
books = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.one_of(st.lists(offers, max_size=8), st.lists(offers, min_size=20, max_size=30)),
)


def test_on_books_nobody_chose_sql_and_plain_python_take_the_same(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    made: dict[Book, list[Offer]] = {}

    @settings(max_examples=100, deadline=None, database=None)
    @given(books)
    def gather(example: tuple[str, list[Offer]]) -> None:
        side, offers = example
        number = len(made)
        made[(f"X{number:03}", "USDT", side)] = [
            replace(offer, user=f"{offer.user}n{number}", orders=0 if offer.user == "s0" else 500)
            for offer in offers
        ]

    gather()
    land(connection, "1", [reading(book, offers) for book, offers in made.items()])
    dbt(*RUN)

    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    for mart, key, plain in (
        ("executable_prices", ("payment_method", "ticket_usd"), executable),
        ("depth_bands", ("band_pct",), depth),
    ):
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in cursor.execute(f"select * from marts.{mart}".encode()):
            place = (row["fiat_code"], "USDT", row["side"], *(row[name] for name in key))
            assert place not in found, "the grain"
            found[place] = row
        expected = {
            (*book, *(row[name] for name in key)): row
            for book, offers in made.items()
            for row in plain(book[2], offers)
        }
        assert found.keys() == expected.keys()
        for place, row in expected.items():
            measures = {name: value for name, value in row.items() if name not in key}
            assert_equal(found[place], measures, (mart, place, made[place[:3]]))


def test_a_ticket_and_a_dollar_hold_for_their_time_whenever_they_are_asked_for(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    """From 12:10 on 77 dollars are asked for and 20 are not, and a USDC is a dollar.

    Before that it is none, and its tickets are counted in the last USDT.
    """
    asked = (
        "select snapshot_at, asset_code, ticket_usd, ticket_amount from marts.executable_prices"
        " where payment_method = 'any' and ticket_usd in (20, 77) order by 1, 2, 3"
    )
    books = [(("VES", "USDT", "BUY"), "10"), (("VES", "USDC", "BUY"), "11")]
    connection.execute("create table rules_kept as select * from marts.market_rules")
    connection.execute("create table coins_kept as select * from marts.usd_stablecoins")
    try:
        connection.execute(
            "update marts.usd_stablecoins set valid_from = %s where asset_code = 'USDC'",
            [minute(10)],
        )
        land(connection, "1", [reading(book, crowd(price)) for book, price in books])
        dbt(*RUN)
        connection.execute(
            "update marts.market_rules set valid_to = %s where value = 20", [minute(10)]
        )
        connection.execute(
            "insert into marts.market_rules (rule, value, valid_from, source)"
            " values ('ticket', 77, %s, 'test')",
            [minute(10)],
        )
        land(connection, "2", [reading(book, crowd(price), minute(20)) for book, price in books])
        dbt(*RUN)
        as_it_came = rows(asked)
        dbt(
            "run",
            "--full-refresh",
            "--select",
            "int_book_capacity",
            "executable_prices",
            "depth_bands",
        )
        assert as_it_came == rows(asked)
    finally:
        for seed, kept in (("market_rules", "rules_kept"), ("usd_stablecoins", "coins_kept")):
            connection.execute(f"truncate marts.{seed}".encode())
            connection.execute(f"insert into marts.{seed} select * from {kept}".encode())
            connection.execute(f"drop table {kept}".encode())
    assert as_it_came == [
        (minute(0), "USDC", 20, 200),
        (minute(0), "USDT", 20, 200),
        (minute(20), "USDC", 77, 847),
        (minute(20), "USDT", 77, 770),
    ]
