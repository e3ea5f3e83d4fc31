"""What the facts make of odd readings, and of each thing that an ad can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ops.migrations import migrate
from tests.dbt.conftest import dbt_on, empty
from tests.landing import Reading, item, land
from warehouse.postgres import Warehouse

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=15)
CORE = ("--select", "+marts.core")
Facts = dict[str, list[dict[str, Any]]]

TERMS: dict[str, tuple[str, Any, Any]] = {
    "classify": ("offer_class", "profession", "profession"),
    "price": ("price", "10.01", Decimal("10.01")),
    "surplusAmount": ("surplus_quantity", "99", 99),
    "tradableQuantity": ("tradable_quantity", "99", 99),
    "minSingleTransAmount": ("min_order_amount", "51", 51),
    "maxSingleTransAmount": ("max_order_amount", "501", 501),
    "dynamicMaxSingleTransAmount": ("dynamic_max_order_amount", "400", 400),
    "payTimeLimit": ("pay_time_limit_minutes", 30, 30),
    "commissionRate": ("commission_rate", "0.001", Decimal("0.001")),
    "takerAdditionalKycRequired": ("is_kyc_required", 1, True),
    "assetScale": ("asset_scale", 3, 3),
    "fiatScale": ("fiat_scale", 3, 3),
    "priceScale": ("price_scale", 3, 3),
    "remarks": ("other_terms", "no banks", '{"remarks":"no banks"}'),
    "buyerRegDaysLimit": ("other_terms", "30", '{"buyerRegDaysLimit":"30"}'),
    "isTradable": ("is_tradable", False, False),
}
"""What an ad says that opens a version: the column, another value, and the value in the facts."""

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
REPUTATIONS = [(99, 0.99), (100, 0.95), (100, 0.949), (10, 0.8), (9, 0.99), (100, 0.799)]
"""Orders of the month, and the share of them that was completed."""

SAME: dict[str, Any] = {"price": "10", "maxSingleTransAmount": "500.00", "advStatus": 1}
ABOUT_THE_ADVERTISER: dict[str, Any] = {
    "nickName": "another", "monthOrderCount": 121, "positiveRate": 0.9, "activeTimeInSecond": 8,
}  # fmt: skip
"""What opens no version of an offer."""


def number(place: int) -> str:
    """The number of an offer."""
    return f"129900000000000{place:05}"


def read(story: str, at: datetime, *items: dict[str, Any], **more: Any) -> Reading:
    """A reading on one page of the book that a story has for itself."""
    return Reading(("VES", story, "BUY"), at, [items], **more)


def stories(at: datetime) -> list[Reading]:
    """What is read at noon, and a quarter of an hour later."""
    is_later = at == LATER
    largest = {"dynamicMaxSingleTransAmount": "500"}
    terms = [
        item(number(place), adv=largest | ({term: value} if is_later else {}))
        for place, (term, (_, value, _)) in enumerate(TERMS.items())
    ]
    more = {"identifier": "Zelle", "tradeMethodName": "Zelle"}
    mine = {"userNo": "s1"}
    others = [
        item(number(100), methods=[more] if is_later else [more, more]),
        item(number(103), methods=[more] if is_later else [more, {"identifier": "Wise"}]),
        item(number(101), advertiser=mine | ({"userNo": "s2"} if is_later else {})),
        item(number(102), promoted=is_later),
        *(item(number(110 + n), adv={t: SAME[t]} if is_later else {}) for n, t in enumerate(SAME)),
        *(
            item(number(120 + n), advertiser={t: ABOUT_THE_ADVERTISER[t]} if is_later else {})
            for n, t in enumerate(ABOUT_THE_ADVERTISER)
        ),
    ]
    rates = {"RATES": ["0.9", "0.97", "1"], "PAIR": ["0.9", "1"]}
    if is_later:
        rates = {"RATES": ["0.9", "0.91", "1"], "PAIR": ["0.9", "0.9"]}
    return [
        read("TERMS", at, *terms),
        read("OTHERS", at, *others),
        *(
            read(
                story,
                at,
                *(
                    item(number(n), advertiser={"userNo": story, "positiveRate": float(rate)})
                    for n, rate in enumerate(shown)
                ),
            )
            for story, shown in rates.items()
        ),
    ]


def quality() -> list[Reading]:
    """Readings at the edge of each rule of quality, and a little beyond it."""
    good = [item(number(n)) for n in range(200)]
    swapped = item(number(0), side="SELL")
    return [
        read("NUMBERED", NOON, *good[:19], item(None)),
        read("UNNUMBERED", NOON, *good[:18], item(None)),
        read("PRICED", NOON, *good[:19], item(number(50), "0")),
        read("UNPRICED", NOON, *good[:18], item(number(50), "x")),
        read("REPEATED", NOON, *good[:9], good[0], announced=9),
        read("DOUBLED", NOON, *good[:8], good[0], announced=8),
        read("AFEWMORE", NOON, *good[:12], announced=10),
        read("MOREYET", NOON, *good[:13], announced=10),
        read("SWAPPED", NOON, *good[1:100], swapped),
        *(
            read(story, NOON + timedelta(minutes=minutes), *good[:size])
            for story, size, minutes in [
                ("SMALL", 9, 0), ("SMALL", 9, 1400), ("FROZEN", 10, 0), ("FROZEN", 10, 1200),
                ("THAWING", 10, 0), ("THAWING", 10, 1199), ("LARGE", 200, 0), ("LARGE", 200, 60),
                ("SOON", 200, 0), ("SOON", 200, 59),
            ]
        ),
    ]  # fmt: skip


QUALITY = {
    "NUMBERED": None,  # one of twenty is 5%, and not more
    "UNNUMBERED": "rejected_offers",
    "PRICED": None,
    "UNPRICED": "rejected_offers",
    "REPEATED": None,  # one of ten is 10%, and not more
    "DOUBLED": "many_duplicates",
    "AFEWMORE": None,  # twelve of ten announced are 1.2 times, and not more
    "MOREYET": "more_than_announced",
    "SWAPPED": "maker_side_mismatch",
    "SMALL": None,
    "FROZEN": "frozen",  # ten offers for 1,200 minutes
    "THAWING": None,
    "LARGE": "frozen",  # two hundred for an hour
    "SOON": None,
}


@pytest.fixture(scope="module")
def facts(seeded: Warehouse, dbt_home: Path) -> Facts:
    """The facts after two loads, a build each."""
    again = read("AGAIN", NOON, item(number(0)), item(number(1)))
    broken_clock = read("CLOCK", datetime(1970, 1, 1, tzinfo=UTC), item(number(0)))
    below = read(
        "BELOW",
        NOON,
        *(item(number(n), "10") for n in range(3)),
        item(number(3), "12"),
        item(number(4), "10", adv={"tradableQuantity": "-900", "surplusAmount": "-900"}),
    )
    one, two = (
        read(
            story,
            NOON + timedelta(minutes=minutes),
            item(number(0), advertiser={"userNo": "shared", "monthOrderCount": count}),
        )
        for story, minutes, count in [("ONE", 0, 5), ("TWO", 1, 6)]
    )
    # One in a hundred is of another book, and made by somebody who has none in this one.
    lone, elsewhere = (
        read(
            story,
            NOON + timedelta(minutes=minutes),
            item(number(400), adv=adv, advertiser={"userNo": "guest", "monthOrderCount": count}),
            *(item(number(n)) for n in range(1, 1 + others)),
        )
        for story, minutes, adv, count, others in [
            ("LONE", 0, {"fiatUnit": "AED"}, 5, 99), ("ELSEWHERE", 1, {}, 6, 0),
        ]
    )  # fmt: skip
    trusted_by_others = [
        read(
            "REPUTE",
            at,
            *(
                item(
                    number(300 + n), advertiser={"monthOrderCount": count, "monthFinishRate": rate}
                )
                for n, (count, rate) in enumerate(REPUTATIONS)
            ),
        )
        for at in (NOON, DECEMBER - timedelta(microseconds=1), DECEMBER)
    ]
    unchanged = [
        replace(reading, at=LATER + timedelta(minutes=n), pages=None, same_as=reading.snapshot_id)
        for n, reading in enumerate([one, two, lone])
    ]
    loads = [
        [*stories(NOON), *quality(), *trusted_by_others, again, broken_clock, below, one, two],
        [lone, elsewhere],
        [*stories(LATER), again, *unchanged],
    ]
    with seeded.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        empty(connection)
        migrate(connection)
        dbt = dbt_on(connection, seeded, dbt_home)
        for load, readings in enumerate(loads):
            land(connection, f"load-{load}", readings)
            # As the loader knows a book again.
            connection.execute("update staging.snapshots set fingerprint = asset_code")
            dbt("run", *CORE)
        return {
            table: fetch(connection, f"select * from marts.{table} order by {order}")
            for table, order in {
                "fact_offers": "valid_from, adv_no",
                "fact_snapshots": "started_at",
                "fact_offer_snapshots": "snapshot_at, adv_no",
                "fact_advertiser_statistics": "valid_from",
            }.items()
        }


def fetch(connection: psycopg.Connection[Any], query: str) -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode()).fetchall()


def of(facts: Facts, table: str, story: str) -> list[dict[str, Any]]:
    """The rows of one story's book."""
    return [row for row in facts[table] if row["asset_code"] == story]


