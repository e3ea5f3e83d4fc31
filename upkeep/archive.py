"""Old raw pages as Parquet in a folder or a bucket, by dlt, and back from there.

    P2P_ARCHIVE_URL/p2p/pages/<partition>/<dlt's load id>.<file>.parquet

Every row goes out as it landed, its load's id included, so that what comes back counts as what went
out. A digest over all rows, taken while they go out, is held against what the files say before a
page is dropped, and again before one is put back.
"""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa  # type: ignore[import-untyped]
from dlt.common.exceptions import DltException
from psycopg import sql

from load.land.tables import TABLES
from load.text import printable
from warehouse import partitions
from warehouse.errors import UserError
from warehouse.partitions import Partition
from warehouse.postgres import Warehouse

log = logging.getLogger(__name__)

DATASET, PIPELINE = "p2p", "binance_p2p_archive"
ROWS_AT_A_TIME = 128
"""Some 8 MB of bodies."""
_NO_PLACE = (OSError, ImportError, ValueError, pa.ArrowException)
"""What fsspec and its drivers raise of an address that leads nowhere."""
_COLUMNS: Sequence[str] = TABLES["pages"].names


@dataclass
class Tally:
    """How many rows, and a digest of them that does not ask in which order they came."""

    pages: int = 0
    _sum: int = field(default=0, repr=False)

    def add(self, rows: pa.Table) -> None:
        """Count these rows in."""
        for row in rows.select(list(_COLUMNS)).to_pylist():
            said = sha256(repr([_plain(row[column]) for column in _COLUMNS]).encode()).digest()
            self._sum = (self._sum + int.from_bytes(said[:16])) % (1 << 128)
        self.pages += rows.num_rows

    @property
    def digest(self) -> str:
        """In hexadecimal digits."""
        return f"{self._sum:032x}"


