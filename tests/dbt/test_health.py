"""That the health of each book is what its readings say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from tests.dbt.conftest import Dbt
from tests.landing import Book, Reading, item, land

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
BUY: Book = ("VES", "USDT", "BUY")
SELL: Book = ("VES", "USDT", "SELL")


def minute(number: float) -> datetime:
    """That many minutes after noon."""
    return NOON + timedelta(minutes=number)


def offers(*methods: str, orders: int = 500) -> list[dict[str, Any]]:
    """An offer a method."""
    return [
        item(
            f"1299000000000000000{number}",
            methods=[{"identifier": method, "tradeMethodName": method}],
            advertiser={"userNo": f"s{orders}", "monthOrderCount": orders},
        )
        for number, method in enumerate(methods)
    ]


def test_the_health_of_a_book_is_what_its_readings_say(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """BUY: read at 0, 20, 40, 60 and, in part, 80; of nine expected by 165 four were whole.

    Its cadence is 20, its last whole reading 105 minutes old: 5.25 cadences. Of five offers seen
    last, one came twice; of the four one is an advertiser's without an order. Wise is listed and
    Zelle is not; one field was new. SELL is read every hour; ARS is listed and was never read on
    BUY, and once on SELL: how much of either was to be read nobody knows.
    """
    page = [*offers("Wise", "Zelle", "Wise"), *offers("Wise", orders=0)[:1]]
    page[3]["adv"]["advNo"] = "12990000000000000009"
    whole = [
        Reading(BUY, minute(n), [[*page, page[0]]] if n == 60 else [page]) for n in (0, 20, 40, 60)
    ]
    part = Reading(BUY, minute(80), [page[:1]], incomplete_reason="http_503", announced=4)
    sell = [Reading(SELL, minute(n), [offers("Wise")]) for n in (45, 105, 165)]
    other = [Reading(("ARS", "USDT", side), minute(1), []) for side in ("BUY", "SELL")]
    land(connection, "1", [*whole, part, *sell, *other])
    connection.execute("delete from staging.snapshots where fiat_code = 'ARS' and side = 'BUY'")
    connection.execute(
        "insert into staging.payment_methods values"
        " ('old', %(at)s, 'VES', 'Zelle', 'Zelle', null, '1'),"
        " ('new', %(at)s, 'VES', 'Wise', 'Wise', null, '1')",
        {"at": minute(0)},
    )
    connection.execute(
        "insert into staging.catalogue_readings values"
        " ('old', 'r', 'payment_methods', 'VES', %s, 1, true, null, '1'),"
        " ('new', 'r', 'payment_methods', 'VES', %s, 1, true, null, '1'),"
        " ('cut', 'r', 'payment_methods', 'VES', %s, 0, false, 'http_503', '1')",
        [minute(0), minute(1), minute(2)],
    )
    connection.execute(
        "insert into staging.new_fields values"
        " ('r', %(id)s, %(at)s, 'adv.new', 'text', '1'),"
        " ('r', %(id)s, %(at)s - interval '2 days', 'adv.older', 'text', '1')",
        {"id": whole[1].snapshot_id, "at": minute(20)},
    )
    dbt("run", "--select", "+data_health")

    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    rows = cursor.execute("select * from marts.data_health order by fiat_code, side").fetchall()
    assert [(row["fiat_code"], row["side"]) for row in rows] == [
        ("ARS", "BUY"), ("ARS", "SELL"), ("VES", "BUY"), ("VES", "SELL"),
    ]  # fmt: skip
    unread, once, buy, sell_ = rows
    assert (unread["cadence_minutes"], unread["coverage_pct"]) == (None, None)
    assert (once["n_complete"], once["cadence_minutes"], once["coverage_pct"]) == (1, None, None)
    assert unread["is_stale"]
    assert unread["is_listed"]
    assert (unread["minutes_since_complete"], unread["n_readings"]) == (None, 0)
    assert unread["unknown_methods"] is None
    by_hand = {
        "last_verdict": "incomplete",
        "last_reasons": "http_503",
        "minutes_since_complete": 105,
        "cadence_minutes": 20,
        "cadences_since_complete": Decimal("5.25"),
        "n_readings": 5,
        "n_complete": 4,
        "coverage_pct": Decimal("44.4444"),  # 4 of 1 + floor(165 / 20)
        "duplicates_pct": Decimal("5.5556"),  # 1 of 4 + 4 + 4 + 5 + 1
        "flagged_share": Decimal("0.25"),
        "unknown_methods": 1,
        "new_keys": 1,
        "is_listed": True,
        "is_stale": True,
        "last_complete_at": minute(60),
        "last_read_at": minute(80),
        "as_of": minute(165),
    }
    assert {name: buy[name] for name in by_hand} == by_hand
    assert (sell_["is_stale"], sell_["coverage_pct"], sell_["cadence_minutes"]) == (False, 100, 60)
    assert sell_["unknown_methods"] == 0


def test_a_book_is_stale_after_two_cadences_its_own_or_the_middle_ones_while_it_is_listed(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """The newest reading is at 240. VES is read each hour, ARS each two hours, COP each half hour.

    ARS was last whole two cadences ago, which is not more; COP two and a minute. KES and GHS were
    read once, 120 and 121 minutes before: the middle of 30, 60 and 120 is 60. NGN is delisted.
    """
    times = {
        "VES": (120, 180, 240),
        "ARS": (-240, -120, 0),
        "COP": (119, 149, 179),
        "KES": (120,),
        "GHS": (119,),
        "NGN": (240,),
    }
    land(
        connection,
        "1",
        [
            Reading((fiat, "USDT", "BUY"), minute(at), [offers("Wise")])
            for fiat, moments in times.items()
            for at in moments
        ],
    )
    connection.execute(
        "insert into staging.catalogue_readings"
        " values ('later', 'r', 'fiats', null, %s, 1, true, null, '1')",
        [minute(200)],
    )
    connection.execute(
        "insert into staging.fiats"
        " select distinct on (fiat_code) 'later', %s, fiat_code, '$', 2, 'XX', '1'"
        " from staging.fiats where fiat_code != 'NGN'",
        [minute(200)],
    )
    dbt("run", "--select", "+data_health")

    rows = connection.execute(
        "select fiat_code, cadence_minutes, minutes_since_complete, is_listed, is_stale"
        " from marts.data_health"
    ).fetchall()
    assert {row[0]: row[1:] for row in rows} == {
        "VES": (60, 0, True, False),
        "ARS": (120, 240, True, False),
        "COP": (30, 61, True, True),
        "KES": (None, 120, True, False),
        "GHS": (None, 121, True, True),
        "NGN": (None, 0, False, False),
    }


def test_where_no_book_was_read_twice_the_usual_cadence_is_that_of_the_settings(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """Twenty minutes by default: forty minutes old is not stale, 41 is."""
    ages = {"VES": 41, "ARS": 40, "COP": 0}
    land(
        connection,
        "1",
        [
            Reading((fiat, "USDT", "BUY"), minute(-age), [offers("Wise")])
            for fiat, age in ages.items()
        ],
    )
    dbt("run", "--select", "+data_health")

    rows = connection.execute("select fiat_code, is_stale from marts.data_health").fetchall()
    assert dict(rows) == {"VES": True, "ARS": False, "COP": False}