@pytest.mark.parametrize("term", TERMS)
def test_whatever_an_ad_says_opens_a_version_and_is_kept_in_it(facts: Facts, term: str) -> None:
    column, _, value = TERMS[term]
    mine = number(list(TERMS).index(term))
    before, after = (row for row in of(facts, "fact_offers", "TERMS") if row["adv_no"] == mine)
    assert (before["valid_to"], after["valid_from"], after["valid_to"]) == (LATER, LATER, None)
    assert before[column] != after[column] == value
    kept = {column for column, _, _ in TERMS.values()}
    assert {name for name in kept if before[name] != after[name]} == {column}


def test_methods_advertiser_and_promotion_open_a_version_and_what_is_said_otherwise_none(
    facts: Facts,
) -> None:
    versions: dict[str, int] = {}
    for row in of(facts, "fact_offers", "OTHERS"):
        versions[row["adv_no"]] = versions.get(row["adv_no"], 0) + 1
    changed = {adv_no for adv_no, count in versions.items() if count > 1}
    assert changed == {number(place) for place in (101, 102, 103)}, "advertiser, promotion, methods"


@pytest.mark.parametrize("story", QUALITY)
def test_a_reading_is_suspect_beyond_a_rule_and_not_at_its_edge(facts: Facts, story: str) -> None:
    last = of(facts, "fact_snapshots", story)[-1]
    assert last["quality_reasons"] == QUALITY[story]
    assert last["quality_verdict"] == ("trusted" if QUALITY[story] is None else "suspect")


