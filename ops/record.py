"""The record of what was run, in the schema `ops`: cycles, results of checks, refused loads."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from ops.migrations import is_current
from warehouse.errors import UserError, hide
from warehouse.log import words_of
from warehouse.postgres import CLOCKS_DISAGREE
from warehouse.roles import TRANSFORMER

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from warehouse.postgres import Warehouse

log = logging.getLogger(__name__)

CYCLES, CATALOGUES = "runs", "catalogue_runs"
"""The tables of what asks the exchange."""

ZOMBIE = "the process ended without a word (killed, or the machine stopped)"


def open_run(
    connection: psycopg.Connection[Any], run_id: str, started_at: datetime, table: str = CYCLES
) -> None:
    """Record that a run began. Whoever calls holds the lock, so any other that runs is dead."""
    with connection.transaction():
        for each in (CYCLES, CATALOGUES):
            # The last of all would else be one that a clock once ahead has dated.
            connection.execute(
                sql.SQL(
                    "update ops.{} set started_at = now(), finished_at = least(finished_at, now())"
                    " where started_at > now() + %s"
                ).format(sql.Identifier(each)),
                [CLOCKS_DISAGREE],
            )
            connection.execute(
                sql.SQL(
                    "update ops.{} set state = 'failed', error = %s, finished_at = now()"
                    " where state = 'running'"
                ).format(sql.Identifier(each)),
                [ZOMBIE],
            )
        connection.execute(
            sql.SQL(
                "insert into ops.{} (run_id, state, started_at) values (%s, 'running', %s)"
            ).format(sql.Identifier(table)),
            [run_id, started_at],
        )


def holds_simulated(connection: psycopg.Connection[Any]) -> bool | None:
    """Whether a simulated exchange gave what has landed; None where no run has recorded it."""
    if not is_current(connection):
        return None
    known = connection.execute(
        """
        select is_simulated
        from (
            select is_simulated, started_at from ops.runs
            union all
            select is_simulated, started_at from ops.catalogue_runs
        ) as runs
        where is_simulated is not null
        order by started_at desc
        limit 1
        """
    ).fetchone()
    return known[0] if known else None


def is_due(connection: psycopg.Connection[Any], interval: timedelta) -> bool:
    """Whether no cycle began within the last `interval`."""
    begun = connection.execute(
        "select 1 from ops.runs where started_at > now() - %s and started_at <= now() + %s limit 1",
        [interval, CLOCKS_DISAGREE],
    )
    return begun.fetchone() is None


def note(
    connection: psycopg.Connection[Any],
    run_id: str,
    facts: Mapping[str, Any],
    table: str = CYCLES,
) -> None:
    """Record facts of a run; their names are columns of the table."""
    values = [Jsonb(value) if isinstance(value, dict) else value for value in facts.values()]
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column)) for column in facts
    )
    with connection.transaction():
        connection.execute(
            sql.SQL("update ops.{} set {} where run_id = %s").format(
                sql.Identifier(table), assignments
            ),
            [*values, run_id],
        )


def keep_pulse(
    warehouse: Warehouse, run_id: str, facts: Mapping[str, Any], table: str = CYCLES
) -> None:
    """Record how a run stands, for whoever watches it; that costs the run nothing."""
    try:
        with connected(warehouse) as connection:
            note(connection, run_id, facts, table)
    except UserError as gone:  # the loader will meet it itself
        log.info("heartbeat not recorded", extra={"run_id": run_id, "why": str(gone)})


def note_seconds(
    connection: psycopg.Connection[Any], run_id: str, seconds: Mapping[str, float]
) -> None:
    """Add the seconds that steps took."""
    rounded = {step: round(spent, 3) for step, spent in seconds.items()}
    with connection.transaction():
        connection.execute(
            "update ops.runs set seconds_by_step = seconds_by_step || %s where run_id = %s",
            [Jsonb(rounded), run_id],
        )


def record_checks(
    connection: psycopg.Connection[Any], run_id: str, results: Iterable[Mapping[str, Any]]
) -> None:
    """Record what a suite found, a mapping for each check; said twice, the last word counts."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ops.check_results
                (run_id, suite, name, table_name, severity, success, observed)
            values
                (%(run_id)s, %(suite)s, %(name)s, %(table)s, %(severity)s, %(success)s,
                %(observed)s)
            on conflict (run_id, suite, name) do update
            set success = excluded.success, observed = excluded.observed, checked_at = now()
            """,
            [{**result, "run_id": run_id} for result in results],
        )


def pending_loads(connection: psycopg.Connection[Any]) -> list[str]:
    """The loads that the next transform would take in: finished, not admitted, not refused."""
    if not exists(connection, "staging._dlt_loads"):
        return []
    finished = load_ids_of(connection, "select load_id from staging._dlt_loads where status = 0")
    refused = load_ids_of(connection, "select load_id from ops.quarantined_loads")
    # dbt makes this one in its first run.
    admitted = (
        load_ids_of(connection, "select load_id from ops.admitted_loads")
        if exists(connection, "ops.admitted_loads")
        else set()
    )
    return sorted(finished - refused - admitted)


def admit(connection: psycopg.Connection[Any], load_ids: Iterable[str]) -> None:
    """Let the transform read loads that were checked as they landed.

    A later landing that is refused would else take them with it. Before the first transform there
    is nothing to admit them to, and they are checked with the first landing.
    """
    if not exists(connection, "ops.loads_under_test"):
        return
    with connection.transaction(), connection.cursor() as cursor:
        for load_id in load_ids:
            cursor.execute(
                "insert into ops.admitted_loads (load_id) values (%s) on conflict do nothing",
                [load_id],
            )
            cursor.execute(
                "insert into ops.loads_under_test (load_id) values (%s) on conflict do nothing",
                [load_id],
            )


def exists(connection: psycopg.Connection[Any], relation: str) -> bool:
    """Whether there is such a relation."""
    return connection.execute("select to_regclass(%s)", [relation]).fetchone() != (None,)


def load_ids_of(
    connection: psycopg.Connection[Any], query: LiteralString, *values: Any
) -> set[str]:
    """The loads that a query names."""
    return {load_id for (load_id,) in connection.execute(query, values or None)}


def quarantine(
    connection: psycopg.Connection[Any], run_id: str, load_ids: Iterable[str], reason: str
) -> None:
    """Refuse loads: they stay in staging for whoever wants to look, and are never transformed."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.quarantined_loads (load_id, run_id, reason) values (%s, %s, %s)"
            " on conflict (load_id) do nothing",
            [(load_id, run_id, reason) for load_id in load_ids],
        )


def take_drift(connection: psycopg.Connection[Any]) -> None:
    """Take over what the loader's drift watch landed, also in a cycle that was killed after it."""
    if not (exists(connection, "staging.drift") and exists(connection, "staging._dlt_loads")):
        return  # a cycle that was stopped before anything has landed leaves only the former
    connection.execute(
        """
        insert into ops.drift (run_id, kind, path, what, example, snapshot_id, first_seen_at)
        select run_id, kind, path, what, example, snapshot_id, seen_at
        from staging.drift
        where _dlt_load_id in (select load_id from staging._dlt_loads where status = 0)
        on conflict (run_id, kind, path) do nothing
        """
    )


@contextmanager
def connected(warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """A connection on which each statement is its own transaction, unless said otherwise.

    Raises:
        UserError: the warehouse went away since the cycle began.
    """
    from psycopg import OperationalError

    try:
        with warehouse.acting_as(TRANSFORMER).connect(autocommit=True) as connection:
            yield connection
    except OperationalError as error:
        raise UserError(
            "DATABASE_URL: the warehouse stopped answering in the middle of a cycle "
            f"({words_of(error)}): "
            "the next run goes on from there."
        ) from error
    except Exception as failure:
        hide(failure)  # Prefect keeps what it says
        raise
