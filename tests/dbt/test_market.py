"""That every number of the market is what its definition says, and that half a book makes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dbt.conftest import Dbt, Rows, dbt_on, empty
from tests.dbt.plain_market import Offer, quote
from tests.dbt.test_history import random_loads
from tests.landing import Book, Reading, item, land
from warehouse.postgres import Warehouse

BUY: Book = ("VES", "USDT", "BUY")
SELL: Book = ("VES", "USDT", "SELL")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MARTS = ("market_quotes", "market_spreads")
RUN = ("run", "--select", "+market_spreads")


def minute(number: float) -> datetime:
    """That many minutes after noon."""
    return NOON + timedelta(minutes=number)


def reading(book: Book, offers: Sequence[Offer], at: datetime = NOON, **more: Any) -> Reading:
    """A whole reading of a book, on one page; ad numbers by place."""
    numbers = (f"1299000000000{number:07}" for number in range(len(offers)))
    page = [offer.item(number, book[2]) for number, offer in zip(numbers, offers, strict=True)]
    return Reading(book, at, [page], **more)


def told(connection: psycopg.Connection[Any], mart: str) -> list[dict[str, Any]]:
    """The rows of a mart, in the order of their keys."""
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    return cursor.execute(f"select * from marts.{mart} order by 1".encode()).fetchall()


def assert_equal(row: dict[str, Any], expected: dict[str, Any], what: object) -> None:
    """Each number is the expected one, up to the digits that a division is cut to."""
    for column, value in expected.items():
        found = row[column]
        if value is None or found is None:
            assert found is value, (column, found, value, what)
            continue
        tolerance = Fraction(1, 10**12) * max(Fraction(1), abs(Fraction(value)))
        if column == "confidence":
            tolerance = Fraction(1, 10**4)
        assert abs(Fraction(found) - Fraction(value)) <= tolerance, (column, found, value, what)


BY_HAND = [
    Offer("10", "100", largest="500", user="s1"),
    Offer("11", "100", largest="2000", user="s1"),
    Offer("12", "200", largest="1200", user="s2", is_merchant=True),
    Offer("20", "100", largest="500", user="s3", is_promoted=True),
]


def crowd(price: str, count: int = 5) -> list[Offer]:
    """As many offers at one price, each of another advertiser: enough to make a market."""
    return [Offer(price, largest="100000", user=f"s{number}") for number in range(count)]


offers = st.builds(
    Offer,
    price=st.sampled_from(
        ["9.00", "9.99", "10", "10.00", "10.01", "10.2", "10.31", "12", "9999.99"]
    ),
    quantity=st.sampled_from(["0", "0.01", "1.75", "33.33", "100", "100.00", "5605"]),
    smallest=st.sampled_from(["1", "50", "5000"]),
    largest=st.sampled_from(["10", "500.00", "100000"]),
    dynamic=st.sampled_from([None, "10", "280.25", "100000"]),
    user=st.sampled_from([f"s{number}" for number in range(14)]),
    is_merchant=st.booleans(),
    is_promoted=st.booleans(),
)
books = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.one_of(
        st.lists(offers, max_size=6),
        st.lists(offers, min_size=9, max_size=12),
        st.lists(offers, min_size=28, max_size=41),
    ),
)


def books_nobody_chose(count: int) -> dict[Book, list[Offer]]:
    """As many books as hypothesis is asked for; one build then measures them all."""
    made: dict[Book, list[Offer]] = {}

    @settings(max_examples=count, deadline=None, database=None)
    @given(books)
    def gather(example: tuple[str, list[Offer]]) -> None:
        side, offers = example
        number = len(made)
        # Statistics are an advertiser's and not an ad's: nobody stands in two of these books.
        made[(f"X{number:03}", "USDT", side)] = [
            replace(offer, user=f"{offer.user}n{number}", orders=0 if offer.user == "s0" else 500)
            for offer in offers
        ]

    gather()
    return made


@dataclass(frozen=True)
class Stage:
    """What the marts told after one of three builds."""

    marts: dict[str, list[dict[str, Any]]]

    def quotes(self, fiat: str) -> list[dict[str, Any]]:
        """The quotes of a fiat, in order of time."""
        return self._of("market_quotes", fiat, "snapshot_at")

    def spreads(self, fiat: str) -> list[dict[str, Any]]:
        """The spreads of a fiat, in order of time."""
        return self._of("market_spreads", fiat, "buy_snapshot_at")

    def _of(self, mart: str, fiat: str, time: str) -> list[dict[str, Any]]:
        rows = [row for row in self.marts[mart] if row["fiat_code"] == fiat]
        return sorted(rows, key=itemgetter(time))


@pytest.fixture(scope="module")
def unchosen() -> dict[Book, list[Offer]]:
    """Books of hypothesis's choice."""
    return books_nobody_chose(150)


