"""`staging.pages`, a partition a day (UTC): made ahead, and taken off whole when it is old.

The key is the time in a page's `snapshot_id`, so that a reading stands in one partition, whatever
the clock said while its pages were asked for. What no day was made for lands in
`staging.pages_default`, until `cover` makes the day. `staging.page_partitions` says which days are
gone, and where they were archived: rows of it outlive their partitions.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import sql

log = logging.getLogger(__name__)

KEY: LiteralString = """right(snapshot_id, 23) collate "C\""""
"""The time at the end of a snapshot's id, `20261124T133147.123456Z`, which sorts as it is."""
BY_DAY: LiteralString = " partition by range (" + KEY + ")"
AHEAD = 3
"""Days that are made ahead of today."""
DEFAULT = "pages_default"
BEFORE = "pages_before"
"""What had landed before there were days: one partition up to the day on which it became one."""

_LOCK_SECONDS = 5
_BOUND = re.compile(r"FOR VALUES FROM \((?:'(\d{8})'|MINVALUE)\) TO \('(\d{8})'\)")
_GROWN = 1.2
_SAMPLED: LiteralString = "(snapshot_id, _dlt_load_id, page)"

_LEDGER: LiteralString = """
    create table staging.page_partitions (
        name text primary key,
        from_day date,
        to_day date not null,
        pages bigint not null,
        bytes bigint not null,
        archive_load_id text,
        archive_digest text,
        archived_at timestamptz,
        dropped_at timestamptz
    );
    comment on table staging.page_partitions is
        'Partitions of staging.pages that were archived or dropped: from_day up to before to_day.'
"""


class Busy(Exception):
    """Somebody reads or writes the pages, and went on for longer than one waits."""


@dataclass(frozen=True)
class Partition:
    """One partition of `staging.pages`; it holds what is from `first` on and before `end`."""

    name: str
    first: date | None
    end: date

    def holds(self, day: date) -> bool:
        """Whether the readings of `day` stand in it."""
        return (self.first is None or self.first <= day) and day < self.end

    @property
    def table(self) -> sql.Identifier:
        """Its name, for a statement."""
        return sql.Identifier("staging", self.name)


