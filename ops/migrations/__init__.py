"""The tables of the schema `ops`, as numbered SQL files that are applied in order, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

_FILES = sorted(Path(__file__).parent.glob("*.sql"))
_TABLE = """
create table ops.migrations (
    name text primary key,
    applied_at timestamptz not null default now()
);
comment on table ops.migrations is 'One row per migration of the schema ops that was applied.';
"""


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Apply the migrations that this database lacks, all in one transaction."""
    with connection.transaction():
        # Two at once would collide in the catalogue.
        connection.execute("select pg_advisory_xact_lock(hashtext('p2p:ops'))")
        missing = _missing(connection)
        if not missing:
            return
        # `if not exists` takes a right to make schemas also where there is nothing to make.
        if connection.execute("select to_regnamespace('ops')").fetchone() == (None,):
            connection.execute("create schema ops")
        if not _is_migrated(connection):
            connection.execute(_TABLE)
        for file in missing:
            connection.execute(file.read_bytes())
            connection.execute("insert into ops.migrations (name) values (%s)", [file.stem])


def is_current(connection: psycopg.Connection[Any]) -> bool:
    """Whether no migration is missing."""
    return not _missing(connection)


def _missing(connection: psycopg.Connection[Any]) -> list[Path]:
    if not _is_migrated(connection):
        return _FILES
    applied = {name for (name,) in connection.execute("select name from ops.migrations")}
    return [file for file in _FILES if file.stem not in applied]


def _is_migrated(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("select to_regclass('ops.migrations')").fetchone() != (None,)