def own(fiat: str, side: str, offers: Sequence[Offer], at: datetime = NOON, **more: Any) -> Reading:
    """A reading of a book whose advertisers stand in no other fiat."""
    apart = [replace(offer, user=f"{fiat}{offer.user}") for offer in offers]
    return reading((fiat, "USDT", side), apart, at, **more)


def again(first: Reading, minutes: float) -> Reading:
    """The book of a reading, unchanged."""
    (page,) = first.pages or []
    return replace(
        first,
        at=minute(minutes),
        pages=None,
        same_as=first.snapshot_id,
        announced=len(page),
        distinct=len(page),
    )


def outage() -> list[Reading]:
    """A source that falls silent at 155, and then has its sides swapped."""
    fiat = "OUTAGE"
    cut = {"incomplete_reason": "http_503", "announced": 40}
    silent = [own(fiat, "BUY", [Offer("155")] * 2, minute(20 * n), **cut) for n in range(1, 6)]
    swapped = [item("12990000000000000001", "170", side="SELL")]
    return [
        own(fiat, "BUY", [Offer("155")] * 5),
        *silent,
        Reading((fiat, "USDT", "BUY"), minute(120), [swapped]),
        own(fiat, "BUY", [Offer("176")] * 5, minute(140)),
    ]


@pytest.fixture(scope="module")
def stages(seeded: Warehouse, dbt_home: Path, unchosen: dict[Book, list[Offer]]) -> list[Stage]:
    """Three builds for all that is told of below, each of it in a fiat of its own."""
    bait, market, rest = Offer("31"), Offer("20"), Offer("19")
    frozen = own("FROZEN", "BUY", [Offer("155")] * 150)
    cut = own(
        "FROZEN", "BUY", [Offer("155")], minute(110), incomplete_reason="timeout", announced=150
    )
    still = own("STILL", "BUY", [Offer("10"), Offer("11"), Offer("12")])
    late = own("LATE", "BUY", [Offer("10", user="s1")])
    later = replace(Offer("9", orders=0), user="LATEs1")
    ask, bid = crowd("10.20"), crowd("10")
    loads = [
        [
            own("HAND", "BUY", BY_HAND),
            own("NAIVE30", "SELL", [rest] * 27 + [market, market, bait]),
            own("NAIVE20", "SELL", [rest] * 17 + [market, market, bait]),
            own("NAIVE9", "SELL", [rest] * 9),
            *(reading(book, offers) for book, offers in unchosen.items()),
            *outage(),
            *(frozen, *(again(frozen, 20 * n) for n in range(1, 6))),
            *(still, again(still, 15), own("STILL", "SELL", [], minute(15))),
            *(late, again(late, 20)),
            *(own("NEAR", "SELL", bid), own("NEAR", "BUY", ask, minute(5))),
        ],
        [
            *(cut, *(again(frozen, 20 * n) for n in range(6, 9))),
            reading(("LATER", "BTC", "BUY"), [later], minute(10)),
            *(own("NEAR", "SELL", ask, minute(6)), own("NEAR", "BUY", ask, minute(26))),
        ],
        [own("FROZEN", "BUY", [Offer("176")] * 150, minute(180))],
    ]
    found = []
    with seeded.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        empty(connection)
        dbt = dbt_on(connection, seeded, dbt_home)
        for number, readings in enumerate(loads):
            land(connection, f"{number}", readings)
            dbt(*RUN)
            found.append(Stage({mart: told(connection, mart) for mart in MARTS}))
    return found


