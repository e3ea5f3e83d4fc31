"""What keeps a warehouse small and quick, once a day: days of pages, the archive, old rows.

In an order in which nothing is lost: days ahead are made first, an old day is archived and read
back before it is dropped, and none is dropped whose readings the facts have not taken in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import sql

from warehouse import partitions
from warehouse.clock import utc_now
from warehouse.partitions import Busy, Partition
from warehouse.postgres import Warehouse, single_writer
from warehouse.roles import LOADER, TRANSFORMER

if TYPE_CHECKING:
    import psycopg

    from warehouse.settings import Settings

log = logging.getLogger(__name__)

PAGE_READERS = (
    "dim_advertisers",
    "dim_payment_methods",
    "fact_advertiser_statistics",
    "fact_offers",
    "fact_snapshots",
)
"""The models that are told from raw pages: what all of them have taken in is needed no more."""

_BLOATED, _WORTH_IT = 2.5, 8_000_000  # times the size that its rows need; bytes

_UNREAD = """
    select readings._dlt_load_id
    from staging.snapshots as readings
    inner join staging._dlt_loads as loads
        on readings._dlt_load_id = loads.load_id and loads.status = 0
    where
        readings.started_at < %(end)s
        and readings.started_at >= %(first)s
        and readings._dlt_load_id not in (select load_id from ops.quarantined_loads)
        and (
            select count(*) from ops.transformed_loads as taken
            where taken.load_id = readings._dlt_load_id and taken.model = any(%(models)s)
        ) < cardinality(%(models)s::text[])
    limit 1
"""

_STALE = """
    select tables.schemaname, tables.relname
    from pg_stat_user_tables as tables
    inner join pg_class as relation on relation.oid = tables.relid
    where
        tables.schemaname in ('staging', 'marts', 'ops')
        and relation.relkind = 'r'
        and pg_has_role(relation.relowner, 'USAGE')
        and (
            tables.n_dead_tup > 0
            or tables.n_mod_since_analyze > 0
            or coalesce(tables.last_vacuum, tables.last_autovacuum) is null
        )
    order by tables.schemaname, tables.relname
"""

# A row of an index is its columns, some 12 bytes of heads, and in the mean a page is 70% full.
_SWOLLEN = """
    select tables.nspname, index.relname
    from pg_index as indexes
    inner join pg_class as index on index.oid = indexes.indexrelid
    inner join pg_class as relation on relation.oid = indexes.indrelid
    inner join pg_namespace as tables on tables.oid = relation.relnamespace
    cross join lateral (
        select coalesce(sum(coalesce(stats.avg_width, 16)), 16) as width
        from unnest(indexes.indkey::smallint[]) as keyed (attnum)
        inner join pg_attribute as columns
            on columns.attrelid = relation.oid and columns.attnum = keyed.attnum
        left join pg_stats as stats
            on
                stats.schemaname = tables.nspname
                and stats.tablename = relation.relname
                and stats.attname = columns.attname
    ) as columns
    where
        tables.nspname in ('staging', 'marts', 'ops')
        and index.relkind = 'i'
        and pg_has_role(relation.relowner, 'USAGE')
        and (
            not indexes.indisvalid
            or (
                pg_relation_size(index.oid) > %(least)s
                and pg_relation_size(index.oid)
                > %(times)s * greatest(relation.reltuples, 0) * (columns.width + 12) / 0.7
            )
        )
    order by tables.nspname, index.relname
