"""Loads that no check has to look at to be refused: what they bring is dated as nothing can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops import record
from warehouse.postgres import CLOCKS_DISAGREE

if TYPE_CHECKING:
    import psycopg


def refuse_late(connection: psycopg.Connection[Any], run_id: str) -> list[str]:
    """Refuse loads that bring readings of days whose raw pages were dropped; returns their ids.

    To tell them, their books would have to be told again from pages that are gone. dbt would not
    admit them either; here they get a name, and are waited for no more.
    """
    if not record.exists(connection, "staging.page_partitions"):
        return []
    dropped = connection.execute(
        "select max(to_day)::text from staging.page_partitions where dropped_at is not null"
    ).fetchone()
    if dropped is None or dropped[0] is None:
        return []
    with connection.transaction(), connection.cursor() as cursor:
        late = [
            load_id
            for load_id in record.pending_loads(connection)
            if cursor.execute(
                "select 1 from staging.snapshots where _dlt_load_id = %s"
                " and started_at < %s::timestamp at time zone 'UTC' limit 1",
                [load_id, dropped[0]],
            ).fetchone()
        ]
        if late:
            reason = f"older than the raw pages kept, {dropped[0]}"
            record.quarantine(connection, run_id, late, reason)
    return late


def refuse_future(
    connection: psycopg.Connection[Any], run_id: str, *, admitted: bool = False
) -> list[str]:
    """Refuse loads with readings that a clock far ahead of the server's has dated.

    The latest of a book would be one of these, whatever was read since, until its time has come.
    With `admitted` also those that the facts have; a rebuild of all of them is to follow.
    """
    if not record.exists(connection, "staging.snapshots"):
        return []
    future = record.load_ids_of(
        connection,
        "select distinct _dlt_load_id from staging.snapshots where started_at > now() + %s",
        CLOCKS_DISAGREE,
    )
    refused = sorted(future & set(record.pending_loads(connection)))
    with connection.transaction():
        if admitted and record.exists(connection, "ops.admitted_loads"):
            taken_back = connection.execute(
                "delete from ops.admitted_loads where load_id = any(%s) returning load_id",
                [sorted(future)],
            )
            refused += [load_id for (load_id,) in taken_back]
        record.quarantine(
            connection, run_id, refused, "dated after the server's time by a clock ahead"
        )
    return refused