class Archive:
    """The archive at one address."""

    def __init__(self, url: str, home: Path) -> None:
        """Open nothing yet; dlt works in a folder of `home`."""
        self.url, self._folder = url.rstrip("/"), home / "dlt" / "archive"

    def look(self) -> None:
        """See that pages could go there, as far as that is known without asking anybody.

        Raises:
            UserError: the address leads nowhere, or its driver is not there.
        """
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # has none

        try:
            place, root = url_to_fs(self.url)
        except _NO_PLACE as error:
            raise self._refusal("used", error) from error
        if "file" in place.protocol:
            above = next(folder for folder in (Path(root), *Path(root).parents) if folder.exists())
            if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
                raise self._refusal("used", PermissionError(f"no folder can be made in {above}"))

    def keep(self, warehouse: Warehouse, partition: Partition) -> int:
        """Write a partition out and read it back; returns how many pages that were.

        What a killed attempt has left is rewritten, under another load's id: only the one that
        the ledger names is ever read.

        Raises:
            UserError: the place cannot be written to, or does not say what was written.
        """
        # Nothing in it is worth more than the table that it came from.
        shutil.rmtree(self._folder, ignore_errors=True)
        os.environ["DLT_DATA_DIR"] = str(self._folder.parent)
        tally = Tally()
        pages = dlt.resource(
            lambda: _rows(warehouse, partition, tally),
            name="pages",
            write_disposition="append",
            file_format="parquet",
        )
        try:
            pipeline = dlt.pipeline(
                PIPELINE,
                pipelines_dir=str(self._folder),
                destination=dlt.destinations.filesystem(
                    self.url,
                    layout="{table_name}/{partition}/{load_id}.{file_id}.{ext}",
                    extra_placeholders={"partition": partition.name},
                ),
                dataset_name=DATASET,
            )
            pipeline.config.restore_from_destination = False
            loaded = pipeline.run(pages, loader_file_format="parquet")
            loaded.raise_on_failed_jobs()
        except (DltException, *_NO_PLACE) as failure:
            raise self._refusal("written to", _root(failure)) from failure
        load_id = loaded.loads_ids[0] if loaded.loads_ids else ""
        found = Tally()
        for rows in self._read(partition.name, load_id) if tally.pages else ():
            found.add(rows)
        if found != tally:
            raise UserError(
                f"P2P_ARCHIVE_URL: of {partition.name} {found.pages} pages are read back where "
                f"{tally.pages} were written: nothing was dropped; check the place."
            )
        with warehouse.connect(autocommit=True) as connection:
            _, size = partitions.size_of(connection, partition)
            partitions.note(connection, partition, tally.pages, size)
            connection.execute(
                "update staging.page_partitions"
                " set archive_load_id = %s, archive_digest = %s, archived_at = now()"
                " where name = %s",
                [load_id, tally.digest, partition.name],
            )
        log.info("pages archived", extra={"partition": partition.name, "pages": tally.pages})
        return tally.pages

    def bring_back(self, warehouse: Warehouse, partition: Partition) -> int:
        """Put a dropped partition back where it was, whole or not at all; returns its pages.

        Raises:
            UserError: it was never archived, or the archive does not say what was written.
            Busy: the pages are in use.
        """
        with warehouse.connect(autocommit=True) as connection, partitions.locked(connection):
            row = connection.execute(
                "select archive_load_id, archive_digest, pages from staging.page_partitions"
                " where name = %s and dropped_at is not null for update",
                [partition.name],
            ).fetchone()
            if row is None:
                return 0
            load_id, digest, pages = row
            if load_id is None:
                raise UserError(
                    f"{partition.name} was dropped without an archive: its raw pages are gone."
                )
            partitions.create_apart(connection, partition)
            tally = Tally()
            copy = sql.SQL("copy {} ({}) from stdin").format(
                partition.table, sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
            )
            with connection.cursor().copy(copy) as rows_in:
                for rows in self._read(partition.name, load_id) if pages else ():
                    tally.add(rows)
                    for row in rows.select(list(_COLUMNS)).to_pylist():
                        rows_in.write_row([row[column] for column in _COLUMNS])
            if (tally.pages, tally.digest) != (pages, digest):
                raise UserError(
                    f"P2P_ARCHIVE_URL: {partition.name} has {tally.pages} pages there, not the "
                    f"{pages} that were archived, or they are not the same: nothing came back."
                )
            partitions.attach(connection, partition)
            connection.execute(
                "update staging.page_partitions set dropped_at = null where name = %s",
                [partition.name],
            )
        log.info("pages restored", extra={"partition": partition.name, "pages": pages})
        return int(pages)

    def _read(self, name: str, load_id: str) -> Iterator[pa.Table]:
        """The rows of a partition as one load wrote them, some at a time."""
        from fsspec.core import url_to_fs
        from pyarrow import parquet

        try:
            place, root = url_to_fs(self.url)
            files = sorted(place.glob(f"{root}/{DATASET}/pages/{name}/{load_id}.*.parquet"))
            for file in files:
                with place.open(file, "rb") as opened:
                    for batch in parquet.ParquetFile(opened).iter_batches(ROWS_AT_A_TIME):
                        yield pa.Table.from_batches([batch])
        except _NO_PLACE as error:
            raise self._refusal("read", error) from error

    def _refusal(self, what: str, error: BaseException) -> UserError:
        said = printable(f"{type(error).__name__}: {error}", 200)
        return UserError(
            f"P2P_ARCHIVE_URL={printable(self.url)} cannot be {what} ({said}): nothing was "
            "dropped; check the place, its credentials, and for a bucket its driver (s3fs, gcsfs)."
        )


def _rows(warehouse: Warehouse, partition: Partition, tally: Tally) -> Iterator[pa.Table]:
    """A partition's rows, some at a time, counted as they pass."""
    listed = sql.SQL(", ").join(
        sql.SQL("body::text as body") if column == "body" else sql.Identifier(column)
        for column in _COLUMNS
    )
    with warehouse.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        with connection.cursor("archived") as cursor:
            cursor.execute(sql.SQL("select {} from {}").format(listed, partition.table))
            while some := cursor.fetchmany(ROWS_AT_A_TIME):
                rows = pa.Table.from_pylist(
                    [dict(zip(_COLUMNS, row, strict=True)) for row in some], TABLES["pages"]
                )
                tally.add(rows)
                yield rows


def _plain(value: Any) -> Any:
    """A value as its digest has it: the same moment is the same whatever its zone is called."""
    return value.timestamp() if hasattr(value, "timestamp") else value


def _root(failure: BaseException) -> BaseException:
    while failure.__cause__ is not None:
        failure = failure.__cause__
    return failure
