"""Read-only questions to the warehouse: `p2p sql` and what `p2p status` shows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import psycopg

from warehouse.errors import UserError
from warehouse.postgres import Warehouse

SEARCH_PATH = "marts, ops, staging, public"

RUNS = """
select
    run_id,
    state,
    started_at,
    round(extract(epoch from coalesce(finished_at, now()) - started_at)) as seconds,
    books_read,
    books_complete,
    books_unchanged,
    offers,
    requests,
    tests_failed,
    checks_failed,
    checks_warned,
    error
from ops.runs
order by started_at desc
limit 10
"""

BOOKS = """
select
    trading_pair,
    side,
    max(started_at) filter (where is_complete) as last_complete_at,
    round(
        extract(epoch from (select max(started_at) from marts.fact_snapshots)
        - max(started_at) filter (where is_complete)) / 60
    ) as minutes_behind,
    (array_agg(offers_distinct order by started_at desc) filter (where is_complete))[1] as offers,
    round(100.0 * count(*) filter (where is_complete) / count(*)) as complete_pct,
    (array_agg(quality_verdict order by started_at desc))[1] as verdict,
    (array_agg(quality_reasons order by started_at desc))[1] as reasons
from marts.fact_snapshots
where started_at > (select max(started_at) - interval '1 day' from marts.fact_snapshots)
group by trading_pair, side
order by offers desc nulls last, trading_pair, side
"""


@dataclass(frozen=True)
class Answer:
    """Rows with the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def ask(warehouse: Warehouse, question: str) -> Answer:
    """Run one query that may only read.

    Raises:
        UserError: PostgreSQL does not understand it, or it would write.
    """
    try:
        with warehouse.connect() as connection:
            connection.read_only = True
            connection.execute(f"set search_path = {SEARCH_PATH}".encode())
            cursor = connection.execute(question.encode())
            if cursor.description is None:
                return Answer([], [])
            return Answer([column.name for column in cursor.description], cursor.fetchall())
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error)
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        raise UserError(f"The query failed: {said}{hint}") from None


def write_csv(answer: Answer, stream: IO[str]) -> None:
    """Write rows as CSV with a header; a null is an empty field."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
