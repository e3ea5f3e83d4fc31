"""A mart as a file, for spreadsheets and for other programs, however large it is.

A spreadsheet takes a cell that begins like a formula for one, and runs it: nicknames and names of
payment methods are written by whoever likes to. So in CSV such text gets an apostrophe before it,
which is how people tell a spreadsheet that text is meant. Parquet has types, and needs none.
Source: OWASP, CSV Injection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import IO, TYPE_CHECKING, Any

from psycopg import sql

from cli.query import reading
from load.text import OBEYED, REPLACEMENT
from warehouse.errors import UserError
from warehouse.postgres import Warehouse

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa  # type: ignore[import-untyped]

    Connection = psycopg.Connection[tuple[Any, ...]]

BATCH = 5_000  # rows in memory at a time
DIGITS = 38  # what a decimal of Parquet holds that everything reads

# The last four are the first four as some keyboards of East Asia write them: Excel knows them.
_FORMULA = "^[-=+@\t\r\n\uff0d\uff1d\uff0b\uff20]"

_PLAIN = {"smallint", "integer", "bigint", "numeric", "real", "double precision", "date"}
_PLAIN |= {"timestamp with time zone", "timestamp without time zone"}

_CATALOGUE = """
select attributes.attname, format_type(attributes.atttypid, null)
from pg_class as relations
inner join pg_attribute as attributes on relations.oid = attributes.attrelid
where
    relations.relnamespace = to_regnamespace('marts')
    and relations.relname = %s
    and relations.relkind in ('r', 'v', 'm', 'p')
    and attributes.attnum > 0
    and not attributes.attisdropped
order by attributes.attnum
"""
_NAMES = """
select relname
from pg_class
where relnamespace = to_regnamespace('marts') and relkind in ('r', 'v', 'm', 'p')
order by relname
"""


@dataclass(frozen=True)
class Column:
    """A column of a mart, and PostgreSQL's name of its type."""

    name: str
    kind: str


def export(
    warehouse: Warehouse,
    mart: str,
    write: Callable[[Connection, sql.Identifier, Sequence[Column], IO[bytes]], int],
    stream: IO[bytes],
) -> int:
    """Write a mart, by `write_csv` or `write_parquet`, and return the number of its rows.

    Raises:
        UserError: there is no such mart.
    """
    with reading(warehouse) as connection:
        columns = [Column(*row) for row in connection.execute(_CATALOGUE, [mart])]
        if not columns:
            raise UserError(_no_such_mart(mart, [name for (name,) in connection.execute(_NAMES)]))
        return write(connection, sql.Identifier("marts", mart), columns, stream)


def write_csv(
    connection: Connection, table: sql.Identifier, columns: Sequence[Column], stream: IO[bytes]
) -> int:
    """Write a mart as CSV in UTF-8 with a header: times in UTC, nothing for null, "" for no text.

    PostgreSQL itself writes it, so that numbers come out digit by digit as they are. What a
    terminal would obey in a text is U+FFFD.
    """
    connection.execute("set time zone 'UTC'")
    query = sql.SQL("copy (select {} from {}) to stdout with (format csv, header)").format(
        sql.SQL(", ").join(map(_as_text, columns)), table
    )
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for part in copy:
                stream.write(part)
        return cursor.rowcount


def _as_text(column: Column) -> sql.Composed:
    name = sql.Identifier(column.name)
    shown = sql.SQL("regexp_replace({}::text, {}, {}, 'g')").format(
        name, sql.Literal(OBEYED), sql.Literal(REPLACEMENT.decode())
    )
    if column.kind in ("text", "character varying", "character", '"char"', "name"):
        defused = sql.SQL("case when {0} ~ {1} then '''' || {2} else {2} end as {0}")
        return defused.format(name, sql.Literal(_FORMULA), shown)
    if column.kind in _PLAIN:
        return sql.SQL("{}").format(name)
    return sql.SQL("{} as {}").format(shown, name)  # lists of texts, and t and f in words


def write_parquet(
    connection: Connection, table: sql.Identifier, columns: Sequence[Column], stream: IO[bytes]
) -> int:
    """Write a mart as Parquet: decimals as decimals, times as UTC, a group of rows a batch.

    A column of decimals keeps every digit, as long as `DIGITS` are enough for its largest and its
    finest value together; otherwise places are rounded off at the end.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

    places = _places(connection, table, columns)
    schema = pa.schema([(column.name, _type(column, places)) for column in columns])
    selected = [
        sql.SQL("round({0}, {1})").format(sql.Identifier(column.name), places[column.name])
        if column.kind == "numeric"
        else sql.SQL("{}").format(sql.Identifier(column.name))
        if column.kind in _types() or column.kind == "text[]"
        else sql.SQL("{}::text").format(sql.Identifier(column.name))
        for column in columns
    ]
    query = sql.SQL("select {} from {}").format(sql.SQL(", ").join(selected), table)
    rows = 0
    with ParquetWriter(stream, schema, compression="zstd") as writer:
        with connection.cursor("export") as cursor:
            cursor.itersize = BATCH
            cursor.execute(query)
            while batch := cursor.fetchmany(BATCH):
                arrays = [
                    pa.array(values, field.type)
                    for values, field in zip(zip(*batch, strict=True), schema, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                rows += len(batch)
    return rows


def _places(
    connection: Connection, table: sql.Identifier, columns: Sequence[Column]
) -> dict[str, int]:
    """For each column of decimals, how many places its values have, within `DIGITS`."""
    decimals = [column.name for column in columns if column.kind == "numeric"]
    if not decimals:
        return {}
    asked = sql.SQL(", ").join(
        sql.SQL("max(length(trunc(abs({0}))::text)), max(scale({0}))").format(sql.Identifier(name))
        for name in decimals
    )
    row = connection.execute(sql.SQL("select {} from {}").format(asked, table)).fetchone()
    found = row or ()
    return {
        name: max(0, min(scale or 0, DIGITS - (digits or 1)))
        for name, digits, scale in zip(decimals, found[::2], found[1::2], strict=True)
    }


def _types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    return {
        "boolean": pa.bool_(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double precision": pa.float64(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    }


def _type(column: Column, places: dict[str, int]) -> pa.DataType:
    import pyarrow as pa

    if column.kind == "numeric":
        return pa.decimal128(DIGITS, places[column.name])
    if column.kind == "text[]":
        return pa.list_(pa.string())
    return _types().get(column.kind, pa.string())


def _no_such_mart(mart: str, names: Sequence[str]) -> str:
    if not names:
        return "There are no marts yet: the first `p2p run` builds them."
    near = get_close_matches(mart, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}."
    return f"There is no mart {mart[:60]!r}: {hint}"
