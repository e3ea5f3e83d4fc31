"""The raw pages by day: made ahead, moved out of the default one, taken off, and once divided."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from load.land.landed import create_tables, tidy
from load.land.tables import TABLES
from tests.landing import Reading, item, land
from tests.load.conftest import Loader, Stub, offer
from warehouse import partitions
from warehouse.partitions import BEFORE, DEFAULT, Busy, cover, drop, kept_from, prepare
from warehouse.postgres import Warehouse

BOOK = ("VES", "USDT", "BUY")
TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: Warehouse) -> Any:
    """A connection to a warehouse whose tables are made."""
    with warehouse.connect(autocommit=True) as opened:
        create_tables(opened, TABLES)
        yield opened


def page(connection: Connection, load_id: str, at: datetime) -> str:
    """Land one reading of one page; returns its snapshot's id."""
    reading = Reading(BOOK, at, [[item("1299000000000000001")]])
    land(connection, load_id, [reading])
    return reading.snapshot_id


def places(connection: Connection) -> dict[str, str]:
    """The partition in which each snapshot's pages stand."""
    return dict(
        connection.execute(
            "select snapshot_id, tableoid::regclass::text from staging.pages"
        ).fetchall()
    )


def day(ago: int) -> datetime:
    """Noon so many days ago."""
    return TODAY - timedelta(days=ago)


def name(ago: int) -> str:
    """The partition of the day so many days ago."""
    return f"pages_{day(ago):%Y%m%d}"


def test_a_load_lands_its_pages_by_day_with_the_days_ahead_made(loader: Loader, stub: Stub) -> None:
    stub.put("VES-USDT-BUY", [offer(number) for number in range(25)])
    loader.run()
    with loader.warehouse.connect() as connection:
        standing = [partition.name for partition in partitions.partitions(connection)]
        assert standing == [name(-ahead) for ahead in range(partitions.AHEAD + 1)]
        landed = places(connection)
        (gone,) = connection.execute(
            "select count(*) from pg_indexes where schemaname = 'staging' and tablename = %s"
            " and (indexdef like '%%(snapshot_id)%%' or indexdef like '%%(_dlt_load_id)%%')",
            [name(0)],
        ).fetchone() or (0,)
    assert landed
    days = {snapshot: snapshot[-23:][:8] for snapshot in landed}
    expected = {n.removeprefix("pages_"): f"staging.{n}" for n in standing}
    assert landed == {
        snapshot: expected.get(of, f"staging.{DEFAULT}") for snapshot, of in days.items()
    }
    assert gone == 2, "each has the indexes of the whole"


def test_what_finds_no_day_is_kept_and_moved_when_its_day_is_made(connection: Connection) -> None:
    late, absurd = day(40), day(-400)
    snapshots = [page(connection, str(n), at) for n, at in enumerate((late, absurd, day(0)))]
    connection.execute("insert into staging.pages (page) values (1)")
    assert places(connection)[snapshots[0]] == f"staging.{DEFAULT}"
    assert cover(connection) == [name(40)]
    assert [places(connection)[snapshot] for snapshot in snapshots] == [
        f"staging.{name(40)}",
        f"staging.{DEFAULT}",
        f"staging.{name(0)}",
    ], "a clock that is years ahead makes no days"
    assert None in places(connection), "nor is what has no day lost"
    assert cover(connection) == []


def test_a_reading_stands_in_the_partition_of_its_beginning_past_midnight_too(
    connection: Connection,
) -> None:
    before_midnight = TODAY.replace(hour=23, minute=59, second=59)
    snapshot = page(connection, "1", before_midnight)
    connection.execute(
        "update staging.pages set requested_at = requested_at + interval '2 minutes'"
    )
    assert places(connection) == {snapshot: f"staging.{name(0)}"}


def test_the_one_table_of_an_older_version_is_divided_once_and_its_views_go_on(
    warehouse: Warehouse,
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        old = page(connection, "1", day(3))
        assert connection.execute("select count(*) from pg_partitioned_table").fetchone() == (0,)
        connection.execute("create view staging.shown as select snapshot_id from staging.pages")
        connection.execute("create view staging.over_it as select * from staging.shown")
        connection.execute("create role asker nologin")
        connection.execute("grant select on staging.pages to asker")
        try:
            for _ in range(2):
                create_tables(connection, TABLES)
                tidy_indexes(connection)
            today, later = page(connection, "2", day(0)), page(connection, "3", day(-1))
            assert places(connection) == {
                old: f"staging.{BEFORE}",
                today: f"staging.{BEFORE}",
                later: f"staging.{name(-1)}",
            }
            shown = connection.execute("select count(*) from staging.over_it").fetchone()
            assert shown == (3,), "a view goes by what it was made on, not by a name"
            may = connection.execute(
                "select has_table_privilege('asker', 'staging.pages', 'select')"
            )
            assert may.fetchone() == (True,)
        finally:
            connection.execute("drop owned by asker; drop role asker")


def tidy_indexes(connection: Connection) -> None:
    """What the loader does at the end of a cycle, to tables that dlt has made."""
    connection.execute("create table if not exists staging._dlt_pipeline_state (_dlt_load_id text)")
    tidy(connection)
    (whole,) = connection.execute(
        "select count(*) from pg_indexes where schemaname = 'staging' and tablename = 'pages'"
    ).fetchone() or (0,)
    assert whole == 2, "the new parent has the indexes, whatever the old table's were called"


def test_a_day_that_is_dropped_is_in_the_ledger_and_is_not_made_again(
    connection: Connection,
) -> None:
    old = page(connection, "1", day(40))
    cover(connection)
    assert kept_from(connection) is None
    assert drop(connection, partitions.partitions(connection)[0], None)
    assert old not in places(connection)
    assert kept_from(connection) == day(39).date()
    page(connection, "2", day(40))
    assert cover(connection) == [], "what comes too late for its day waits where it is"


def test_a_day_that_holds_other_than_was_archived_stays(connection: Connection) -> None:
    page(connection, "1", day(40))
    cover(connection)
    oldest = partitions.partitions(connection)[0]
    assert not drop(connection, oldest, 0)
    assert drop(connection, oldest, 1)


def test_who_reads_the_pages_is_not_interrupted_and_the_load_goes_on(
    connection: Connection, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_LOCK_SECONDS", 0.05)
    page(connection, "1", day(40))
    with warehouse.connect() as reader:
        reader.execute("select count(*) from staging.pages")
        prepare(connection)  # says so in the log, and goes on
        with pytest.raises(Busy):
            cover(connection)
        with pytest.raises(Busy):
            drop(connection, partitions.partitions(connection)[0], None)
    assert kept_from(connection) is None
    assert cover(connection) == [name(40)]


def test_two_that_make_the_same_days_make_them_once(
    connection: Connection, warehouse: Warehouse
) -> None:
    page(connection, "1", day(40))
    made: list[list[str]] = []

    def make() -> None:
        with warehouse.connect(autocommit=True) as other:
            made.append(cover(other))

    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('p2p:partitions'))")
        threads = [threading.Thread(target=make) for _ in range(2)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [[], [name(40)]]


def test_days_are_the_same_everywhere(connection: Connection) -> None:
    connection.execute("set timezone = 'Asia/Tokyo'")
    assert partitions.partitions(connection)[0].first == date(TODAY.year, TODAY.month, TODAY.day)
