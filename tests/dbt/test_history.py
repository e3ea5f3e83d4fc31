"""What three cycles imply, and that no way of getting there gives another history."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.dbt.conftest import Dbt, Rows, empty
from tests.landing import Book, Reading, item, land

BUY: Book = ("VES", "USDT", "BUY")
SELL: Book = ("VES", "USDT", "SELL")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

A, B, C = (f"1299000000000000000{n}" for n in range(3))

CORE = ("--select", "+marts.core")
"""The models told here; what is built upon them has tests of its own."""

TOLD = {
    "fact_offers": "offer_version_key, advertiser_key, valid_from, valid_to, price,"
    " payment_methods, opened_snapshot_id",
    "fact_offer_payment_methods": "offer_version_key, payment_method_key, valid_from",
    "fact_snapshots": "snapshot_id, minutes_since_last, quality_verdict, quality_reasons,"
    " offers_rejected, unchanged_since, load_id",
    "fact_advertiser_statistics": "advertiser_statistics_key, advertiser_key,"
    " month_order_count, valid_from, valid_to",
    "dim_advertisers": "advertiser_key, user_no, nickname, valid_from, valid_to",
    "dim_payment_methods": "identifier, names, fiat_codes, first_seen_at, last_seen_at",
    "dim_cryptocurrencies": "asset_code, scale, is_listed",
    "fact_offer_snapshots": "snapshot_id, adv_no, price, is_eligible, is_off_market",
}


def minute(number: float) -> datetime:
    """That many minutes after noon."""
    return NOON + timedelta(minutes=number)


def history(connection: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the core tables tell."""
    return {
        table: connection.execute(
            f"select {columns} from marts.{table} order by {columns}".encode()
        ).fetchall()
        for table, columns in TOLD.items()
    }


