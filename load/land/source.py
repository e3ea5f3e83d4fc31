"""The dlt source: what a batch of readings is as rows, in Arrow tables.

The columns are spelled out in `load.land.tables`, so that dlt need not look into the data.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import dlt
import pyarrow as pa  # type: ignore[import-untyped]
from dlt.extract import DltResource

from load.book.drift import Drift
from load.book.reading import Reading
from load.exchange.catalogue import CatalogueReading
from load.land.tables import TABLES
from load.rates.beside import PriceReading


class _NoPandas:
    """Finds every module but one as ever."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _do_without_pandas() -> None:
    """Have Arrow settle that there is no pandas, for which it looks when it first meets a list.

    Nothing here makes frames of its tables, and that import takes 43 MB and half a second.
    """
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(_NoPandas)


_do_without_pandas()

SOURCE = "binance_p2p"
BATCH_SECONDS, BATCH_BYTES = 120.0, 64_000_000
"""What a crash costs at most, and what memory is to hold. A load costs dlt some 0.3 s by itself."""
ROWS_AT_A_TIME = 32
"""Rows a table, a parquet row group and a read of ADBC hold: some 2 MB of pages."""


def batch_pages(requests_per_second: float) -> float:
    """How many pages read make a batch, however few of them land."""
    return requests_per_second * BATCH_SECONDS


def pages_ahead(requests_per_second: float) -> float:
    """For how many books may be begun while a batch lands: for a quarter of one, and some MB."""
    return min(batch_pages(requests_per_second) / 4, 400.0)


@dataclass
class Batch:
    """What is landed together, in one load: some dozens of readings, or a catalogue."""

    run_id: str
    readings: list[Reading] = field(default_factory=list)
    catalogue: list[CatalogueReading] = field(default_factory=list)
    prices: list[PriceReading] = field(default_factory=list)
    new_fields: list[dict[str, Any]] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    pages_read: int = field(default=0, init=False)
    offers_read: int = field(default=0, init=False)
    bytes: int = field(default=0, init=False)
    """Of the bodies that will land; like the two above, of what was put in by `add`."""

    @property
    def pages(self) -> int:
        """Pages that will land."""
        return sum(len(reading.pages) for reading in self.readings)

    def add(self, reading: Reading) -> None:
        """Put in one reading more. It may be the thousandth: what they add up to is kept."""
        self.readings.append(reading)
        self.pages_read += reading.pages_read
        self.offers_read += reading.offers_distinct
        self.bytes += sum(page.size for page in reading.pages)

    def is_full(self, requests_per_second: float) -> bool:
        """Whether it is to land now, when so many pages are read in a second."""
        return self.pages_read >= batch_pages(requests_per_second) or self.bytes >= BATCH_BYTES

    def halves(self) -> list["Batch"]:
        """Two batches of half its entries each; none when there is only one entry."""
        entries = self._entries
        if len(entries) < 2:
            return []
        middle = len(entries) // 2
        return [
            Batch(
                self.run_id,
                [entry for entry in half if isinstance(entry, Reading)],
                [entry for entry in half if isinstance(entry, CatalogueReading)],
                [entry for entry in half if isinstance(entry, PriceReading)],
            )
            for half in (entries[:middle], entries[middle:])
        ]

    def refuse(self, reason: str) -> bool:
        """Empty its entries and give them `reason`; False if that was done before."""
        if all(entry.reason == reason for entry in self._entries):
            return False
        for entry in self._entries:
            entry.refuse(reason)
        return True

    @property
    def _entries(self) -> list[Reading | CatalogueReading | PriceReading]:
        return [*self.readings, *self.catalogue, *self.prices]


@dlt.source(name=SOURCE)
def binance_p2p(batch: Batch, state: Mapping[str, Any]) -> list[DltResource]:
    """The rows of one batch, and what is to be remembered when they have landed."""
    rows: dict[str, Iterable[dict[str, Any]]] = {
        "pages": _pages(batch),
        "snapshots": _snapshots(batch),
        "catalogue_readings": _catalogue_readings(batch),
        "fiats": _entries(batch, "fiats"),
        "trading_pairs": _entries(batch, "trading_pairs"),
        "payment_methods": _entries(batch, "payment_methods"),
        "new_fields": batch.new_fields,
        "drift": [drift.row(batch.run_id) for drift in batch.drift],
        "price_readings": _price_readings(batch),
        "official_rates": _prices(batch, "official_rates"),
        "spot_prices": _prices(batch, "spot_prices"),
    }
    resources = [resource_of(name, table_rows) for name, table_rows in rows.items()]
    return [*resources, _memory(state)]


