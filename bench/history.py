"""What a cycle costs the marts, beside a warehouse that holds years of it.

Two warehouses take in the same cycles of one market, in turn. One of them is given a past first:
each table's rows of the first cycle once more for every cycle before, with their own keys and
times, until so many versions stand. Both then transform a cycle in which a tenth has changed.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from bench.exchange import exchange_process
from bench.figures import Figures
from bench.measure import Subject, own_database, own_server
from flows import ops
from warehouse.postgres import Warehouse

MINUTES_BETWEEN = 15
TIMES = ("snapshot_at", "buy_snapshot_at", "started_at", "valid_from")
"""The columns that say when a row is of: a table without one does not grow by cycles."""
KEYS = frozenset(
    {
        "snapshot_id", "buy_snapshot_id", "sell_snapshot_id", "opened_snapshot_id",
        "same_as_snapshot_id", "offer_version_key", "advertiser_statistics_key", "load_id",
        "_dlt_load_id",
    }
)  # fmt: skip
"""What has to differ between copies."""
PRESENT = ("dim_", "int_book_offers", "stg_")
"""How the names of tables and views begin that say what is, or what the others say."""


@dataclass(frozen=True)
class Plan:
    """How much of it. The market's offers change by a tenth in `minutes`."""

    offers: int = 25_000
    versions: int = 1_000_000
    fiats: tuple[str, ...] | None = None
    minutes: float = 3
    cycles: int = 3


@dataclass
class _Side:
    """One of the two warehouses, and what its cycles took."""

    subject: Subject
    seconds: list[float] = field(default_factory=list)


def measure(figures: Figures, plan: Plan | None = None) -> None:
    """Measure the transform of a cycle with and without a past, in turns.

    Raises:
        WorkFailed: a step failed: there is nothing to measure about it.
    """
    plan = plan or Plan()
    with (
        TemporaryDirectory(prefix="p2p-bench-") as folder,
        exchange_process(plan.offers, plan.fiats) as exchange,
        own_server(Path(folder)) as server,
        own_database(server) as empty,
        own_database(server) as filled,
    ):
        sides = {
            "shallow": _Side(Subject(empty, Path(folder) / "shallow", exchange)),
            "deep": _Side(Subject(filled, Path(folder) / "deep", exchange)),
        }
        now = exchange.advance(0)
        for side in sides.values():
            _cycle(side, "first", now)
        versions = give_a_past(sides["deep"].subject.warehouse, plan.versions)
        figures.add("history.versions", versions, "versions")
        for number in range(plan.cycles):
            exchange.advance(plan.minutes)
            now += timedelta(minutes=MINUTES_BETWEEN)
            run_id = f"cycle-{number}"
            for side in sides.values():
                spent = _cycle(side, run_id, now)
                if number:  # in the first, pages are read from the disk and statistics are new
                    side.seconds.append(spent)
        _tell_size(figures, sides["shallow"].subject, run_id)
        for name, side in sides.items():
            figures.add(f"history.{name}.transform", median(side.seconds), "s")
        ratios = [
            deep / shallow
            for deep, shallow in zip(sides["deep"].seconds, sides["shallow"].seconds, strict=True)
        ]
        figures.add("history.deep_vs_shallow", median(ratios), "ratio")


def _cycle(side: _Side, run_id: str, now: Any) -> float:
    with ops.connected(side.subject.warehouse) as connection:
        ops.prepare(connection)
        ops.open_run(connection, run_id, now)
    side.subject.run("load", run_id, now)
    return side.subject.run("transform", run_id, now).seconds


def _tell_size(figures: Figures, subject: Subject, run_id: str) -> None:
    with subject.warehouse.connect() as connection:
        row = connection.execute(
            """
            select
                count(*) filter (where offers.valid_to is null),
                count(*) filter (where offers.valid_from >= snapshots.began)
            from marts.fact_offers as offers
            cross join (
                select min(started_at) as began from marts.fact_snapshots where run_id = %s
            ) as snapshots
            """,
            (run_id,),
        ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    figures.add("history.live", row[0], "offers")
    figures.add("history.changed", row[1], "offers")


def give_a_past(warehouse: Warehouse, versions: int) -> int:
    """Copy what stands into the past, cycle by cycle, until there are so many versions."""
    with warehouse.connect(autocommit=True) as connection:
        row = connection.execute("select count(*) from marts.fact_offers").fetchone()
        assert row is not None  # noqa: S101 - an aggregate has a row
        copies = max(1, versions // max(1, row[0]) - 1)
        for schema, table, columns in _tables(connection):
            connection.execute(_copies(schema, table, columns), {"copies": copies})
        for table in ("admitted_loads", "transformed_loads"):
            columns = _columns(connection, "ops", table)
            connection.execute(_copies("ops", table, columns), {"copies": copies})
        connection.execute("vacuum analyze")
        row = connection.execute("select count(*) from marts.fact_offers").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    return int(row[0])


def _tables(
    connection: psycopg.Connection[Any],
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    names = connection.execute(
        """
        select schemaname, tablename
        from pg_tables
        where schemaname = 'marts' or schemaname = 'staging' and tablename ~ '^(int_|snapshots$)'
        order by schemaname, tablename
        """
    ).fetchall()
    with_columns = [
        (schema, table, _columns(connection, schema, table))
        for schema, table in names
        if not table.startswith(PRESENT)
    ]
    return [each for each in with_columns if {name for name, _ in each[2]} & set(TIMES)]


def _columns(connection: psycopg.Connection[Any], schema: str, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        """
        select column_name, data_type
        from information_schema.columns
        where table_schema = %s and table_name = %s
        order by ordinal_position
        """,
        (schema, table),
    ).fetchall()


def _copies(schema: str, table: str, columns: list[tuple[str, str]]) -> sql.Composed:
    """The statement that puts each row once more into every cycle before."""
    step = sql.SQL("(nth * interval {})").format(sql.Literal(f"{MINUTES_BETWEEN} minutes"))
    names = {name for name, _ in columns}
    values: list[sql.Composable] = []
    for name, kind in columns:
        column = sql.Identifier(name)
        if name in KEYS:
            values.append(sql.SQL("{} || '~' || nth").format(column))
        elif name == "valid_to" and "valid_from" in names:
            values.append(
                sql.SQL("valid_from + interval {} - {}").format(
                    sql.Literal(f"{MINUTES_BETWEEN} minutes"), step
                )
            )
        elif kind == "timestamp with time zone":
            values.append(sql.SQL("{} - {}").format(column, step))
        else:
            values.append(column)
    return sql.SQL(
        "insert into {table} ({names}) select {values} from {table} as here"
        " cross join generate_series(1, %(copies)s) as nth"
    ).format(
        table=sql.Identifier(schema, table),
        names=sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        values=sql.SQL(", ").join(values),
    )
