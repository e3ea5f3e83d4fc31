"""Telling the facts and marts again from what has landed: all of it, or from a day on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql

from flows.cycle import CheckFailed
from ops import quarantine, record
from ops.migrations import migrate
from warehouse.errors import UserError
from warehouse.partitions import Busy, Partition
from warehouse.postgres import Warehouse, require_write_access, single_writer
from warehouse.roles import LOADER

if TYPE_CHECKING:
    import psycopg

    from flows.transform import TransformReport
    from warehouse.settings import Settings

log = logging.getLogger(__name__)

# Whatever of a load bears a time: a load of prices alone counts by when they were asked for.
_SINCE = """
    with times as (
        select _dlt_load_id as load_id, started_at as at from staging.snapshots
        union all
        select _dlt_load_id, read_at from staging.catalogue_readings
        union all
        select _dlt_load_id, read_at from staging.price_readings
    ),
    loads as (
        select times.load_id
        from times
        inner join ops.admitted_loads as admitted on times.load_id = admitted.load_id
        group by times.load_id
        having max(times.at) >= %s
    )
    select
        array(select load_id from loads),
        (
            select min(started_at) from staging.snapshots
            where _dlt_load_id in (select load_id from loads)
        )
"""

_NOBODY_ELSE_LEFT = """
    select exists (
        select 1 from ops.transformed_loads
        group by model
        having bool_and(load_id = any(%s))
    )
"""


def rebuild(
    warehouse: Warehouse,
    settings: Settings,
    since: date | None = None,
    *,
    on_step: Callable[[str], None] = lambda step: None,
) -> TransformReport:
    """Build facts and marts again, with every test: all, or what is from the day `since` on.

    Raw pages that were dropped come back from the archive first, and go again with the next upkeep.

    Raises:
        UserError: pages that it takes were dropped and no archive is given or has them, or a cycle
            runs.
        CheckFailed: a model could not be built, or a test is red.
    """
    require_write_access(warehouse)
    with single_writer(warehouse, "cycle"):
        with record.connected(warehouse) as connection:
            migrate(connection)
            if since is None:
                quarantine.refuse_future(connection, "rebuild", admitted=True)
            loads, first = _wanted(connection, since)
            gone = _dropped(connection, first if since else None)
        if gone and not settings.archive_url:
            last = gone[-1].end
            instead = f", or --from {last} or later" if since is None or since < last else ""
            raise UserError(
                f"The raw pages of before {last} were dropped (P2P_RAW_RETENTION_DAYS), and a "
                f"rebuild needs them: set P2P_ARCHIVE_URL to where they were archived{instead}."
            )
        for part in gone:
            on_step(f"bringing back {part.name}")
            _bring_back(warehouse, settings, part)
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        with record.connected(warehouse) as connection:
            if since is None or _is_all(connection, loads):
                arguments.append("--full-refresh")
            else:
                _take_back(connection, loads)
        on_step("building")
        return _build(warehouse, settings, arguments)


def _wanted(
    connection: psycopg.Connection[Any], since: date | None
) -> tuple[list[str], datetime | None]:
    """The loads to tell again, and when the earliest of their readings began.

    Raises:
        UserError: there is nothing to build from.
    """
    there = connection.execute(
        "select to_regclass('staging.price_readings'), to_regclass('ops.admitted_loads')"
    ).fetchone()
    if there is None or None in there:
        raise UserError("Nothing was built yet: run `p2p run` or `p2p demo` first.")
    at = datetime(since.year, since.month, since.day, tzinfo=UTC) if since else "-infinity"
    row = connection.execute(_SINCE, [at]).fetchone()
    loads, first = row or ([], None)
    if not loads:
        raise UserError(f"Nothing has landed since {since}: there is nothing to build again.")
    return loads, first


def _dropped(connection: psycopg.Connection[Any], first: datetime | None) -> list[Partition]:
    """The partitions that were dropped and hold what began at `first` or later, oldest first."""
    if connection.execute("select to_regclass('staging.page_partitions')").fetchone() == (None,):
        return []
    rows = connection.execute(
        "select name, from_day, to_day from staging.page_partitions"
        " where dropped_at is not null and to_day > %s order by to_day",
        [first.astimezone(UTC).date() if first else date.min],
    )
    return [Partition(*row) for row in rows]


def _bring_back(warehouse: Warehouse, settings: Settings, part: Partition) -> None:
    from upkeep.archive import Archive

    try:
        Archive(str(settings.archive_url), settings.home).bring_back(
            warehouse.acting_as(LOADER), part
        )
    except Busy:
        raise UserError(
            "Somebody uses the raw pages: wait until that has ended, or end it."
        ) from None


def _is_all(connection: psycopg.Connection[Any], loads: list[str]) -> bool:
    """Whether some model would be left without any load: it is then told from its beginning."""
    return connection.execute(_NOBODY_ELSE_LEFT, [loads]).fetchone() == (True,)


def _take_back(connection: psycopg.Connection[Any], loads: list[str]) -> None:
    """Have every model process these loads again, and every test look at them.

    They come as late loads do: each model goes back to their earliest reading and computes on
    from there. That they were processed before is kept until a whole build was green, since what
    adds up a day must not add them to what it has.
    """
    with connection.transaction():
        connection.execute("create table if not exists ops.retold_loads (load_id text primary key)")
        for table in ("retold_loads", "loads_under_test"):
            connection.execute(
                sql.SQL(
                    "insert into ops.{} (load_id) select unnest(%s::text[])"
                    " on conflict (load_id) do nothing"
                ).format(sql.Identifier(table)),
                [loads],
            )
        connection.execute("delete from ops.transformed_loads where load_id = any(%s)", [loads])


def _build(warehouse: Warehouse, settings: Settings, arguments: list[str]) -> TransformReport:
    from flows.transform import run_dbt

    report = run_dbt(warehouse, arguments, settings.home / "dbt-rebuild")
    if not report.is_success:
        first = report.failures[0] if report.failures else None
        said = f"{first.node}: {first.message}" if first else "dbt gave no reason"
        raise CheckFailed(f"dbt: {len(report.failures)} failed, the first is {said}")
    return report
