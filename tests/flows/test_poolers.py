"""The full pipeline through PgBouncer in transaction mode."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from simulator.replay import Replay
from simulator.server import Exchange
from tests.conftest import PROJECT
from tests.debian import Debian
from tests.flows.conftest import command, only_line, p2p, settings_at, wait_for
from tests.flows.recordings import recorded_frames, write_recordings
from tests.pgbouncer import pgbouncer_before

SECRET = "of-the-pooled"


@pytest.fixture
def url(debian: Debian) -> Iterator[tuple[str, str]]:
    """A database by a pooler, and by itself."""
    database = f"line_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute(f"create role pooled login password '{SECRET}'".encode())
        admin.execute("alter role pooled set search_path = nowhere")
        admin.execute("alter role pooled set TimeZone = 'Asia/Kolkata'")
        admin.execute("alter role pooled set DateStyle = 'SQL, DMY'")
        admin.execute(f"create database {database} owner pooled".encode())
        with pgbouncer_before(debian, "pooled", SECRET, default_pool_size=8) as port:
            yield (
                f"postgresql://pooled:x@127.0.0.1:{port}/{database}",
                debian.url(database=database),
            )
        admin.execute(f"drop database {database} with (force)".encode())
        admin.execute("drop role pooled")


@pytest.mark.timeout(600)
def test_a_cycle_runs_through_a_pooler_and_keeps_a_second_one_out(
    url: tuple[str, str], prefect_server: str, tmp_path: Path
) -> None:
    by_pooler, itself = url
    recording = Replay(write_recordings(tmp_path, recorded_frames()))
    with Exchange(recording) as exchange:
        environment = {**settings_at(tmp_path / "home", exchange), "DATABASE_URL": by_pooler}
        first = subprocess.Popen(
            command("run"),
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        locks = "select count(*) from pg_locks where locktype = 'advisory' and granted"
        with psycopg.connect(itself, autocommit=True) as connection:
            wait_for(lambda: connection.execute(locks).fetchone() != (0,))
            second = p2p("run", **{**environment, "P2P_HOME": str(tmp_path / "other")})
            assert first.poll() is None, "the first was at it all the while"
            assert "Another process is at it already (cycle)" in only_line(second)
            said, _ = first.communicate(timeout=400)
            assert first.returncode == 0, said
            runs = connection.execute("select state from ops.runs").fetchall()
            critical = connection.execute(
                "select distinct success from ops.check_results where severity = 'critical'"
            ).fetchall()
            quotes = connection.execute("select count(*) > 0 from marts.market_quotes").fetchone()
            assert runs == [("success",)]
            assert critical == [(True,)]
            assert quotes == (True,)