def test_a_small_book_has_the_numbers_worked_out_by_hand(stages: list[Stage]) -> None:
    """Quantities 100, 100, 200, 100: 500 in all; values 1000, 1100, 2400, 2000: 6500 in all.

    Ranks: p10 lies at 1 + 0.1 x 3 = 1.3, p25 at 1.75, p75 at 3.25 (12 + 0.25 x 8), p90 at 3.7.
    A quarter of 500 is 125: reached by the second, at 11, and only 11 is within 3% of it.
    Advertisers hold 200, 200, 100: shares 0.4, 0.4, 0.2, squares 0.36; the offers' squares 0.28.
    Gini: (2 (1 x 100 + 2 x 200 + 3 x 200) - 4 x 500) / (3 x 500) = 200 / 1500.
    Confidence: 1 / (1 + 5) x (1 - 0.36).
    """
    (row,) = stages[0].quotes("HAND")
    by_hand = {
        "best_raw": "10", "best_eligible": "11", "median": "11.5", "p10": "10.3",
        "p25": "10.75", "p75": "14", "p90": "17.6", "vwap": "13", "vwap_eligible": "11",
        "naive": None, "naive_support": None, "ref_q25": "11", "competitive_median": "11",
        "n_competitive": "1", "top10_median": "11.5", "conservative_5th": None,
        "reference_price": None, "n_offers": "4", "n_eligible": "1", "n_advertisers": "3",
        "tradable_quantity": "500", "tradable_value": "6500",
        "executable_value": str(500 + 1100 + 1200 + 500), "hhi": "3600", "hhi_offers": "2800",
        "cr4": "100", "cr10": "100", "gini": Fraction(200, 1500), "merchant_share": "0.25",
        "promoted_count": "1", "confidence": "0.1067",
    }  # fmt: skip
    assert_equal(row, by_hand, BY_HAND)
    assert (row["reference_price_kind"], row["is_thin"]) == (None, True)
    assert row["median"] == Decimal("11.5"), "exact, not the nearest double"


def test_the_naive_price_is_the_commonest_of_the_best_tenth_and_not_of_bait(
    stages: list[Stage],
) -> None:
    """Bids of 31, 20, 20, then 19: of 30 the best three say 20; of 20 the best two tie, for 31."""
    quotes = [stages[0].quotes(fiat)[0] for fiat in ("NAIVE30", "NAIVE20", "NAIVE9")]
    naive = [(row["naive"], row["naive_support"]) for row in quotes]
    assert naive == [(20, 2), (31, 1), (None, None)]


def test_on_books_nobody_chose_sql_and_plain_python_give_the_same_numbers(
    stages: list[Stage], unchosen: dict[Book, list[Offer]]
) -> None:
    for (fiat, _, side), offers in unchosen.items():
        (row,) = stages[0].quotes(fiat)
        assert row["side"] == side
        assert_equal(row, quote(side, offers), (fiat, offers))


def test_an_outage_withholds_the_price_and_never_repeats_the_last_one(stages: list[Stage]) -> None:
    """A median elsewhere sat at 155 for hours, the market at 176, after a source fell silent."""
    rows = stages[0].quotes("OUTAGE")
    assert [row["median"] for row in rows] == [155, *[None] * 6, 176]
    assert [row["withheld_reason"] for row in rows] == [
        None,
        *["http_503"] * 5,
        "maker_side_mismatch",
        None,
    ]
    kept = {"snapshot_id", "fiat_code", "asset_code", "side", "trading_pair", "snapshot_at"}
    for row in rows[1:-1]:
        assert row["is_withheld"]
        numbers = {name: value for name, value in row.items() if name not in kept}
        assert {name for name, value in numbers.items() if value is not None} == {
            "withheld_reason",
            "confidence",
            "is_withheld",
        }
        assert row["confidence"] == 0


def test_a_source_that_answers_and_stands_still_is_withheld_until_it_moves(
    stages: list[Stage],
) -> None:
    """As above, but the source answers, and the same: 150 offers are believed for 80 minutes."""
    rows = stages[2].quotes("FROZEN")
    assert [row["median"] for row in rows] == [*[155] * 4, *[None] * 6, 176]
    reasons = [row["withheld_reason"] for row in rows]
    assert reasons == [*[None] * 4, "frozen", "frozen", "timeout", *["frozen"] * 3, None]


def test_an_unchanged_book_is_quoted_again_and_an_empty_one_offers_nothing(
    stages: list[Stage],
) -> None:
    before, after, empty = sorted(stages[0].quotes("STILL"), key=lambda row: row["side"])
    assert {k for k in before if before[k] != after[k]} == {"snapshot_id", "snapshot_at"}
    assert (empty["n_offers"], empty["tradable_value"], empty["is_withheld"]) == (0, 0, False)
    assert (empty["best_raw"], empty["reference_price"], empty["hhi"]) == (None, None, None)
    (spread,) = stages[0].spreads("STILL")
    assert (spread["buy_snapshot_at"], spread["spread_pct"]) == (minute(15), None)


