"""Raw pages out to Parquet and back: the same rows, or none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from load.land.landed import create_tables
from load.land.tables import TABLES
from tests.hostile import TEXTS
from tests.landing import Reading, item, land
from upkeep import archive
from upkeep.archive import Archive
from warehouse import partitions
from warehouse.errors import UserError
from warehouse.partitions import cover, drop, kept_from
from warehouse.postgres import Warehouse

BOOK = ("VES", "USDT", "BUY")
OLD = datetime.now(UTC) - timedelta(days=40)
ROWS = "select *, body::text from staging.pages order by snapshot_id, page, _dlt_load_id"

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[Connection]:
    """An old day of pages, with texts that nobody would write, and one page twice."""
    with warehouse.connect(autocommit=True) as opened:
        create_tables(opened, TABLES)
        pages = [
            [item(f"12990000000000000{n:02}", advertiser={"nickName": text})]
            for n, text in enumerate(TEXTS)
        ]
        land(opened, "1", [Reading(BOOK, OLD, pages)])
        opened.execute("insert into staging.pages select * from staging.pages where page = 1")
        cover(opened)
        yield opened


@pytest.fixture
def oldest(connection: Connection) -> partitions.Partition:
    return partitions.partitions(connection)[0]


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(map(str, row)) for row in connection.execute(ROWS)]


@pytest.mark.parametrize("place", ["a folder", "a bucket"])
def test_what_was_archived_and_dropped_comes_back_to_the_last_character(
    connection: Connection,
    warehouse: Warehouse,
    oldest: partitions.Partition,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    monkeypatch.setattr(archive, "ROWS_AT_A_TIME", 3)
    # A bucket of this process's own, by the same way as any other: fsspec.
    url = str(tmp_path / "archive") if place == "a folder" else "memory://bucket/archive"
    before = rows(connection)
    kept = Archive(url, tmp_path / "home")
    expected = kept.keep(warehouse, oldest)
    assert expected == len(before)
    assert drop(connection, oldest, expected)
    assert rows(connection) == []
    assert kept.bring_back(warehouse, oldest) == expected
    assert rows(connection) == before
    assert kept_from(connection) is None
    assert partitions.partitions(connection)[0] == oldest
    assert kept.bring_back(warehouse, oldest) == 0, "it is there"
    if place == "a folder":
        (file, *_) = sorted(tmp_path.glob(f"archive/p2p/pages/{oldest.name}/*.parquet"))
        assert file.stat().st_size > 0


def test_an_attempt_that_was_killed_is_not_read(
    connection: Connection, warehouse: Warehouse, oldest: partitions.Partition, tmp_path: Path
) -> None:
    kept = Archive(str(tmp_path / "archive"), tmp_path / "home")
    for _ in range(2):
        expected = kept.keep(warehouse, oldest)
    assert drop(connection, oldest, expected)
    before = kept.bring_back(warehouse, oldest)
    assert before == expected, "once, though two attempts have written"


def test_an_archive_that_says_otherwise_gives_nothing_back(
    connection: Connection, warehouse: Warehouse, oldest: partitions.Partition, tmp_path: Path
) -> None:
    kept = Archive(str(tmp_path / "archive"), tmp_path / "home")
    assert drop(connection, oldest, kept.keep(warehouse, oldest))
    connection.execute("update staging.page_partitions set archive_digest = repeat('0', 32)")
    with pytest.raises(UserError, match="P2P_ARCHIVE_URL.*nothing came back"):
        kept.bring_back(warehouse, oldest)
    for file in tmp_path.glob("archive/p2p/pages/*/*.parquet"):
        file.unlink()
    with pytest.raises(UserError, match="has 0 pages there"):
        kept.bring_back(warehouse, oldest)
    assert rows(connection) == []
    assert kept_from(connection) == oldest.end


def test_what_was_never_archived_cannot_come_back(
    connection: Connection, warehouse: Warehouse, oldest: partitions.Partition, tmp_path: Path
) -> None:
    assert drop(connection, oldest, None)
    with pytest.raises(UserError, match="dropped without an archive"):
        Archive(str(tmp_path / "archive"), tmp_path / "home").bring_back(warehouse, oldest)


@pytest.mark.parametrize("url", ["/proc/nowhere", "nonsense://bucket"])
def test_a_place_that_cannot_be_written_to_is_one_line_and_drops_nothing(
    connection: Connection,
    warehouse: Warehouse,
    oldest: partitions.Partition,
    tmp_path: Path,
    url: str,
) -> None:
    with pytest.raises(UserError, match=f"P2P_ARCHIVE_URL={url} cannot be") as refused:
        Archive(url, tmp_path / "home").keep(warehouse, oldest)
    assert "\n" not in str(refused.value)
    assert rows(connection)