def resource_of(name: str, rows: Iterable[Mapping[str, Any]]) -> DltResource:
    """One table, a few rows at a time."""

    def extract() -> Iterator[pa.Table]:
        load_id = dlt.current.load_package_state()["load_id"]
        left = iter(rows)
        while some := list(islice(left, ROWS_AT_A_TIME)):
            yield pa.Table.from_pylist(
                [{**row, "_dlt_load_id": load_id} for row in some], TABLES[name]
            )

    hints: Any = {"body": {"data_type": "json"}} if name == "pages" else None
    return dlt.resource(
        extract, name=name, write_disposition="append", columns=hints, file_format="parquet"
    )


def _memory(state: Mapping[str, Any]) -> DltResource:
    """No rows: it leaves the loader's memory in dlt's state, which travels in the same load."""

    def remember() -> Iterator[None]:
        kept = dlt.current.source_state()
        kept.clear()
        kept.update(state)
        yield from ()

    return dlt.resource(remember, name="memory", selected=True)


def _pages(batch: Batch) -> Iterator[dict[str, Any]]:
    return (
        {
            "snapshot_id": reading.snapshot_id,
            "page": page.number,
            "run_id": batch.run_id,
            **_book(reading),
            "requested_at": page.requested_at,
            "received_at": page.received_at,
            "announced_total": page.announced_total,
            "offers": page.offers,
            "cleaned_characters": page.cleaned,
            "body_sha256": page.sha256,
            "body": page.body,
        }
        for reading in batch.readings
        for page in reading.pages
    )


def _snapshots(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "snapshot_id": reading.snapshot_id,
            "run_id": batch.run_id,
            **_book(reading),
            "started_at": reading.started_at,
            "finished_at": reading.finished_at,
            "announced_total": reading.announced_total,
            "offers_seen": reading.offers_seen,
            "offers_distinct": reading.offers_distinct,
            "offers_unnumbered": reading.offers_unnumbered,
            "offers_missing": reading.offers_missing,
            "duplicates": reading.duplicates,
            "pages": reading.pages_read,
            "requests": reading.requests,
            "cleaned_characters": reading.cleaned,
            "is_complete": reading.is_complete,
            "is_unchanged": reading.is_unchanged,
            "incomplete_reason": reading.reason,
            "fingerprint": reading.fingerprint,
            "same_as_snapshot_id": reading.same_as,
        }
        for reading in batch.readings
    ]


def _catalogue_readings(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "reading_id": reading.reading_id,
            "run_id": batch.run_id,
            "kind": reading.kind,
            "fiat_code": reading.fiat,
            "read_at": reading.read_at,
            "items": len(reading.rows),
            "is_complete": reading.reason is None,
            "incomplete_reason": reading.reason,
        }
        for reading in batch.catalogue
    ]


def _entries(batch: Batch, kind: str) -> list[dict[str, Any]]:
    return [
        {"reading_id": reading.reading_id, "read_at": reading.read_at, **row}
        for reading in batch.catalogue
        if reading.kind == kind
        for row in reading.rows
    ]


def _price_readings(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "reading_id": reading.reading_id,
            "run_id": batch.run_id,
            "kind": reading.kind,
            "source": reading.source,
            "read_at": reading.read_at,
            "published_at": reading.published_at,
            "next_at": reading.next_at,
            "items": len(reading.rows),
            "left_out": len(reading.left_out),
            "is_complete": reading.reason is None,
            "is_unchanged": reading.is_unchanged,
            "incomplete_reason": reading.reason,
        }
        for reading in batch.prices
    ]


def _prices(batch: Batch, kind: str) -> list[dict[str, Any]]:
    return [
        {"reading_id": reading.reading_id, "read_at": reading.read_at, **row}
        for reading in batch.prices
        if reading.kind == kind
        for row in reading.rows
    ]


def _book(reading: Reading) -> dict[str, str]:
    return {
        "fiat_code": reading.book.fiat,
        "asset_code": reading.book.asset,
        "side": reading.book.side,
    }
