"""What there is to watch of a warehouse: sums over its runs, and how it stands.

Each run is a process of its own, so what is counted is read from `ops` and added up here.
A run that has ended is added once and kept, so that a look costs as much after years, and a sum
never falls, whatever becomes of the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from warehouse.partitions import partitions

if TYPE_CHECKING:
    import psycopg

Sums = Counter[tuple[str, str]]
"""By name and label; the label of most is empty."""

# What any run that asks the exchange counts, and what a cycle does beside that.
ASKED = ("retries", "bytes", "blocked_seconds", "waited_seconds", "breaker_opened")
COUNTED = (
    *ASKED,
    "books_planned",
    "books_read",
    "books_complete",
    "books_unchanged",
    "books_cut_short",
    "offers",
    "pages",
    "pages_landed",
    "cleaned_characters",
    "models_failed",
    "tests_failed",
    "checks_failed",
    "checks_warned",
)
SIDES = ("BUY", "SELL")
_EVER = datetime.min.replace(tzinfo=UTC)
# Clocks of several machines may disagree by less, and no cycle lasts as long.
_HORIZON = timedelta(days=1)

_SUMS = f"""
with chosen as (
    select seconds_by_step, requests_by_outcome, request_seconds, {", ".join(COUNTED)}
    from ops.runs
    where run_id = any(%(run_ids)s)
    union all
    select
        '{{}}', requests_by_outcome, request_seconds,
        {", ".join(name if name in ASKED else "null" for name in COUNTED)}
    from ops.catalogue_runs
    where run_id = any(%(run_ids)s)
)

select counted.name, '' as label, sum(counted.value)::double precision as value
from chosen
cross join lateral (
    values {", ".join(f"('{name}', {name}::double precision)" for name in COUNTED)}
) as counted (name, value)
where counted.value is not null
group by counted.name
union all
select 'steps', step.key, sum(step.value::double precision)
from chosen
cross join lateral jsonb_each_text(chosen.seconds_by_step) as step
group by step.key
union all
select 'requests', outcome.key, sum(outcome.value::double precision)
from chosen
cross join lateral jsonb_each_text(chosen.requests_by_outcome) as outcome
group by outcome.key
union all
select
    'request_seconds',
    '',
    coalesce(sum((chosen.request_seconds ->> 'sum')::double precision), 0)
from chosen
union all
select 'request_buckets', bucket.nth::text, sum(bucket.value::double precision)
from chosen
cross join lateral jsonb_array_elements_text(chosen.request_seconds -> 'buckets')
    with ordinality as bucket (value, nth)
group by bucket.nth
"""  # noqa: S608 - the names are those above

_RUNS = """
select run_id, state, started_at, finished_at is null as is_open, true as is_cycle from ops.runs
where started_at > %(since)s
union all
select run_id, state, started_at, finished_at is null, false from ops.catalogue_runs
where started_at > %(since)s
"""

_LATEST = """
with ended as (
    select * from ops.runs where finished_at is not null order by started_at desc limit 1
),

known as (
    select breaker_state, requests_per_second
    from (
        (
            select breaker_state, requests_per_second, started_at from ops.runs
            where breaker_state is not null
            order by started_at desc
            limit 1
        )
        union all
        (
            select breaker_state, requests_per_second, started_at from ops.catalogue_runs
            where breaker_state is not null
            order by started_at desc
            limit 1
        )
    ) as latest
    order by started_at desc
    limit 1
),

planned as (
    select books_listed from ops.runs
    where books_listed is not null
    order by started_at desc
    limit 1
),

recoveries as (
    select
        recovered,
        bool_or(recovered = 'nothing') over (order by started_at desc) as is_over
    from (
        select recovered, started_at from ops.runs
        where recovered is not null
        order by started_at desc
        limit 10
    ) as latest
)

select
    (
        select finished_at from ops.runs
        where state = 'success'
        order by started_at desc
        limit 1
    ) as succeeded_at,
    known.breaker_state,
    known.requests_per_second,
    planned.books_listed,
    ended.checks_failed,
    ended.checks_warned,
    coalesce(ended.models_failed, 0) + coalesce(ended.tests_failed, 0) as dbt_failed,
    (select count(*) from recoveries where not is_over) as recoveries_in_a_row,
    pg_database_size(current_database()) as database_bytes
from (values (1)) as one
left join ended on true
left join known on true
left join planned on true
"""

_HEALTH = """
select
    count(*) filter (where is_stale) as stale,
    (avg(coverage_pct) filter (where is_listed and last_read_at is not null))::double precision
    / 100 as coverage
from marts.data_health
"""

_BOOKS = """
select
    wanted.fiat || '/' || wanted.asset as pair,
    sides.side,
    health.last_complete_at as complete_at
from unnest(%s::text[], %s::text[]) as wanted (fiat, asset)
cross join (values ('BUY'), ('SELL')) as sides (side)
left join marts.data_health as health
    on
        wanted.fiat = health.fiat_code
        and wanted.asset = health.asset_code
        and sides.side = health.side
"""

# Pairs by name only where they are named in the settings: what the exchange lists makes no series.
_ALERTS = """
select
    alerts.rule,
    case when wanted.fiat is null then 'other' else wanted.fiat || '/' || wanted.asset end as pair,
    count(*) as count
