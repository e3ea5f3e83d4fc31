"""What three cycles imply, and that no way of getting there gives another history."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from flows.transform import TransformReport
from ops import record
from ops.migrations import migrate
from tests.dbt.conftest import Dbt, Rows, dbt_on, empty
from tests.dbt.plain_history import offer_versions, statistics_versions
from tests.landing import Book, Reading, item, land
from warehouse.postgres import Warehouse

BUY: Book = ("VES", "USDT", "BUY")
SELL: Book = ("VES", "USDT", "SELL")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

CORE = ("--select", "+marts.core")
"""The models told here; what is built upon them has tests of its own."""

TOLD = {
    "fact_offers": "offer_version_key, advertiser_key, valid_from, valid_to, price,"
    " payment_methods, opened_snapshot_id",
    "fact_offer_payment_methods": "offer_version_key, payment_method_key, valid_from",
    "fact_snapshots": "snapshot_id, minutes_since_last, quality_verdict, quality_reasons,"
    " faults, offers_foreign, offers_rejected, middle_price, unchanged_since, load_id",
    "fact_advertiser_statistics": "advertiser_statistics_key, advertiser_key,"
    " month_order_count, positive_rate, valid_from, valid_to",
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


def number(story: str, place: str) -> str:
    """The number of an offer of a story: of its A, its B and so on."""
    return f"1299{zlib.crc32(story.encode()):010}{ord(place):06}"


def ad(story: str, place: str, price: str = "10.00", **more: Any) -> dict[str, Any]:
    """An offer of a story, as a page shows it."""
    return item(number(story, place), price, **more)


def read(story: str, at: float, *pages: Sequence[dict[str, Any]], **more: Any) -> Reading:
    """A reading of the book that a story has for itself, that many minutes after noon."""
    return Reading(("VES", story, "BUY"), minute(at), pages, **more)


@dataclass(frozen=True)
class Told:
    """What the core tables told after one build of all stories."""

    whole: dict[str, list[tuple[Any, ...]]]
    rows: dict[str, list[dict[str, Any]]]
    report: TransformReport

    def of(self, story: str, table: str) -> list[dict[str, Any]]:
        """The rows of one story's book, or of its offers' advertisers."""
        users = {row["user_no"] for row in self.rows["fact_offers"] if row["asset_code"] == story}
        return [
            row
            for row in self.rows[table]
            if row.get("asset_code") == story or row.get("user_no") in users
        ]

    def versions(self, story: str, place: str) -> list[tuple[Any, ...]]:
        """Price, first and last minute of each version of an offer."""
        return [
            (
                str(row["price"]),
                (row["valid_from"] - NOON).seconds // 60,
                row["valid_to"] and (row["valid_to"] - NOON).seconds // 60,
            )
            for row in self.of(story, "fact_offers")
            if row["adv_no"] == number(story, place)
        ]


ORDERS = {
    "fact_offers": "valid_from, adv_no",
    "fact_snapshots": "started_at",
    "fact_offer_snapshots": "snapshot_at, adv_no",
    "dim_advertisers": "valid_from",
    "fact_advertiser_statistics": "valid_from",
}


@pytest.fixture(scope="module")
def told(seeded: Warehouse, dbt_home: Path) -> list[Told]:
    """What was told after each of three loads, and after a build that found nothing new.

    Each story has a book of its own, so that no build serves one of them only.
    """
    whole = read("STILL", 0, [ad("STILL", "A"), ad("STILL", "B", "abc")])
    loads = [
        [
            read("MOVES", 0, [ad("MOVES", "A"), ad("MOVES", "B", "11.00")]),
            read("OUTAGE", 0, [ad("OUTAGE", "A")], [ad("OUTAGE", "B")]),
            read("BACK", 0, [ad("BACK", "A"), ad("BACK", "B")]),
            whole,
            read("REFUSED", 0, [ad("REFUSED", "A")]),
            read("RENAMED", 0, [ad("RENAMED", "A", advertiser=orders("Ana", 100))]),
        ],
        [
            read("MOVES", 15, [ad("MOVES", "A", "10.50"), ad("MOVES", "B", "11")]),
            read("OUTAGE", 15, [ad("OUTAGE", "A", "9")], incomplete_reason="http_503", announced=2),
            read("BACK", 15, [ad("BACK", "A")]),
            replace(
                whole, at=minute(15), pages=None, same_as=whole.snapshot_id, announced=2, distinct=2
            ),
            read("RENAMED", 15, [ad("RENAMED", "A", advertiser=orders("Ana", 101))]),
        ],
        [
            read("MOVES", 30, [ad("MOVES", "A", "10.50"), ad("MOVES", "C", "12.00")]),
            read("BACK", 30, [ad("BACK", "A"), ad("BACK", "B")]),
            read("RENAMED", 30, [ad("RENAMED", "A", advertiser=orders("Ana <b>", 102))]),
        ],
        [],
    ]
    found = []
    with seeded.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        empty(connection)
        migrate(connection)
        dbt = dbt_on(connection, seeded, dbt_home)
        for build, readings in enumerate(loads):
            if readings:
                land(connection, f"load-{build}", readings)
            if build == 0:
                land(
                    connection, "twice", [read("TWICE", 0, [ad("TWICE", "A")], [ad("TWICE", "B")])]
                )
                for table in ("pages", "snapshots", "trading_pairs", "fiats", "catalogue_readings"):
                    connection.execute(
                        f"insert into staging.{table} select * from staging.{table}"
                        " where _dlt_load_id = 'twice'".encode()
                    )
            if build == 1:
                unfinished = read("REFUSED", 15, [ad("REFUSED", "A", "1")])
                land(connection, "unfinished", [unfinished], status=1)
                land(connection, "refused", [read("REFUSED", 16, [ad("REFUSED", "A", "2")])])
                record.quarantine(connection, "run-1", ["refused"], "a check")
            report = dbt("build") if build == 2 else dbt("run", *CORE)
            with connection.cursor(row_factory=dict_row) as cursor:
                rows = {
                    table: cursor.execute(
                        f"select * from marts.{table} order by {order}".encode()
                    ).fetchall()
                    for table, order in ORDERS.items()
                }
            found.append(Told(history(connection), rows, report))
    return found


def orders(nickname: str, count: int) -> dict[str, Any]:
    """An advertiser of this name, with so many orders in the last month."""
    return {"nickName": nickname, "monthOrderCount": count}


def test_three_cycles_give_the_versions_that_the_changes_between_them_imply(
    told: list[Told],
) -> None:
    third = told[2]
    assert third.report.tests_passed > 60
    assert third.versions("MOVES", "A") == [("10", 0, 15), ("10.5", 15, None)]
    assert third.versions("MOVES", "B") == [("11", 0, 30)], "11.00 and 11 are one price"
    assert third.versions("MOVES", "C") == [("12", 30, None)]
    seen = third.of("MOVES", "fact_offer_snapshots")
    assert [row["adv_no"] for row in seen if row["snapshot_at"] == minute(30)] == [
        number("MOVES", "A"), number("MOVES", "C"),
    ]  # fmt: skip


def test_an_outage_of_one_page_ends_no_version_of_the_offers_on_it(told: list[Told]) -> None:
    assert told[2].versions("OUTAGE", "B") == [("10", 0, None)]
    assert told[2].versions("OUTAGE", "A") == [("10", 0, 15), ("9", 15, None)], "seen is seen"
    assert [
        (row["quality_verdict"], row["quality_reasons"])
        for row in told[2].of("OUTAGE", "fact_snapshots")
        if not row["is_complete"]
    ] == [("incomplete", "http_503")]
    assert len(told[2].of("OUTAGE", "fact_offer_snapshots")) == 2


def test_an_offer_that_vanished_and_came_back_has_a_new_version(told: list[Told]) -> None:
    assert told[1].versions("BACK", "B") == [("10", 0, 15)]
    assert told[2].versions("BACK", "B") == [("10", 0, 15), ("10", 30, None)]
    assert told[2].versions("BACK", "A") == [("10", 0, None)]


def test_an_unchanged_book_writes_a_snapshot_and_nothing_else(told: list[Told]) -> None:
    for table in ("fact_offers", "fact_advertiser_statistics", "dim_advertisers"):
        assert told[1].of("STILL", table) == told[0].of("STILL", table) != []
    assert [
        (row["is_unchanged"], row["offers_rejected"], row["minutes_since_last"])
        for row in told[1].of("STILL", "fact_snapshots")
    ] == [(False, 1, None), (True, 1, 15)]
    # Half of its offers have no price: what repeats that is as faulty, and shown in no snapshot.
    assert told[1].of("STILL", "fact_offer_snapshots") == []


def test_a_build_without_new_loads_changes_nothing(told: list[Told]) -> None:
    assert told[3].whole == told[2].whole
    assert all(told[2].whole.values())


def test_loads_that_never_finished_or_were_quarantined_are_not_read(told: list[Told]) -> None:
    for later in told[1:]:
        assert later.versions("REFUSED", "A") == [("10", 0, None)]
        assert len(later.of("REFUSED", "fact_snapshots")) == 1


def test_a_file_that_was_loaded_twice_counts_once(told: list[Told]) -> None:
    assert len(told[0].of("TWICE", "fact_offers")) == 2
    assert len(told[0].of("TWICE", "fact_snapshots")) == 1


def test_a_changed_nickname_opens_a_version_of_the_advertiser_and_none_of_the_offer(
    told: list[Told],
) -> None:
    assert [
        (row["nickname"], row["valid_to"] is None)
        for row in told[2].of("RENAMED", "dim_advertisers")
    ] == [("Ana", False), ("Ana <b>", True)]
    assert len(told[2].of("RENAMED", "fact_advertiser_statistics")) == 3
    assert told[2].versions("RENAMED", "A") == [("10", 0, None)]


def fiat(chance: random.Random) -> str | None:
    """What an offer says its fiat is: most often nothing, and now and then another than asked."""
    return "AED" if chance.random() < 0.05 else None


def random_loads(seed: int, loads: int) -> list[list[Reading]]:
    """Loads of a made-up market: moves, vanishings, cut readings, leaps, foreign ads, repeats."""
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
                level = chance.choice([1, 1, 1, 100])
                for number in range(9):
                    adv_no = f"1299000000000000{place}{number:03}"
                    fate = chance.random()
                    if fate < 0.5:
                        offers[adv_no] = item(
                            adv_no,
                            f"{level * chance.randint(2, 3)}.00",
                            side=book[2],
                            advertiser={
                                "userNo": f"s{number % 4}",
                                "nickName": chance.choice(names),
                                "monthOrderCount": chance.randint(1, 3),
                            },
                            methods=chance.sample(
                                [{"identifier": m, "tradeMethodName": m} for m in "XYZ"], 2
                            ),
                            adv={"isTradable": chance.random() < 0.9, "fiatUnit": fiat(chance)},
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
            pages = [shown[:edge], shown[max(edge - (chance.random() < 0.3), 0) :]]
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


@pytest.mark.parametrize("seed", [1, 2])
def test_however_loads_arrive_the_history_is_that_of_a_rebuild(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows, seed: int
) -> None:
    at_once = replayed(connection, dbt, [[0, 1, 2, 3, 4, 5]], seed)
    readings = [reading for load in random_loads(seed, loads=6) for reading in load]
    assert rows(
        "select user_no, month_order_count, valid_from, valid_to"
        " from marts.fact_advertiser_statistics order by user_no, valid_from"
    ) == statistics_versions(readings)
    assert rows(
        "select fiat_code, asset_code, side, adv_no, price, valid_from, valid_to"
        " from marts.fact_offers order by fiat_code, asset_code, side, adv_no, valid_from"
    ) == [(*book, *version) for book, *version in offer_versions(readings)]
    one_by_one = replayed(connection, dbt, [[n] for n in range(6)], seed)
    late_and_shuffled = replayed(connection, dbt, [[2], [0, 4], [1], [5, 3]], seed)
    dbt("run", *CORE, "--full-refresh")
    rebuilt = history(connection)

    for table in TOLD:
        assert one_by_one[table] == at_once[table], table
        assert late_and_shuffled[table] == at_once[table], table
        assert rebuilt[table] == at_once[table], table
    assert at_once["fact_offers"]
