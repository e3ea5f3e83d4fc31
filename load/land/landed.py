"""What has really landed: the state follows the warehouse, never the other way round.

A row counts when its load is finished (`_dlt_loads`, status 0) and not in quarantine. A fingerprint
in the state that does not agree with the latest such snapshot of its book, or whose pages are not
all there, is forgotten: or else pages would be skipped for ever without a sound.

Nor does a row that a clock far ahead of the server's has stamped: what it is of would count as read
just now, until that time has come.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import LiteralString

import psycopg
import pyarrow as pa  # type: ignore[import-untyped]
from psycopg import sql

from load.land.state import Book, BookState, State, to_microseconds
from load.rates.official_rates import Landed
from warehouse import partitions
from warehouse.postgres import CLOCKS_DISAGREE

log = logging.getLogger(__name__)

SCHEMA = "staging"
_STATES_KEPT = 5
_JSON: LiteralString = "json"  # ADBC cannot write into jsonb
_TYPES: dict[str, LiteralString] = {
    "string": "varchar",
    "int64": "bigint",
    "bool": "boolean",
    "double": "double precision",
    "timestamp[us, tz=UTC]": "timestamp with time zone",
}

AHEAD = sql.Literal(CLOCKS_DISAGREE)
"""How far after the server's time a row may be dated."""

_INDEXES: dict[str, LiteralString] = {
    "pages_snapshot_id": "pages (snapshot_id)",
    "pages_load_id": "pages (_dlt_load_id)",
    "snapshots_started_at": "snapshots (started_at)",
    "snapshots_load_id": "snapshots (_dlt_load_id)",
    "snapshots_snapshot_id": "snapshots (snapshot_id)",
    "snapshots_book": "snapshots (fiat_code, asset_code, side, started_at)",
    "payment_methods_reading_id": "payment_methods (reading_id)",
    "official_rates_load_id": "official_rates (_dlt_load_id)",
    "spot_prices_load_id": "spot_prices (_dlt_load_id)",
    "spot_prices_read_at": "spot_prices (read_at)",
    "predictor_runs_load_id": "predictor_runs (_dlt_load_id)",
    "price_forecasts_load_id": "price_forecasts (_dlt_load_id)",
}

_COUNTS: LiteralString = """
    with counting_loads as (
        select load_id from staging._dlt_loads where status = 0 {quarantine}
    )
"""
_QUARANTINE: LiteralString = "and load_id not in (select load_id from ops.quarantined_loads)"

_LATEST: LiteralString = """
    select
        book.fiat_code, book.asset_code, book.side, newest.started_at,
        latest.snapshot_id, latest.fingerprint,
        coalesce(latest.same_as_snapshot_id, latest.snapshot_id)
    from unnest(%s::text[], %s::text[], %s::text[]) as book (fiat_code, asset_code, side)
    cross join lateral (
        select max(started_at) as started_at from staging.snapshots
        where
            fiat_code = book.fiat_code and asset_code = book.asset_code and side = book.side
            and started_at <= now() + {ahead}
    ) as newest
    left join lateral (
        select snapshot_id, fingerprint, same_as_snapshot_id from staging.snapshots
        where
            fiat_code = book.fiat_code and asset_code = book.asset_code and side = book.side
            and started_at <= now() + {ahead}
            and _dlt_load_id in (select load_id from counting_loads)
        order by started_at desc limit 1
    ) as latest on true
    where newest.started_at is not null
"""

# The partition's key is asked for too: it leads each snapshot to its own one alone.
_WHOLE: LiteralString = """
    select snapshot.snapshot_id
    from staging.snapshots as snapshot
    where
        snapshot.snapshot_id = any(%s) and snapshot.is_complete
        and snapshot._dlt_load_id in (select load_id from counting_loads)
        and snapshot.pages = (
            select count(distinct page) from staging.pages
            where
                snapshot_id = snapshot.snapshot_id
                and right(snapshot_id, 23) collate "C" = right(snapshot.snapshot_id, 23) collate "C"
                and _dlt_load_id in (select load_id from counting_loads)
        )
"""