"""


@dataclass
class UpkeepReport:
    """What was done, and what was left for the next time and why."""

    made: list[str] = field(default_factory=list)
    """Partitions of days."""
    archived: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """Partitions that are old enough and still there, with the reason."""
    vacuumed: int = 0
    reindexed: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """All of it, for a terminal."""
        said = [
            f"{len(self.made)} partitions created, {len(self.archived)} archived, "
            f"{len(self.dropped)} dropped; {self.vacuumed} tables vacuumed, "
            f"{len(self.reindexed)} indexes rebuilt."
        ]
        return said + [f"{name} stays: {reason}." for name, reason in self.left.items()]


def maintain(
    warehouse: Warehouse, settings: Settings, *, now: datetime | None = None
) -> UpkeepReport:
    """Do what is due. It is idempotent, and a killed run leaves nothing incomplete.

    Raises:
        UserError: another one is at it, or the archive cannot be written to or read back.
    """
    report = UpkeepReport()
    loading, transforming = (
        warehouse.acting_as(role).with_session(statement_timeout="0")
        for role in (LOADER, TRANSFORMER)
    )
    with single_writer(loading, "upkeep"), loading.connect(autocommit=True) as connection:
        if connection.execute("select to_regclass('staging.pages')").fetchone() != (None,):
            partitions.prepare(connection)
            try:
                report.made = partitions.cover(connection)
            except Busy:
                report.left[partitions.DEFAULT] = "somebody uses the pages"
            if settings.raw_retention_days:
                end = (now or utc_now()) - timedelta(days=settings.raw_retention_days)
                _drop_old(connection, loading, settings, end, report)
            partitions.analyze(connection)
        _vacuum(connection, report)
        if transforming != loading:
            with transforming.connect(autocommit=True) as other:
                _vacuum(other, report)
    log.info(
        "upkeep done",
        extra={
            "made": len(report.made),
            "archived": len(report.archived),
            "dropped": len(report.dropped),
            "left": len(report.left),
            "vacuumed": report.vacuumed,
            "reindexed": len(report.reindexed),
        },
    )
    return report


def _drop_old(
    connection: psycopg.Connection[Any],
    warehouse: Warehouse,
    settings: Settings,
    end: datetime,
    report: UpkeepReport,
) -> None:
    """Archive and drop whole days of before `end`, oldest first, up to the first that has to stay.

    What is left is then always what is from one day on.
    """
    old = [part for part in partitions.partitions(connection) if part.end <= end.date()]
    for part in old:
        reason = _reason_to_keep(connection, part)
        if reason is None:
            expected = None
            if settings.archive_url:
                expected = _archived_pages(connection, part)
                if expected is None:
                    from upkeep.archive import Archive

                    expected = Archive(settings.archive_url, settings.home).keep(warehouse, part)
                    report.archived.append(part.name)
            try:
                is_dropped = partitions.drop(
                    connection, part, expected, unless=partial(_reason_to_keep, connection, part)
                )
                reason = None if is_dropped else "pages came to it since; the next turn takes them"
            except Busy:
                reason = "somebody uses the pages"
        if reason:
            report.left |= dict.fromkeys([left.name for left in old[old.index(part) :]], reason)
            return
        report.dropped.append(part.name)
    _drop_stragglers(connection, end)


def _reason_to_keep(connection: psycopg.Connection[Any], part: Partition) -> str | None:
    """Why its pages are needed still, if they are: facts that have not been told from them."""
    there = connection.execute(
        "select to_regclass('ops.transformed_loads') is not null"
        " and to_regclass('ops.quarantined_loads') is not null"
    ).fetchone()
    if there != (True,):
        return "no cycle has told the facts from it"
    unread = connection.execute(
        _UNREAD,
        {
            "first": _midnight(part.first) if part.first else "-infinity",
            "end": _midnight(part.end),
            "models": list(PAGE_READERS),
        },
    ).fetchone()
    return f"the facts have not taken in the load {unread[0]} of it" if unread else None


def _archived_pages(connection: psycopg.Connection[Any], part: Partition) -> int | None:
    """How many pages of it the archive holds, if those are what it has now."""
    pages, _ = partitions.size_of(connection, part)
    if connection.execute("select to_regclass('staging.page_partitions')").fetchone() == (None,):
        return None
    row = connection.execute(
        "select pages from staging.page_partitions"
        " where name = %s and archive_load_id is not null and pages = %s",
        [part.name, pages],
    ).fetchone()
    return int(row[0]) if row else None


def _drop_stragglers(connection: psycopg.Connection[Any], end: datetime) -> None:
    """Remove pages that came after their day was dropped, once that is as long ago.

    No model ever read them; until then whoever wonders why can look at them.
    """
    first = partitions.kept_from(connection)
    if first is not None:
        connection.execute(
            sql.SQL(
                """
                delete from staging.pages_default
                where
                    {} < %s
                    and _dlt_load_id not in (
                        select load_id from staging._dlt_loads where inserted_at >= %s
                    )
                """
            ).format(sql.SQL(partitions.KEY)),
            [f"{first:%Y%m%d}", end],
        )


def _vacuum(connection: psycopg.Connection[Any], report: UpkeepReport) -> None:
    """Clear away dead rows, tell the planner what there is, and make swollen indexes again.

    The server's own vacuum does this too, but late for tables that only grow, and it never looks at
    the whole of a partitioned one.
    """
    for schema, name in connection.execute(_STALE).fetchall():
        connection.execute(
            sql.SQL("vacuum (analyze, skip_locked) {}").format(sql.Identifier(schema, name))
        )
        report.vacuumed += 1
    swollen = connection.execute(_SWOLLEN, {"least": _WORTH_IT, "times": _BLOATED}).fetchall()
    for schema, name in swollen:
        connection.execute(
            sql.SQL("reindex index concurrently {}").format(sql.Identifier(schema, name))
        )
        report.reindexed.append(name)


def _midnight(day: Any) -> datetime:
    """When a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