def versions(rows: Rows, adv_no: str) -> list[tuple[Any, ...]]:
    """Price, first and last minute of each version of an offer."""
    return [
        (str(price), (start - NOON).seconds // 60, end and (end - NOON).seconds // 60)
        for price, start, end in rows(
            "select price, valid_from, valid_to from marts.fact_offers"
            " where adv_no = %s order by valid_from",
            adv_no,
        )
    ]


def test_three_cycles_give_the_versions_that_the_changes_between_them_imply(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "1", [Reading(BUY, minute(0), [[item(A, "10.00"), item(B, "11.00")]])])
    dbt("run", *CORE)
    land(connection, "2", [Reading(BUY, minute(15), [[item(A, "10.50"), item(B, "11")]])])
    dbt("run", *CORE)
    land(connection, "3", [Reading(BUY, minute(30), [[item(A, "10.50"), item(C, "12.00")]])])
    report = dbt("build")
    assert report.tests_passed > 60

    assert versions(rows, A) == [("10", 0, 15), ("10.5", 15, None)]
    assert versions(rows, B) == [("11", 0, 30)], "11.00 and 11 are one price"
    assert versions(rows, C) == [("12", 30, None)]
    in_third = "select adv_no from marts.fact_offer_snapshots where snapshot_at = %s order by 1"
    assert rows(in_third, minute(30)) == [(A,), (C,)]


def test_an_outage_of_one_page_ends_no_version_of_the_offers_on_it(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "1", [Reading(BUY, minute(0), [[item(A)], [item(B)]])])
    dbt("run", *CORE)
    cut = Reading(BUY, minute(15), [[item(A, "9")]], incomplete_reason="http_503", announced=2)
    land(connection, "2", [cut])
    dbt("run", *CORE)

    assert versions(rows, B) == [("10", 0, None)]
    assert versions(rows, A) == [("10", 0, 15), ("9", 15, None)], "what was seen, was seen"
    assert rows(
        "select quality_verdict, quality_reasons from marts.fact_snapshots where not is_complete"
    ) == [("incomplete", "http_503")]
    assert rows("select count(*) from marts.fact_offer_snapshots") == [(2,)]


def test_an_offer_that_vanished_and_came_back_has_a_new_version(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    for number, offers in enumerate([[A, B], [A], [A, B]]):
        at = minute(15 * number)
        land(connection, str(number), [Reading(BUY, at, [[item(offer) for offer in offers]])])
        dbt("run", *CORE)

    assert versions(rows, B) == [("10", 0, 15), ("10", 30, None)]
    assert versions(rows, A) == [("10", 0, None)]


def test_an_unchanged_book_writes_a_snapshot_and_nothing_else(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    first = Reading(BUY, minute(0), [[item(A), item(B, price="abc")]])
    land(connection, "1", [first])
    dbt("run", *CORE)
    before = history(connection)
    again = Reading(BUY, minute(15), None, same_as=first.snapshot_id, announced=2, distinct=2)
    land(connection, "2", [again])
    dbt("run", *CORE)
    after = history(connection)

    for table in ("fact_offers", "fact_advertiser_statistics", "dim_advertisers"):
        assert after[table] == before[table]
    assert rows(
        "select is_unchanged, offers_rejected, minutes_since_last from marts.fact_snapshots"
        " order by started_at"
    ) == [(False, 1, None), (True, 1, 15)]
    assert rows("select count(*) from marts.fact_offer_snapshots") == [(2,)]


def test_a_build_without_new_loads_changes_nothing(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    land(connection, "1", random_loads(seed=3, loads=1)[0])
    dbt("run", *CORE)
    before = history(connection)
    dbt("run", *CORE)

    assert history(connection) == before


def test_loads_that_never_finished_or_were_quarantined_are_not_read(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "1", [Reading(BUY, minute(0), [[item(A)]])])
    dbt("run", *CORE)
    land(connection, "2", [Reading(BUY, minute(15), [[item(A, "1")]])], status=1)
    land(connection, "3", [Reading(BUY, minute(16), [[item(A, "2")]])])
    connection.execute("create table ops.quarantined_loads (load_id text)")
    connection.execute("insert into ops.quarantined_loads values ('3')")
    dbt("run", *CORE)

    assert versions(rows, A) == [("10", 0, None)]


def test_a_file_that_was_loaded_twice_counts_once(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "1", [Reading(BUY, minute(0), [[item(A)], [item(B)]])])
    for table in ("pages", "snapshots", "trading_pairs", "fiats", "catalogue_readings"):
        connection.execute(f"insert into staging.{table} select * from staging.{table}".encode())
    dbt("run", *CORE)

    assert rows("select count(*) from marts.fact_offers") == [(2,)]
    assert rows("select count(*) from marts.fact_snapshots") == [(1,)]


def test_a_changed_nickname_opens_a_version_of_the_advertiser_and_none_of_the_offer(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    for number, name in enumerate(["Ana", "Ana", "Ana <b>"]):
        offer = item(A, advertiser={"nickName": name, "monthOrderCount": 100 + number})
        land(connection, str(number), [Reading(BUY, minute(number), [[offer]])])
        dbt("run", *CORE)

    assert rows(
        "select nickname, valid_to is null from marts.dim_advertisers order by valid_from"
    ) == [("Ana", False), ("Ana <b>", True)]
    assert rows("select count(*) from marts.fact_advertiser_statistics") == [(3,)]
    assert versions(rows, A) == [("10", 0, None)]


def random_loads(seed: int, loads: int) -> list[list[Reading]]:
    """Loads of a made-up market: moves, vanishings, cut readings, shared advertisers, repeats."""
    chance = random.Random(seed)
    books: list[Book] = [BUY, SELL, ("ARS", "BTC", "BUY")]
    standing: dict[Book, dict[str, dict[str, Any]]] = {book: {} for book in books}
    landed: dict[Book, str | None] = dict.fromkeys(books)
    names = ["Ana", "Bo", None, "Ćè"]
    made: list[list[Reading]] = []
    for cycle in range(loads):
        readings = []
        for place, book in enumerate(books):
            offers = standing[book]
            moved = chance.random() < 0.8 or cycle == 0
            if moved:
                for number in range(6):
                    adv_no = f"1299000000000000{place}{number:03}"
                    fate = chance.random()
                    if fate < 0.5:
                        offers[adv_no] = item(
                            adv_no,
                            f"{chance.randint(1, 3)}.00",
                            side=book[2],
                            advertiser={
                                "userNo": f"s{number % 4}",
                                "nickName": chance.choice(names),
                                "monthOrderCount": chance.randint(1, 3),
                            },
                            methods=chance.sample(
                                [{"identifier": m, "tradeMethodName": m} for m in "XYZ"], 2
                            ),
                        )
                    elif fate < 0.7:
                        offers.pop(adv_no, None)
            at = minute(cycle * 10 + place)
            shown = list(offers.values())
            if not moved and landed[book]:
                readings.append(Reading(book, at, None, same_as=landed[book], distinct=len(shown)))
                continue
            if shown and chance.random() < 0.25:
                half = shown[: len(shown) // 2]
                readings.append(
                    Reading(book, at, [half], incomplete_reason="timeout", announced=len(shown))
                )
                landed[book] = None
                continue
            edge = len(shown) // 2
            pages = [shown[:edge], shown[max(edge - 1, 0) :]]
            reading = Reading(book, at, pages, announced=len(shown))
            landed[book] = reading.snapshot_id
            readings.append(reading)
        made.append(readings)
    return made


def replayed(
    connection: psycopg.Connection[Any], dbt: Dbt, builds: Sequence[Sequence[int]], seed: int
) -> dict[str, list[tuple[Any, ...]]]:
    """Lands the loads of `seed` in the order of `builds`, with a build after each group."""
    empty(connection)
    loads = random_loads(seed, loads=6)
    for group in builds:
        for number in group:
            land(connection, f"load-{number}", loads[number])
        dbt("run", *CORE)
    return history(connection)


def test_pages_opened_once_a_run_tell_what_pages_opened_by_each_model_do(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    loads = random_loads(4, loads=2)
    told = []
    for kept in ((), ("--exclude", "int_opened_offers", "int_opened_observations")):
        empty(connection)
        land(connection, "load-0", loads[0])
        dbt("run", *CORE)
        land(connection, "load-1", loads[1])
        dbt("run", *CORE, *kept)
        told.append(history(connection))
        for table in ("int_opened_offers", "int_opened_observations"):
            held = rows(f"select distinct load_id from staging.{table}")
            assert held == ([] if kept else [("load-1",)])
    assert told[0] == told[1]


@pytest.mark.parametrize("seed", [2])
def test_however_loads_arrive_the_history_is_that_of_a_rebuild(
    connection: psycopg.Connection[Any], dbt: Dbt, seed: int
) -> None:
    at_once = replayed(connection, dbt, [[0, 1, 2, 3, 4, 5]], seed)
    one_by_one = replayed(connection, dbt, [[n] for n in range(6)], seed)
    late_and_shuffled = replayed(connection, dbt, [[2], [0, 4], [1], [5, 3]], seed)
    dbt("run", *CORE, "--full-refresh")
    rebuilt = history(connection)

    for table in TOLD:
        assert one_by_one[table] == at_once[table], table
        assert late_and_shuffled[table] == at_once[table], table
        assert rebuilt[table] == at_once[table], table
    assert at_once["fact_offers"]