from marts.market_alerts as alerts
left join unnest(%s::text[], %s::text[]) as wanted (fiat, asset)
    on alerts.fiat_code = wanted.fiat and alerts.asset_code = wanted.asset
where alerts.fired_at <= %s and alerts.cooled_at > %s
group by 1, 2
order by 1, 2
"""


@dataclass(frozen=True)
class Alerts:
    """How many alerts of a rule have not cooled down, for a watched pair or for the rest."""

    rule: str
    pair: str
    count: int


@dataclass(frozen=True)
class Book:
    """A book that is watched by name."""

    pair: str
    side: str
    complete_at: datetime | None = None


@dataclass(frozen=True)
class Sight:
    """How the warehouse stood at one time."""

    at: datetime
    sums: Sums
    is_running: bool = False
    succeeded_at: datetime | None = None
    breaker_state: str | None = None
    requests_per_second: float | None = None
    books_listed: int | None = None
    failures: dict[str, int] = field(default_factory=dict)
    """Of the last cycle that ended, by `check`, `warning` and `dbt`."""
    recoveries_in_a_row: int = 0
    """How many of the last cycles, without a gap, found packages that the one before had left."""
    database_bytes: int = 0
    covered_until: datetime | None = None
    """Until when `staging.pages` has a partition for each day; None before there are pages."""
    stale_books: int | None = None
    coverage: float | None = None
    books: tuple[Book, ...] = ()
    alerts: tuple[Alerts, ...] = ()


class Watch:
    """Looks at one warehouse again and again."""

    def __init__(self, hot: Iterable[tuple[str, str]]) -> None:
        """Name the books of these pairs one by one."""
        self._hot = list(hot)
        self._ended: Sums = Counter()
        self._added: dict[str, datetime] = {}
        self._shown: Sums = Counter()

    def look(self, connection: psycopg.Connection[Any], at: datetime) -> Sight:
        """How it stands at `at`, which is now. `ops.record.prepare` has seen to the tables."""
        sums, is_running = self._add_up(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            latest = cursor.execute(_LATEST).fetchone() or {}
            health: dict[str, Any] = {}
            alerts: tuple[Alerts, ...] = ()
            books = tuple(
                Book(f"{fiat}/{asset}", side) for fiat, asset in self._hot for side in SIDES
            )
            fiats, assets = ([pair[part] for pair in self._hot] for part in (0, 1))
            if _is_there(connection, "marts.data_health"):
                health = cursor.execute(_HEALTH).fetchone() or {}
                books = tuple(Book(**row) for row in cursor.execute(_BOOKS, [fiats, assets]))
            if _is_there(connection, "marts.market_alerts"):
                standing = cursor.execute(_ALERTS, [fiats, assets, at, at])
                alerts = tuple(Alerts(**row) for row in standing)
        return Sight(
            at=at,
            sums=sums,
            is_running=is_running,
            succeeded_at=latest["succeeded_at"],
            breaker_state=latest["breaker_state"],
            requests_per_second=latest["requests_per_second"],
            books_listed=latest["books_listed"],
            failures={
                "check": latest["checks_failed"] or 0,
                "warning": latest["checks_warned"] or 0,
                "dbt": latest["dbt_failed"],
            },
            recoveries_in_a_row=latest["recoveries_in_a_row"],
            database_bytes=latest["database_bytes"],
            covered_until=_covered_until(connection, at),
            stale_books=health.get("stale"),
            coverage=health.get("coverage"),
            books=books,
            alerts=alerts,
        )

    def _add_up(self, connection: psycopg.Connection[Any]) -> tuple[Sums, bool]:
        """All runs so far, the one that is open as far as it got; and whether a cycle runs."""
        since = max(self._added.values(), default=_EVER) - _HORIZON if self._added else _EVER
        runs = connection.execute(_RUNS, {"since": since}).fetchall()
        open_now = [run_id for run_id, _, _, is_open, _ in runs if is_open]
        news = [run for run in runs if not run[3] and run[0] not in self._added]
        if news:
            self._ended += _sums(connection, [run_id for run_id, *_ in news])
            self._ended += Counter(
                ("cycles", state) for _, state, _, _, is_cycle in news if is_cycle
            )
            self._added |= {run_id: started_at for run_id, _, started_at, *_ in news}
            self._added = {run_id: at for run_id, at in self._added.items() if at > since}
        # The greater of two looks: a step that is tried again begins to count again.
        self._shown |= self._ended + (_sums(connection, open_now) if open_now else Counter())
        return self._shown.copy(), any(is_open and is_cycle for *_, is_open, is_cycle in runs)


def _sums(connection: psycopg.Connection[Any], run_ids: list[str]) -> Sums:
    found = connection.execute(_SUMS, {"run_ids": run_ids})
    return Counter({(name, label): value for name, label, value in found})


def _is_there(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", [table]).fetchone()
    return bool(row and row[0])


def _covered_until(connection: psycopg.Connection[Any], at: datetime) -> datetime | None:
    standing = partitions(connection)
    if not standing:
        return None
    day = at.astimezone(UTC).date()
    for partition in standing:
        if partition.holds(day):
            day = partition.end
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