def test_a_reading_that_two_loads_brought_counts_once_with_the_first(facts: Facts) -> None:
    (reading,) = of(facts, "fact_snapshots", "AGAIN")
    assert (reading["load_id"], reading["offers_rejected"]) == ("load-0", 0)
    assert [row["valid_to"] for row in of(facts, "fact_offers", "AGAIN")] == [None, None]


def test_a_reading_whose_clock_says_1970_is_judged_like_any_other(facts: Facts) -> None:
    (reading,) = of(facts, "fact_snapshots", "CLOCK")
    assert (reading["started_at"].year, reading["quality_verdict"]) == (1970, "trusted")
    assert len(of(facts, "fact_offers", "CLOCK")) == 1
    assert len(of(facts, "fact_offer_snapshots", "CLOCK")) == 1


def test_a_quantity_below_nothing_is_nothing_and_leaves_its_book_alone(facts: Facts) -> None:
    offers = {row["adv_no"]: row for row in of(facts, "fact_offer_snapshots", "BELOW")}
    assert offers[number(4)]["tradable_quantity"] == 0
    assert offers[number(4)]["surplus_quantity"] == -900, "as it was said"
    assert [row["is_off_market"] for row in offers.values()] == [False, False, False, True, False]


def test_an_unchanged_reading_observes_its_advertisers_again(facts: Facts) -> None:
    """ONE shows 5 orders, TWO a minute later 6; both are read unchanged a quarter later."""
    minutes = {None: None} | {NOON + timedelta(minutes=n): n for n in (0, 1, 15, 16)}
    assert [
        (row["month_order_count"], minutes[row["valid_from"]], minutes[row["valid_to"]])
        for row in facts["fact_advertiser_statistics"]
        if row["user_no"] == "shared"
    ] == [(5, 0, 1), (6, 1, 15), (5, 15, 16), (6, 16, None)]


def test_an_unchanged_reading_observes_nobody_whose_offers_the_facts_left_out(
    facts: Facts,
) -> None:
    """LONE shows somebody by another book's offer; an hour later nobody could know that again."""
    assert [
        (row["month_order_count"], row["valid_to"])
        for row in facts["fact_advertiser_statistics"]
        if row["user_no"] == "guest"
    ] == [(5, NOON + timedelta(minutes=1)), (6, None)]


@pytest.mark.parametrize(("story", "median"), [("RATES", "0.97"), ("PAIR", "0.95")])
def test_a_positive_rate_is_the_median_of_the_reading_and_opens_no_version(
    facts: Facts, story: str, median: str
) -> None:
    versions = [row for row in facts["fact_advertiser_statistics"] if row["user_no"] == story]
    assert [(row["positive_rate"], row["valid_to"]) for row in versions] == [
        (Decimal(median), None)
    ]


def test_a_low_reputation_is_one_by_the_rules_of_its_time(facts: Facts) -> None:
    flags: dict[datetime, list[bool]] = {}
    for row in of(facts, "fact_offer_snapshots", "REPUTE"):
        flags.setdefault(row["snapshot_at"], []).append(row["is_low_reputation"])
    assert list(flags.values()) == [
        [True, False, True, True, True, True],  # below 100 orders, or 95%
        [True, False, True, True, True, True],
        [False, False, False, False, True, True],  # since December below 10, or 80%
    ]