def partitions(connection: psycopg.Connection[Any]) -> list[Partition]:
    """All but the default one, oldest first."""
    bounds = connection.execute(
        """
        select part.relname, pg_get_expr(part.relpartbound, part.oid)
        from pg_inherits as inherits
        inner join pg_class as part on part.oid = inherits.inhrelid
        inner join pg_class as pages on pages.oid = inherits.inhparent
        where pages.relname = 'pages' and pages.relnamespace::regnamespace::text = 'staging'
        """
    )
    found = [
        Partition(name, _day(bound[1]) if bound[1] else None, _day(bound[2]))
        for name, said in bounds
        if (bound := _BOUND.fullmatch(said))
    ]
    return sorted(found, key=lambda partition: partition.end)


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Have `staging.pages` in days, with those of today and ahead; cheap where all is there.

    A table of an older version becomes the first partition. Readers of the pages are waited for
    but shortly: what finds no day lands in the default partition, and is moved by the next turn.
    """
    kind = connection.execute(
        "select relkind::text from pg_class where oid = to_regclass('staging.pages')"
    ).fetchone()
    if kind is None:
        return
    try:
        if kind[0] == "r":
            _divide(connection)
        _make_default(connection)
        cover(connection)
    except Busy:
        log.warning("the pages are in use: partitions are created later")


def cover(connection: psycopg.Connection[Any]) -> list[str]:
    """Make the days that are missing, with what waits for them in the default partition.

    Those are today, the days ahead, and every day since the oldest that was not dropped which the
    default partition has pages of. Returns the partitions made.

    Raises:
        Busy: the default partition is in use.
    """
    today = _today(connection)
    wanted = {today + timedelta(days=ahead) for ahead in range(AHEAD + 1)}
    latest = today + timedelta(days=AHEAD)
    gone = kept_from(connection)
    waiting = connection.execute(
        sql.SQL("select distinct left({}, 8) from staging.{}").format(
            sql.SQL(KEY), sql.Identifier(DEFAULT)
        )
    )
    for (text,) in waiting:
        with suppress(ValueError, TypeError):  # of a row whose id is none of ours
            day = _day(text)
            # A clock that ran years ahead must not make the years between.
            if day <= latest and (gone is None or day >= gone):
                wanted.add(day)
    standing = partitions(connection)
    missing = [day for day in sorted(wanted) if not any(part.holds(day) for part in standing)]
    made = []
    for day in missing:
        partition = Partition(f"pages_{day:%Y%m%d}", day, day + timedelta(days=1))
        with locked(connection):
            if any(part.holds(day) for part in partitions(connection)):
                continue  # somebody else has made it since
            create_apart(connection, partition)
            attach(connection, partition)
        made.append(partition.name)
    if made:
        log.info("partitions created", extra={"partitions": ",".join(made)})
    return made


def create_apart(connection: psycopg.Connection[Any], partition: Partition) -> None:
    """Make the table of a partition, not yet one."""
    connection.execute(
        sql.SQL("create table {} (like staging.pages including defaults including storage)").format(
            partition.table
        )
    )


def attach(connection: psycopg.Connection[Any], partition: Partition) -> None:
    """Make a table a partition, and move to it what the default one holds of its days.

    Inside a transaction. The default partition is locked before it is looked at: a row that
    landed there in between would else be in the way.
    """
    end = sql.Literal(f"{partition.end:%Y%m%d}")
    first = sql.Literal(f"{partition.first:%Y%m%d}") if partition.first else sql.SQL("minvalue")
    since = sql.Literal(f"{partition.first:%Y%m%d}" if partition.first else "")
    connection.execute("lock table staging.pages_default in access exclusive mode")
    connection.execute(
        sql.SQL(
            """
            with moved as (
                delete from staging.pages_default
                where {key} >= {since} and {key} < {end} returning *
            )
            insert into {table} select * from moved
            """
        ).format(key=sql.SQL(KEY), since=since, end=end, table=partition.table)
    )
    connection.execute(
        sql.SQL(
            "alter table staging.pages attach partition {} for values from ({}) to ({})"
        ).format(partition.table, first, end)
    )


def drop(
    connection: psycopg.Connection[Any],
    partition: Partition,
    expected: int | None,
    *,
    unless: Callable[[], str | None] = lambda: None,
) -> bool:
    """Take a partition off and write that down, in one transaction.

    `expected` is how many pages were archived of it: where others came since, it stays. So it does
    if `unless`, asked while nobody can add to the pages, names a reason.

    Raises:
        Busy: the pages are in use.
    """
    with locked(connection):
        connection.execute("lock table staging.pages in access exclusive mode")
        pages, size = size_of(connection, partition)
        if (expected is not None and pages != expected) or unless():
            return False
        note(connection, partition, pages, size)
        connection.execute(
            "update staging.page_partitions set dropped_at = now() where name = %s",
            [partition.name],
        )
        for statement in ("alter table staging.pages detach partition {}", "drop table {}"):
            connection.execute(sql.SQL(statement).format(partition.table))
    log.info("partition dropped", extra={"partition": partition.name, "pages": pages})
    return True


def note(connection: psycopg.Connection[Any], partition: Partition, pages: int, size: int) -> None:
    """Have a row for the partition in the ledger."""
    _make_ledger(connection)
    connection.execute(
        """
        insert into staging.page_partitions (name, from_day, to_day, pages, bytes)
        values (%s, %s, %s, %s, %s)
        on conflict (name) do update set pages = excluded.pages, bytes = excluded.bytes
        """,
        [partition.name, partition.first, partition.end, pages, size],
    )


def size_of(connection: psycopg.Connection[Any], partition: Partition) -> tuple[int, int]:
    """Pages in a partition, and bytes on disk with indexes."""
    row = connection.execute(
        sql.SQL("select count(*), pg_total_relation_size({}::regclass) from {}").format(
            sql.Literal(f"staging.{partition.name}"), partition.table
        )
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def kept_from(connection: psycopg.Connection[Any]) -> date | None:
    """The first day of which all pages are there; None where none were ever dropped."""
    if not _has_ledger(connection):
        return None
    row = connection.execute(
        "select max(to_day) from staging.page_partitions where dropped_at is not null"
    ).fetchone()
    return row[0] if row else None


def analyze(connection: psycopg.Connection[Any]) -> None:
    """Bring the planner's statistics up to what has landed; the whole only when it has grown."""
    today = _today(connection)
    recent = [today - timedelta(days=1), today]
    names = [part.name for part in partitions(connection) if any(part.holds(day) for day in recent)]
    for name in [*names, DEFAULT]:
        connection.execute(
            sql.SQL("analyze {} {}").format(sql.Identifier("staging", name), sql.SQL(_SAMPLED))
        )
    row = connection.execute(
        """
        select
            sum(greatest(part.reltuples, 0)) > %s * max(parent.reltuples)
            or max(parent.reltuples) < 0
        from pg_class as parent
        inner join pg_inherits as inherits on inherits.inhparent = parent.oid
        inner join pg_class as part on part.oid = inherits.inhrelid
        where parent.oid = to_regclass('staging.pages')
        """,
        [_GROWN],
    ).fetchone()
    if row and row[0]:
        connection.execute(sql.SQL("analyze staging.pages {}").format(sql.SQL(_SAMPLED)))


