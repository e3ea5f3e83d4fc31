"""Landing by the loader against `COPY` of the same pages by psycopg, in turns.

Both start with the pages in memory and an empty table of the same columns in a database of its own,
and end when every row is committed. The loader lands them as in a cycle: in its batches, with the
snapshots, its book-keeping and its state. `COPY` does nothing but one `COPY`.
"""

import json
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.cpu import own_cpu_seconds, server_cpu_seconds
from bench.process import Told, tell
from load.book.reading import Page, Reading
from load.land.landed import create_tables
from load.land.landing import Landing
from load.land.source import BATCH_BYTES, Batch
from load.land.state import Book, State, to_microseconds
from load.land.tables import TABLES
from warehouse.postgres import Warehouse

RUN_ID = "bench"


@dataclass
class _Spent:
    """Wall seconds, and those of a processor: the client's and the server's."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def _spending(warehouse: Warehouse) -> Iterator[_Spent]:
    spent = _Spent()
    cpu = own_cpu_seconds() + server_cpu_seconds(warehouse)
    started = time.perf_counter()
    yield spent
    spent.seconds = time.perf_counter() - started
    spent.cpu_seconds = own_cpu_seconds() + server_cpu_seconds(warehouse) - cpu


def main() -> None:
    """Land the pages of one warehouse again, both ways in turn."""
    told: dict[str, Any] = json.load(sys.stdin)
    warehouse = Warehouse.from_url(told["database_url"])
    readings = _readings(warehouse)
    by_dlt, by_copy = list[_Spent](), list[_Spent]()
    for _ in range(told["repetitions"]):
        by_dlt.append(_by_dlt(warehouse, readings))
        by_copy.append(_by_copy(warehouse, readings))
    pairs = list(zip(by_dlt, by_copy, strict=True))
    details = {
        "dlt_seconds": median(spent.seconds for spent in by_dlt),
        "copy_seconds": median(spent.seconds for spent in by_copy),
        "ratio": median(dlt.seconds / copy.seconds for dlt, copy in pairs),
        "cpu_ratio": median(dlt.cpu_seconds / copy.cpu_seconds for dlt, copy in pairs),
        "batches": sum(1 for _ in _batches(readings)),
        "pages": sum(len(reading.pages) for reading in readings),
        "bytes": sum(page.size for reading in readings for page in reading.pages),
    }
    tell(Told(sum(spent.seconds for spent in (*by_dlt, *by_copy)), details=details))


def _readings(warehouse: Warehouse) -> list[Reading]:
    """What a first cycle has landed, as the loader holds it in memory."""
    readings: dict[str, Reading] = {}
    with warehouse.connect() as connection:
        rows = connection.execute(
            """
            select
                snapshot_id, fiat_code, asset_code, side, page, requested_at, received_at,
                announced_total, offers, cleaned_characters, body_sha256, body::text
            from staging.pages
            order by snapshot_id, page
            """
        )
        for snapshot_id, fiat, asset, side, number, requested, received, *rest in rows:
            total, offers, cleaned, sha256, body = rest
            reading = readings.setdefault(
                snapshot_id,
                Reading(Book(fiat, asset, side), to_microseconds(requested), received),
            )
            reading.pages.append(
                Page(
                    number,
                    requested,
                    received,
                    total,
                    offers,
                    cleaned,
                    sha256,
                    len(body.encode()),
                    Page.pack(body.encode()),
                )
            )
            reading.pages_read += 1
    return list(readings.values())


def _batches(readings: Iterable[Reading]) -> Iterator[Batch]:
    """Cut as the loader cuts them where the pace is not what bounds it."""
    batch = Batch(RUN_ID)
    for reading in readings:
        batch.add(reading)
        if batch.bytes >= BATCH_BYTES:
            yield batch
            batch = Batch(RUN_ID)
    if batch.readings:
        yield batch


def _by_dlt(warehouse: Warehouse, readings: list[Reading]) -> _Spent:
    with _fresh_database(warehouse) as fresh, TemporaryDirectory() as folder:
        landing = Landing(Path(folder), fresh)
        landing.recover()
        with _spending(fresh) as spent:
            for batch in _batches(readings):
                landing.land(batch, State())
        _require_all(fresh, readings)
    return spent


def _by_copy(warehouse: Warehouse, readings: list[Reading]) -> _Spent:
    with _fresh_database(warehouse) as fresh, fresh.connect() as connection:
        create_tables(connection, {"pages": TABLES["pages"]})
        connection.commit()
        with _spending(fresh) as spent:
            statement = "copy staging.pages from stdin"
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in _rows(readings):
                    copy.write_row(row)
            connection.commit()
        _require_all(fresh, readings)
    return spent


def _rows(readings: Iterable[Reading]) -> Iterator[tuple[Any, ...]]:
    for reading in readings:
        snapshot_id = reading.snapshot_id
        for page in reading.pages:
            yield (
                snapshot_id,
                page.number,
                RUN_ID,
                *reading.book,
                page.requested_at,
                page.received_at,
                page.announced_total,
                page.offers,
                page.cleaned,
                page.sha256,
                page.body.decode(),
                RUN_ID,
            )


@contextmanager
def _fresh_database(warehouse: Warehouse) -> Iterator[Warehouse]:
    name = f"landing_{uuid.uuid4().hex[:12]}"
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    try:
        yield replace(warehouse, database=name)
    finally:
        with warehouse.connect(autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)'.encode())


def _require_all(warehouse: Warehouse, readings: Iterable[Reading]) -> None:
    """A contender that loses rows on the way is not fast, it is wrong."""
    expected = sum(len(reading.pages) for reading in readings)
    with warehouse.connect() as connection:
        row = connection.execute("select count(*) from staging.pages").fetchone()
    if row != (expected,):
        raise AssertionError(f"{row} pages landed of {expected}")


if __name__ == "__main__":
    main()
