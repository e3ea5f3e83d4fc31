"""What a cycle costs the marts, beside a warehouse that holds years of it.

Two warehouses take in the same cycles of one market, in turn. One of them is given a past first:
each table's rows of the first cycle once more for every cycle before, with their own keys and
times, until so many versions stand; of what is told by day, a day for every cycle. Both then
transform a cycle in which a tenth has changed.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from bench.exchange import exchange_process
from bench.figures import Figures
from bench.measure import Subject, own_database, own_server
from ops import record
from ops.migrations import migrate
from warehouse.postgres import Warehouse
from warehouse.settings import PROJECT_ROOT

MINUTES_BETWEEN = 15
DAY = timedelta(days=1)
STEPS = {
    "snapshot_at": timedelta(minutes=MINUTES_BETWEEN),
    "buy_snapshot_at": timedelta(minutes=MINUTES_BETWEEN),
    "from_snapshot_at": timedelta(minutes=MINUTES_BETWEEN),
    "as_of": timedelta(minutes=MINUTES_BETWEEN),
    "started_at": timedelta(minutes=MINUTES_BETWEEN),
    "valid_from": timedelta(minutes=MINUTES_BETWEEN),
    "gone_at": timedelta(minutes=MINUTES_BETWEEN),
    "bucket_start": timedelta(hours=1),
    "day": DAY,
}
"""The columns that say when a row is of, and how far apart copies are: a table without one does not
grow by cycles."""
KEYS = frozenset(
    {
        "snapshot_id", "buy_snapshot_id", "sell_snapshot_id", "opened_snapshot_id",
        "same_as_snapshot_id", "offer_version_key", "advertiser_statistics_key", "load_id",
        "_dlt_load_id", "run_id", "from_snapshot_id", "to_snapshot_id",
    }
)  # fmt: skip
"""What has to differ between copies."""
PROJECT = PROJECT_ROOT / "dbt_project" / "models"
ROOMS = ("market", "actors", "arbitrage")
UNDER_MARTS = ("int_book_capacity", "int_method_days", "int_offer_changes", "int_price_hours")
"""What only the marts stand on, and costs as much as they."""
PRESENT = ("dim_", "int_book_offers", "int_opened_", "stg_")
"""How the names of tables and views begin that say what is, or what the others say."""


@dataclass(frozen=True)
class Plan:
    """How much of it. The market's offers change by a tenth in `minutes`."""

    offers: int = 25_000
    versions: int = 1_000_000
    fiats: tuple[str, ...] | None = None
    minutes: float = 15
    cycles: int = 3


@dataclass
class _Side:
    """One of the two warehouses, and what its cycles took."""

    subject: Subject
    seconds: list[float] = field(default_factory=list)
    marts: list[float] = field(default_factory=list)
    """Of these seconds, in how many a mart was being built."""


def measure(figures: Figures, plan: Plan | None = None) -> None:
    """Measure the transform of a cycle with and without a past, in turns.

    Raises:
        WorkFailed: a step failed: there is nothing to measure about it.
    """
    plan = plan or Plan()
    with (
        TemporaryDirectory(prefix="p2p-bench-") as folder,
        exchange_process(plan.offers, plan.fiats, moves=False) as exchange,
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
                    side.marts.append(seconds_of_marts(side.subject.home))
        _tell_size(figures, sides["shallow"].subject, run_id)
        for name, side in sides.items():
            figures.add(f"history.{name}.transform", median(side.seconds), "s")
            figures.add(f"history.{name}.marts", median(side.marts), "s")
        shallow, deep = sides["shallow"], sides["deep"]
        for name, pairs in (
            ("deep_vs_shallow", zip(deep.seconds, shallow.seconds, strict=True)),
            ("marts_deep_vs_shallow", zip(deep.marts, shallow.marts, strict=True)),
        ):
            figures.add(f"history.{name}", median(one / other for one, other in pairs), "ratio")


def _cycle(side: _Side, run_id: str, now: Any) -> float:
    with record.connected(side.subject.warehouse) as connection:
        migrate(connection)
        record.open_run(connection, run_id, now)
    side.subject.run("load", run_id, now)
    return side.subject.run("transform", run_id, now).seconds


def seconds_of_marts(home: Path) -> float:
    """In how many seconds of the last transform a mart was being built, whatever ran beside it."""
    files = [file for room in ROOMS for file in PROJECT.glob(f"marts/{room}/*.sql")]
    return seconds_of({*(file.stem for file in files), *UNDER_MARTS}, home)


def seconds_of(models: set[str], home: Path) -> float:
    """In how many seconds of the last transform one of some models was being built."""
    wanted = {f"model.p2p.{name}" for name in models}
    log = max(home.rglob("dbt.log"), key=lambda path: path.stat().st_mtime)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    latest = events[-1]["info"]["invocation_id"]
    stretches = []
    for event in events:
        told, info = event["data"], event["info"]
        if (info["name"], info["invocation_id"]) != ("LogModelResult", latest):
            continue
        if told["node_info"]["unique_id"] in wanted:
            end = datetime.fromisoformat(told["node_info"]["node_finished_at"])
            stretches.append((end - timedelta(seconds=told["execution_time"]), end))
    return _covered(stretches).total_seconds()


def _covered(stretches: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How much time lies in at least one of the stretches."""
    covered = timedelta()
    until: datetime | None = None
    for start, end in sorted(stretches):
        begins = start if until is None else max(start, until)
        covered += max(end - begins, timedelta())
        until = end if until is None else max(end, until)
    return covered


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
    return [each for each in with_columns if {name for name, _ in each[2]} & STEPS.keys()]


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
    names = {name for name, _ in columns}
    apart = next((STEPS[name] for name in reversed(STEPS) if name in names), STEPS["snapshot_at"])
    step = sql.SQL("(nth * {})").format(sql.Literal(apart))
    is_of_offers = "gone_at" in names
    values: list[sql.Composable] = []
    for name, kind in columns:
        column = sql.Identifier(name)
        if name in KEYS or (is_of_offers and name == "adv_no"):
            values.append(sql.SQL("{} || '~' || nth").format(column))
        elif name == "gone_at":
            values.append(sql.SQL("last_seen_at + {} - {}").format(sql.Literal(apart), step))
        elif is_of_offers and name in ("end_state", "is_right_censored"):
            values.append(sql.Literal("withdrawn" if name == "end_state" else False))
        elif name == "minutes_since_last":  # of a first reading there is none
            values.append(sql.Literal(MINUTES_BETWEEN))
        elif kind == "date":
            values.append(sql.SQL("{} - nth").format(column))
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