@contextmanager
def locked(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction that waits but shortly for others that use the pages.

    Raises:
        Busy: it waited in vain, and nothing was done.
    """
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'".encode())
            connection.execute("set local statement_timeout = 0")
            connection.execute("select pg_advisory_xact_lock(hashtext('p2p:partitions'))")
            yield
    except psycopg.errors.LockNotAvailable as error:
        raise Busy from error


def _divide(connection: psycopg.Connection[Any]) -> None:
    """Make the one table of an older version the first partition of a new parent.

    Nothing is copied: its rows are only looked at once, for the newest day among them. Views go by
    what a table is, not by its name, so those on it are told the new one.
    """
    with locked(connection):
        connection.execute("lock table staging.pages in access exclusive mode")
        newest = connection.execute(
            sql.SQL("select max(left({}, 8)) from staging.pages").format(sql.SQL(KEY))
        ).fetchone()
        today = _today(connection)
        end = today + timedelta(days=1)
        if newest and newest[0]:
            with suppress(ValueError):
                end = max(end, _day(newest[0]) + timedelta(days=1))
        before = Partition(BEFORE, None, end)
        views = connection.execute(
            """
            select distinct named.nspname, view.relname, pg_get_viewdef(view.oid)
            from pg_depend as needs
            inner join pg_rewrite as rule on rule.oid = needs.objid
            inner join pg_class as view on view.oid = rule.ev_class and view.relkind = 'v'
            inner join pg_namespace as named on named.oid = view.relnamespace
            where
                needs.refobjid = to_regclass('staging.pages')
                and needs.classid = 'pg_rewrite'::regclass
            """
        ).fetchall()
        granted = connection.execute(
            "select grantee, privilege_type from information_schema.role_table_grants"
            " where table_schema = 'staging' and table_name = 'pages' and grantee != grantor"
        ).fetchall()
        indexes = connection.execute(
            "select indexrelid::regclass::text, relname from pg_index"
            " inner join pg_class on pg_class.oid = indexrelid"
            " where indrelid = to_regclass('staging.pages')"
        ).fetchall()
        for index, name in indexes:
            connection.execute(
                sql.SQL("alter index {} rename to {}").format(
                    sql.SQL(index), sql.Identifier(f"{BEFORE}_{name.removeprefix('pages_')}")
                )
            )
        connection.execute(
            sql.SQL("alter table staging.pages rename to {}").format(sql.Identifier(BEFORE))
        )
        connection.execute(
            sql.SQL(
                "create table staging.pages (like {} including defaults including storage)"
            ).format(before.table)
            + sql.SQL(BY_DAY)
        )
        _make_default(connection)
        attach(connection, before)
        for grantee, privilege in granted:
            connection.execute(
                sql.SQL("grant {} on staging.pages to {}").format(
                    sql.SQL(privilege),
                    sql.SQL("public") if grantee == "PUBLIC" else sql.Identifier(grantee),
                )
            )
        for schema, name, definition in views:
            connection.execute(
                sql.SQL("create or replace view {} as {}").format(
                    sql.Identifier(schema, name), sql.SQL(definition)
                )
            )
    log.info("pages are partitioned by day now", extra={"before": str(end)})


def _make_default(connection: psycopg.Connection[Any]) -> None:
    if connection.execute("select to_regclass('staging.pages_default')").fetchone() == (None,):
        connection.execute(
            "create table if not exists staging.pages_default partition of staging.pages default"
        )


def _has_ledger(connection: psycopg.Connection[Any]) -> bool:
    found = connection.execute("select to_regclass('staging.page_partitions')").fetchone()
    return found != (None,)


def _make_ledger(connection: psycopg.Connection[Any]) -> None:
    if not _has_ledger(connection):
        connection.execute(_LEDGER)


def _today(connection: psycopg.Connection[Any]) -> date:
    """The server's day in UTC, since the clocks of two loaders may differ."""
    row = connection.execute("select (now() at time zone 'UTC')::date").fetchone()
    assert row is not None  # noqa: S101 - a query of one row
    return row[0]  # type: ignore[no-any-return]


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{8}", text):
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))