def follow(state: State, connection: psycopg.Connection, books: Iterable[Book]) -> int:
    """Make `state` agree with what counts in the warehouse; returns how many books it corrected.

    `books` are those to be read: their newest reading is looked up also where the state knows
    nothing, since the next one has to start later.
    """
    if not exist(connection, "snapshots", "pages", "_dlt_loads"):
        for known in state.books.values():
            known.forget_fingerprint()
            known.landed = False
        return len(state.books)
    wanted = sorted({*books, *state.books})
    _forget_the_future(state, connection)
    counts = counting_loads(connection)
    latest = (
        {
            Book(*row[:3]): row[3:]
            for row in connection.execute(
                counts + sql.SQL(_LATEST).format(ahead=AHEAD),
                [list(column) for column in zip(*wanted, strict=True)],
            )
        }
        if wanted
        else {}
    )
    bases = [row[3] for row in latest.values() if row[1]]
    whole = {row[0] for row in connection.execute(counts + sql.SQL(_WHOLE), [bases])}
    corrected = 0
    for book in wanted:
        newest, snapshot_id, fingerprint, base = latest.get(book, (None, None, None, None))
        known = state.books.get(book, BookState())
        agrees = (
            snapshot_id is not None
            and snapshot_id == book.snapshot_id(known.read_us)
            and known.landed
            and (
                not known.fingerprint
                or (
                    known.fingerprint == fingerprint
                    and base == book.snapshot_id(known.base_us)
                    and base in whole
                )
            )
        )
        if agrees or (newest is None and not known.read_us):
            continue
        corrected += 1
        state.books[book] = known
        known.forget_fingerprint()
        known.reason, known.landed = "", snapshot_id == book.snapshot_id(known.read_us)
        if newest is not None:
            known.read_us = max(known.read_us, to_microseconds(newest))
    if corrected:
        log.warning("state corrected from the warehouse", extra={"books": corrected})
    return corrected


def _forget_the_future(state: State, connection: psycopg.Connection) -> None:
    """Know nothing of when a book was read where that is dated after the server's time."""
    row = connection.execute(sql.SQL("select now() + {}").format(AHEAD)).fetchone()
    latest_us = to_microseconds(row[0]) if row else 0
    for known in state.books.values():
        if max(known.read_us, known.base_us) > latest_us:
            known.read_us, known.landed = 0, False
            known.forget_fingerprint()


def follow_catalogue(state: State, connection: psycopg.Connection, since: datetime) -> None:
    """Have what the exchange lists read again where its rows do not count in the warehouse.

    What was read before `since` is to be read again anyway, and is not looked at.
    """
    catalogue = state.catalogue
    read: set[tuple[str, str | None]] = set()
    if exist(connection, "_dlt_loads"):
        counts = counting_loads(connection)
        read = set(
            connection.execute(
                counts
                + sql.SQL(
                    """
                    select distinct reading.kind, reading.fiat_code
                    from staging.catalogue_readings as reading
                    left join staging.fiats as fiat on fiat.reading_id = reading.reading_id
                    left join staging.trading_pairs as pair
                        on pair.reading_id = reading.reading_id
                    left join staging.payment_methods as method
                        on method.reading_id = reading.reading_id
                    where
                        reading.is_complete
                        and reading.read_at >= %s
                        and reading.read_at <= now() + {ahead}
                        and reading._dlt_load_id in (select load_id from counting_loads)
                        and (
                            reading.items = 0
                            or coalesce(fiat.fiat_code, pair.fiat_code, method.fiat_code)
                            is not null
                        )
                    """
                ).format(ahead=AHEAD),
                [since],
            )
        )
    if ("fiats", None) not in read:
        catalogue.fiats_us = 0
    for fiat, (_, sides) in catalogue.pairs.items():
        if ("trading_pairs", fiat) not in read:
            catalogue.pairs[fiat] = (0, sides)
    for fiat in catalogue.methods:
        if ("payment_methods", fiat) not in read:
            catalogue.methods[fiat] = 0