def test_a_late_reading_of_another_book_leaves_to_each_reading_what_it_showed_of_a_maker(
    stages: list[Stage],
) -> None:
    assert [row["n_eligible"] for row in stages[0].quotes("LATE")] == [1, 1]
    found = [*stages[1].quotes("LATE"), *stages[1].quotes("LATER")]
    eligible = {row["snapshot_at"]: row["n_eligible"] for row in found}
    assert eligible == {minute(0): 1, minute(10): 0, minute(20): 1}


def trusted(reading: Reading) -> Reading:
    """The reading with each offer once, advertisers without an order among them, and a crowd."""
    if reading.pages is None:
        return reading
    offers = {offer["adv"]["advNo"]: offer for page in reading.pages for offer in page}
    page = [
        {
            **offer,
            "advertiser": {
                **offer["advertiser"],
                "monthOrderCount": offer["advertiser"]["monthOrderCount"] - 1,
            },
        }
        for offer in offers.values()
    ]
    _, asset, side = reading.book
    more = [
        offer.item(f"1399000000000{side == 'BUY':d}{asset == 'BTC':d}{number:05}", side)
        for number, offer in enumerate(crowd("2.02", 8))
    ]
    return replace(reading, announced=None, pages=[[*page, *(more if page else [])]])


@pytest.mark.parametrize("seed", [1, 2])
def test_however_loads_arrive_the_market_is_that_of_a_rebuild(
    connection: psycopg.Connection[Any], dbt: Dbt, seed: int
) -> None:
    loads = random_loads(seed, loads=6)
    for group in [[2], [0, 4], [1], [5, 3]]:
        for number in group:
            land(connection, f"load-{number}", [trusted(reading) for reading in loads[number]])
        dbt(*RUN)
    as_they_came = {mart: told(connection, mart) for mart in MARTS}
    dbt("run", "--full-refresh", "--select", *MARTS)

    for mart in MARTS:
        assert as_they_came[mart] == told(connection, mart), mart
        assert as_they_came[mart], mart


def test_a_mart_that_fell_behind_still_finds_the_offers_that_it_lacks(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """What all marts share is rebuilt in every run: not by what it holds, by what they lack."""
    land(connection, "1", [reading(BUY, [Offer("10")])])
    dbt(*RUN)
    land(connection, "2", [reading(BUY, [Offer("11")], minute(20))])
    dbt("run", "--select", "+int_book_offers")
    land(connection, "3", [reading(BUY, [Offer("12")], minute(40))])
    dbt("run", "--select", "+int_book_offers")
    dbt(*RUN)

    rows = sorted(told(connection, "market_quotes"), key=lambda row: row["snapshot_at"])
    assert [row["best_raw"] for row in rows] == [10, 11, 12]


def test_a_reading_that_comes_nearer_takes_the_place_of_its_pair(stages: list[Stage]) -> None:
    """The ask of 12:05 has its bid at 12:00, until one of 12:06 lands; 20 minutes are no moment."""
    (spread,) = stages[0].spreads("NEAR")
    assert (spread["sell_snapshot_at"], spread["seconds_between"]) == (minute(0), 300)
    assert spread["spread_pct"] == 2
    (spread,) = stages[1].spreads("NEAR")
    assert (spread["sell_snapshot_at"], spread["seconds_between"]) == (minute(6), 60)
    assert (spread["spread_pct"], spread["is_crossed"], spread["mid"]) == (
        0,
        False,
        Decimal("10.2"),
    )


def test_a_metric_without_a_definition_is_found(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    test = ("test", "--select", "assert_every_metric_of_the_market_is_defined")
    connection.execute(
        "create table kept as select * from marts.metric_definitions where metric = 'gini'"
    )
    try:
        assert dbt(*test).tests_passed == 1
        connection.execute("delete from marts.metric_definitions where metric = 'gini'")
        assert dbt(*test, must_succeed=False).tests_failed == 1
    finally:
        connection.execute("insert into marts.metric_definitions select * from kept")
        connection.execute("drop table kept")
