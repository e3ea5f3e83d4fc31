"""The full pipeline on Debian's PostgreSQL: set up by its owner, run by a member, over TLS.

Names and password hold what some library or other takes for a sign of its own.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import pytest
import requests
from psycopg import sql

from simulator.replay import Replay
from simulator.server import Exchange
from tests.conftest import PROJECT
from tests.debian import BINARIES, Debian
from tests.flows.conftest import PATIENCE, command, files_with, settings_at
from tests.flows.recordings import recorded_frames, write_recordings
from tests.monitoring.prometheus import free_port

SECRET = "nobody must-see/this:p@ss#word+50%'s \"жё\\"
OWNER, WORKER = "line_owner", "wörker 50%+'s {жук}"
KEY = "nor-this-api-key"
SPELLINGS = (SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), KEY)

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Line:
    """What was run, what it said, and what could be seen of it while it ran."""

    debian: Debian
    database: str
    home: Path
    said: str
    seen: set[str]
    environment: dict[str, str]

    def connect(self, user: str) -> psycopg.Connection[tuple[object, ...]]:
        """A login over TLS."""
        return psycopg.connect(self.debian.url(user, SECRET, self.database), autocommit=True)


@pytest.fixture(scope="module")
def line(
    debian: Debian, prefect_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    """`p2p init` by the owner, then a cycle, upkeep and docs by a member of both roles."""
    home = tmp_path_factory.mktemp("tls") / "home"
    recording = Replay(write_recordings(tmp_path_factory.mktemp("frames"), recorded_frames()))
    database = f"маркет 50%+ {{x}} {uuid.uuid4().hex[:8]}"
    with psycopg.connect(debian.url(), autocommit=True) as admin, Exchange(recording) as exchange:
        for login, rights in ((OWNER, "login createrole"), (WORKER, "login")):
            admin.execute(
                sql.SQL("create role {} {} password {}").format(
                    sql.Identifier(login), sql.SQL(rights), sql.Literal(SECRET)
                )
            )
        admin.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(database), sql.Identifier(OWNER)
            )
        )
        environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            **settings_at(home, exchange),
            "BINANCE_API_KEY": KEY,
        }
        said, seen = "", set[str]()
        for user, arguments in (
            (OWNER, ["init"]),
            (WORKER, ["run"]),
            (WORKER, ["maintain"]),
            (WORKER, ["docs"]),
        ):
            if user == WORKER:
                admin.execute(
                    sql.SQL("grant loader, transformer to {}").format(sql.Identifier(WORKER))
                )
            url = debian.url(user, SECRET, database)
            process = subprocess.Popen(
                command(*arguments),
                cwd=PROJECT,
                env={**environment, "DATABASE_URL": url},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            while True:
                seen |= command_lines()
                try:
                    output, _ = process.communicate(timeout=0.05)
                    break
                except subprocess.TimeoutExpired:
                    continue
            assert process.returncode == 0, output
            said += output
        admin.execute(sql.SQL("alter role analyst login password {}").format(sql.Literal(SECRET)))
        yield Line(debian, database, home, said, seen, environment)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))
        logins = sql.SQL(", ").join(map(sql.Identifier, (OWNER, WORKER)))
        admin.execute(sql.SQL("drop role loader, transformer, analyst, {}").format(logins))


def command_lines() -> set[str]:
    """What `ps` shows of every process of the machine to everybody."""
    shown = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return shown


def test_a_member_of_both_roles_runs_the_whole_line_and_an_analyst_reads_it(line: Line) -> None:
    with line.connect("analyst") as connection:
        assert connection.execute("select state from ops.runs").fetchall() == [("success",)]
        (offers,) = connection.execute("select count(*) from marts.fact_offers").fetchone() or (0,)
        (quotes,) = connection.execute("select count(*) from marts.market_quotes").fetchone() or (
            0,
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from staging.pages")
    assert offers
    assert quotes
    assert "\\password loader" in line.said, "where logins are by password, init says how"
    with line.connect(WORKER) as connection:
        owners = connection.execute(
            "select distinct nspname, relowner::regrole::text from pg_class"
            " inner join pg_namespace on pg_namespace.oid = relnamespace"
            " where nspname in ('staging', 'marts', 'ops') order by 1, 2"
        ).fetchall()
    assert owners == [
        ("marts", "transformer"),
        ("ops", "transformer"),
        ("staging", "loader"),
        ("staging", "transformer"),
    ]


def test_metrics_are_shown_beside_a_work_pool_to_who_only_reads(line: Line, tmp_path: Path) -> None:
    port = free_port()
    url = line.debian.url("analyst", SECRET, line.database)
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "P2P_HOME": str(tmp_path),
        "P2P_METRICS_PORT": str(port),
    }
    process = subprocess.Popen(
        command("metrics"), cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"Metrics at http://127.0.0.1:{port}/metrics.\n"
    shown = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE).text.splitlines()
    process.terminate()
    assert process.communicate(timeout=PATIENCE)[0] == "Stopped.\n"
    assert process.returncode == 0
    assert "p2p_up 1.0" in shown
    assert 'p2p_cycles_total{state="success"} 1.0' in shown
    assert [line for line in shown if line.startswith("p2p_partition_headroom_seconds ")]


def test_no_secret_reached_a_log_a_document_a_file_of_dlts_or_a_process_list(line: Line) -> None:
    secrets = SPELLINGS
    assert any("cli.main" in shown for shown in line.seen), "the commands themselves were seen"
    assert [shown for shown in line.seen if any(secret in shown for secret in secrets)] == []
    assert not any(secret in line.said for secret in secrets)
    for written in (
        "logs/p2p.log",
        "docs/index.html",
        "docs/checks/index.html",
        "docs/checks/landing/*.html",
        "docs/checks/core/*.html",
        "dbt*/target/**/fact_offers.sql",
        "dbt*/logs/dbt.log",
        "dlt/pipelines/**/*.json",
    ):
        sizes = [path.stat().st_size for path in line.home.glob(written)]
        assert max(sizes, default=0) > 100, f"there is something to look at in {written}"
    assert files_with(line.home, secrets) == []


def test_no_secret_reached_prefects_runs_and_artifacts(line: Line, prefect_server: str) -> None:
    for kind in ("flow_runs", "task_runs", "artifacts", "logs", "variables"):
        answer = requests.post(f"{prefect_server}/{kind}/filter", json={}, timeout=PATIENCE)
        assert answer.status_code == 200
        assert not any(secret in answer.text for secret in SPELLINGS), kind
        if kind in ("flow_runs", "task_runs", "artifacts"):
            assert answer.json(), "there is something to look at"


def test_a_restored_backup_goes_on_as_the_warehouse_would_have(line: Line, tmp_path: Path) -> None:
    restored = f"restored_{uuid.uuid4().hex[:8]}"
    dump = tmp_path / "p2p.dump"
    try:
        with psycopg.connect(line.debian.url(), autocommit=True) as admin:
            admin.execute(
                sql.SQL("create database {} owner {}").format(
                    sql.Identifier(restored), sql.Identifier(OWNER)
                )
            )
        owners = line.debian.url(OWNER, SECRET, restored)
        source = line.debian.url(database=line.database)
        for program in (
            ["pg_dump", "--format=custom", "--no-owner", f"--file={dump}", source],
            ["pg_restore", "--no-owner", "--no-privileges", f"--dbname={owners}", str(dump)],
        ):
            subprocess.run([BINARIES[-1] / program[0], *program[1:]], check=True)
        before = versions(line, restored)
        assert before == versions(line, line.database) > 0
        for user, command_ in ((OWNER, "init"), (WORKER, "run")):
            environment = {
                **line.environment,
                "DATABASE_URL": line.debian.url(user, SECRET, restored),
                "P2P_HOME": str(tmp_path / "home"),
            }
            subprocess.run(command(command_), cwd=PROJECT, env=environment, check=True)
        with psycopg.connect(line.debian.url(database=restored)) as connection:
            assert connection.execute(
                "select state, books_read, books_unchanged from ops.runs order by started_at"
            ).fetchall() == [("success", 3, 0), ("success", 3, 2)], "the loader knows what it read"
        assert versions(line, restored) == before
    finally:
        with psycopg.connect(line.debian.url(), autocommit=True) as admin:
            admin.execute(f"drop database if exists {restored} with (force)".encode())


def versions(line: Line, database: str) -> int:
    """How many versions of offers a warehouse has."""
    with psycopg.connect(line.debian.url(database=database)) as connection:
        row = connection.execute("select count(*) from marts.fact_offers").fetchone()
    assert row is not None
    return int(row[0])
