"""Read-only questions to the warehouse: `p2p sql` and what `p2p status` shows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import psycopg
from psycopg.types.string import TextLoader

from load.text import OBEYED, REPLACEMENT
from warehouse.errors import UserError
from warehouse.log import escape
from warehouse.masking import quoted
from warehouse.postgres import Warehouse

NO_QUERY = (
    'There is no query: give one, as in p2p sql "select * from market_now", or -f FILE, '
    "or -f - for standard input."
)
SEVERAL = "These are several statements, and p2p sql takes one: ask them one by one."

SEARCH_PATH = "marts, ops, staging, public"

RUNS = """
select
    run_id as run,
    state,
    round(extract(epoch from coalesce(finished_at, now()) - started_at)) as s,
    books_read as books,
    books_complete as whole,
    books_unchanged as same,
    offers,
    requests as reqs,
    coalesce(tests_failed, 0) + coalesce(checks_failed, 0) as red,
    checks_warned as warn
from ops.runs
order by started_at desc
limit 10
"""

# By name, since a warehouse that no cycle of this version has met lacks the last three.
BREAKER = """
select
    breaker_state,
    coalesce(throttled, 0) as throttled,
    coalesce((to_jsonb(runs) ->> 'breaker_opened')::integer, 0) as breaker_opened,
    coalesce((to_jsonb(runs) ->> 'blocked_seconds')::double precision, 0) as blocked_seconds,
    (to_jsonb(runs) ->> 'requests_per_second')::double precision as requests_per_second
from ops.runs as runs
where breaker_state is not null
order by started_at desc
limit 1
"""

SIMULATED = "select from ops.runs where (to_jsonb(runs) ->> 'is_simulated')::boolean limit 1"

ERRORS = """
select run_id, error
from (select * from ops.runs order by started_at desc limit 10) as latest
where error is not null
order by started_at desc
"""

DRIFT = """
select kind, path, what, example, count(*) over () as times
from ops.drift
where first_seen_at > now() - interval '168 hours'
order by first_seen_at desc, kind, path
limit 1
"""

BOOKS = """
with latest as (
    select max(started_at) as started_at from marts.fact_snapshots
)

select
    snapshots.trading_pair as pair,
    snapshots.side,
    to_char(
        max(snapshots.started_at) filter (where snapshots.is_complete) at time zone 'UTC',
        'MM-DD HH24:MI'
    ) as "whole at, UTC",
    round(
        extract(
            epoch from now()
            - max(snapshots.started_at) filter (where snapshots.is_complete)
        ) / 60
    ) as "min old",
    (
        array_agg(snapshots.offers_distinct order by snapshots.started_at desc)
        filter (where snapshots.is_complete)
    )[1] as offers,
    round(100.0 * count(*) filter (where snapshots.is_complete) / count(*)) as "whole, %",
    (array_agg(snapshots.quality_verdict order by snapshots.started_at desc))[1] as verdict,
    (array_agg(snapshots.quality_reasons order by snapshots.started_at desc))[1] as reasons
from marts.fact_snapshots as snapshots
cross join latest
where snapshots.started_at > latest.started_at - interval '24 hours'
group by snapshots.trading_pair, snapshots.side, latest.started_at
order by offers desc nulls last, pair, snapshots.side
"""


RATES = """
with latest as (
    select max(day) as day from marts.official_rates
)

select
    rates.rate_kind as kind,
    rates.rate_source as source,
    max(rates.rate_date)::text as "newest of",
    min(rates.days_carried) as "days old",
    count(*) as fiats,
    count(*) filter (where rates.is_carried_forward) as carried,
    count(*) filter (where rates.withheld_rate is not null) as withheld
from marts.official_rates as rates
inner join latest on rates.day = latest.day
group by rates.rate_kind, rates.rate_source
order by fiats desc, kind, source
"""


@dataclass(frozen=True)
class Answer:
    """Rows with the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    oids: Sequence[int] = ()
    """PostgreSQL's number of the type of each column."""


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection on which nothing can be written, and every schema of ours is found.

    All that is asked on it is told of one state of the warehouse.

    Raises:
        UserError: what was asked on it failed; one line with what PostgreSQL said.
    """
    try:
        with warehouse.connect() as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # What is asked may end this transaction: the next one is to read only as well.
            connection.execute("set default_transaction_read_only = on")
            connection.execute(f"set search_path = {SEARCH_PATH}".encode())
            yield connection
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error)
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        raise UserError(f"The query failed: {quoted(said + hint)}") from None


def ask(warehouse: Warehouse, question: str, parameters: Sequence[Any] | None = None) -> Answer:
    """Run one query that may only read.

    Raises:
        UserError: it is empty or several, PostgreSQL does not understand it, or it would write.
    """
    with reading(warehouse) as connection:
        for kind in ("json", "jsonb"):  # as it landed, however deep, and not as Python says it
            connection.adapters.register_loader(kind, TextLoader)
        with connection.cursor() as cursor:
            try:
                # Streamed, which takes the protocol in which a second statement is refused.
                rows = list(cursor.stream(question.encode(), parameters))
            except psycopg.errors.SyntaxError as error:
                if "multiple commands" in (error.diag.message_primary or ""):
                    raise UserError(SEVERAL) from None
                raise
            except (psycopg.ProgrammingError, psycopg.InternalError) as error:
                if error.sqlstate is not None:
                    raise
                if "EMPTY_QUERY" in str(error):  # nothing but space and comments
                    raise UserError(NO_QUERY) from None
                return Answer([], [])  # a statement without rows, such as `set`
        # Not by the cursor, which was told of no column where no row came.
        columns = connection.pgconn.describe_prepared(b"")
        return Answer(
            [(columns.fname(number) or b"").decode() for number in range(columns.nfields)],
            rows,
            [columns.ftype(number) for number in range(columns.nfields)],
        )


def write_csv(answer: Answer, stream: IO[str]) -> None:
    """Write rows as CSV with a header; a null is an empty field.

    A terminal would obey what an attacker wrote into a text, and who looks at a file does so on
    one: there such characters are U+FFFD, on the terminal itself they are spelled out.
    """
    writer = csv.writer(stream, lineterminator="\n")
    write = escape if stream.isatty() else partial(re.sub, OBEYED, REPLACEMENT.decode())
    for row in [answer.columns, *answer.rows]:
        writer.writerow(
            [
                value if value is None or isinstance(value, int | float) else write(str(value))
                for value in row
            ]
        )