def landed_rates(connection: psycopg.Connection, source: str) -> Landed | None:
    """What counts of the official rates of a source; None where none do, or their rows are gone."""
    if not exist(connection, "_dlt_loads", "price_readings", "official_rates"):
        return None
    row = connection.execute(
        counting_loads(connection)
        + sql.SQL(
            """
            select latest.published_at, latest.next_at, asked.at
            from (
                select max(read_at) as at
                from staging.price_readings
                where
                    kind = 'official_rates' and source = %(source)s and is_complete
                    and read_at <= now() + {ahead}
                    and _dlt_load_id in (select load_id from counting_loads)
            ) as asked
            cross join lateral (
                select reading.published_at, reading.next_at
                from staging.price_readings as reading
                where
                    reading.kind = 'official_rates' and reading.source = %(source)s
                    and reading.items > 0
                    and reading.read_at <= now() + {ahead}
                    and reading._dlt_load_id in (select load_id from counting_loads)
                    and exists (
                        select 1 from staging.official_rates as rate
                        where rate._dlt_load_id = reading._dlt_load_id
                    )
                order by reading.published_at desc
                limit 1
            ) as latest
            """
        ).format(ahead=AHEAD),
        {"source": source},
    ).fetchone()
    return Landed(*row) if row else None


def create_tables(connection: psycopg.Connection, tables: Mapping[str, pa.Schema]) -> None:
    """Create the schema and what is missing of `tables`, as dlt would; the pages by day.

    A warehouse of an earlier version may lack a column: the views on top of it ask for it before
    any load brings it.
    """
    # Not `if not exists`, which takes a right to make schemas where there is nothing to make.
    if connection.execute("select to_regnamespace(%s)", [SCHEMA]).fetchone() == (None,):
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
    known = _columns(connection)
    for name, columns in tables.items():
        listed = [
            sql.SQL("{} {}").format(
                sql.Identifier(column.name),
                sql.SQL(_JSON if column.name == "body" else _TYPES[str(column.type)]),
            )
            for column in columns
            if column.name not in known.get(name, ())
        ]
        if name in known:
            for column in listed:
                connection.execute(
                    sql.SQL("alter table {} add column if not exists {}").format(
                        sql.Identifier(SCHEMA, name), column
                    )
                )
            continue
        connection.execute(
            sql.SQL("create table if not exists {} ({}){}").format(
                sql.Identifier(SCHEMA, name),
                sql.SQL(", ").join(listed),
                sql.SQL(partitions.BY_DAY if name == "pages" else ""),
            )
        )
        log.info("table created", extra={"table": name})
    partitions.prepare(connection)


def _columns(connection: psycopg.Connection) -> dict[str, set[str]]:
    """The columns of each table of the staging schema."""
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "select table_name, column_name from information_schema.columns where table_schema = %s",
        [SCHEMA],
    ):
        columns.setdefault(table, set()).add(column)
    return columns


def tidy(connection: psycopg.Connection) -> None:
    """Create our indexes where they are missing, and drop all but the newest dlt states.

    dlt never reads but the newest state, and writes one with each load. Whatever reads the tables
    next is planned by their statistics, and the server's own turn at them may be a minute off.
    """
    for name, columns in _INDEXES.items():
        connection.execute(
            sql.SQL("create index if not exists {} on staging.{}").format(
                sql.Identifier(name), sql.SQL(columns)
            )
        )
    connection.execute(
        """
        delete from staging._dlt_pipeline_state
        where _dlt_load_id < (
            select min(load_id) from (
                select state._dlt_load_id as load_id
                from staging._dlt_pipeline_state as state
                inner join staging._dlt_loads as loads on loads.load_id = state._dlt_load_id
                where loads.status = 0
                order by state._dlt_load_id desc limit %s
            ) as newest
        )
        """,
        [_STATES_KEPT],
    )
    connection.execute("analyze staging._dlt_loads, staging.snapshots")
    partitions.analyze(connection)


def counting_loads(connection: psycopg.Connection) -> sql.Composed:
    """The head of a query that can then ask `counting_loads` for the load ids that count."""
    quarantine = _QUARANTINE if _is_there(connection, "ops", "quarantined_loads") else ""
    return sql.SQL(_COUNTS).format(quarantine=sql.SQL(quarantine))


def exist(connection: psycopg.Connection, *tables: str) -> bool:
    """Whether all of these tables stand in the staging schema."""
    return all(_is_there(connection, SCHEMA, table) for table in tables)


def _is_there(connection: psycopg.Connection, schema: str, table: str) -> bool:
    row = connection.execute("select to_regclass(%s)", [f"{schema}.{table}"]).fetchone()
    return row is not None and row[0] is not None
