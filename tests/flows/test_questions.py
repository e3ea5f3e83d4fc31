"""What the command answers: `p2p sql` in its formats, `p2p status`, `p2p export`, `--version`."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as parquet  # type: ignore[import-untyped]
import pytest

from ops import record
from ops.migrations import migrate
from tests.conftest import PROJECT
from tests.flows.conftest import PATIENCE, command
from warehouse.postgres import Warehouse

BOOKS = 30
TYPES = (
    "select 1.50 as price, null::int as nothing, 'ä'::text as name, array['a', 'b'] as codes,"
    " true as yes, '2026-11-01 08:00+00'::timestamptz as at, '{\"a\": [1.10]}'::jsonb as doc"
)


@dataclass
class Asked:
    """A warehouse with some books, and the command that asks it."""

    environment: dict[str, str]
    folder: Path

    def p2p(
        self, *arguments: str, given: str = "", **settings: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command(*arguments),
            cwd=PROJECT,
            env={**os.environ, **self.environment, **settings},
            input=given.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def asked(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    warehouse = replace(server, database="asked")
    with server.connect(autocommit=True) as connection:
        connection.execute("create database asked")
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        migrate(connection)
        record.open_run(connection, "run", datetime.now().astimezone())
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.fact_snapshots as select 'F' || n || '/USDT' as trading_pair,"
            " 'BUY' as side, now() - n * interval '1 minute' as started_at, n > 1 as is_complete,"
            " n as offers_distinct, 'trusted' as quality_verdict, '' as quality_reasons"
            f" from generate_series(1, {BOOKS}) as n"
        )
    folder = tmp_path_factory.mktemp("asked")
    yield Asked({"P2P_HOME": str(folder / "home"), "DATABASE_URL": warehouse.url}, folder)
    with server.connect(autocommit=True) as connection:
        connection.execute("drop database asked with (force)")


def test_the_version_is_said_without_a_warehouse(asked: Asked) -> None:
    done = asked.p2p("--version", DATABASE_URL="nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"p2p 0.1.0\n", b"")


def test_a_shell_completes_commands_and_options(asked: Asked) -> None:
    for words, wanted in (("p2p sta", "status"), ("p2p sql --fo", "--format")):
        done = asked.p2p(
            _P2P_COMPLETE="complete_bash",
            COMP_WORDS=words,
            COMP_CWORD=str(words.count(" ")),
        )
        assert done.stdout.decode().split() == [wanted], done.stderr
    shown = asked.p2p("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert b"_P2P_COMPLETE" in shown.stdout, shown.stderr


def test_a_query_comes_from_a_file_or_from_standard_input(asked: Asked) -> None:
    file = asked.folder / "query.sql"
    file.write_text("select 1 as n  -- the only one\n;\n")
    for arguments, given in (
        (("-f", str(file)), ""),
        (("-f", "-"), "select 1 as n"),
        ((), "select 1 as n"),
    ):
        done = asked.p2p("sql", *arguments, "--csv", given=given)
        assert (done.stdout, done.stderr) == (b"n\n1\n", b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sql", ""), "There is no query: "),
        (("sql", " ; /* nothing */"), "There is no query: "),
        (("sql",), "There is no query: "),
        (("sql", "select 1; select 2"), "These are several statements, and p2p sql takes one"),
        (("sql", "select 1", "-f", "-"), "The query is given twice"),
        (("sql", "-f", "/nowhere/query.sql"), "-f /nowhere/query.sql cannot be read"),
    ],
)
def test_what_is_no_query_is_wrong_use_in_one_line(
    asked: Asked, arguments: tuple[str, ...], said: str
) -> None:
    done = asked.p2p(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"p2p: {said}")


def test_an_answer_is_json_with_every_digit_and_parquet_with_its_types(asked: Asked) -> None:
    shown = asked.p2p("sql", TYPES, "--format", "json").stdout.decode()
    assert shown.isascii()
    assert '"price": 1.50' in shown
    assert json.loads(shown, parse_float=Decimal) == [
        {
            "price": Decimal("1.50"),
            "nothing": None,
            "name": "ä",
            "codes": ["a", "b"],
            "yes": True,
            "at": "2026-11-01T08:00:00+00:00",
            "doc": {"a": [Decimal("1.10")]},
        }
    ]
    table = parquet.read_table(io.BytesIO(asked.p2p("sql", TYPES, "--format", "parquet").stdout))
    assert [str(kind) for kind in table.schema.types] == [
        "decimal128(38, 2)",
        "int32",
        "string",
        "list<element: string>",
        "bool",
        "timestamp[us, tz=UTC]",
        "string",
    ]
    assert table.to_pylist()[0]["price"] == Decimal("1.50")


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_reader_that_has_seen_enough_is_no_failure(asked: Asked, form: str) -> None:
    process = subprocess.Popen(
        command("sql", "select generate_series(1, 50000) as n", "--format", form),
        cwd=PROJECT,
        env={**os.environ, **asked.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE) == 0


def test_status_shows_the_hot_and_the_oldest_books_and_how_many_more_there_are(
    asked: Asked,
) -> None:
    shown = asked.p2p("status", P2P_HOT="F2/USDT").stdout.decode()
    books = [line.split()[0] for line in shown.splitlines() if "/USDT" in line]
    # The hot pair, then what was never read whole, then by age.
    assert books == ["F2/USDT", "F1/USDT", *(f"F{n}/USDT" for n in range(BOOKS, BOOKS - 19, -1))]
    assert f"{BOOKS - 21} more books: p2p status --all" in shown
    everything = asked.p2p("status", "--all").stdout.decode()
    assert everything.count("/USDT") == BOOKS
    assert "more books" not in everything


def test_an_export_is_csv_unless_its_name_or_the_format_says_otherwise(asked: Asked) -> None:
    for name, is_parquet in (("a.csv", False), ("a.parquet", True), ("a", False)):
        file = asked.folder / name
        assert asked.p2p("export", "fact_snapshots", "--out", str(file)).returncode == 0
        assert file.read_bytes().startswith(b"PAR1" if is_parquet else b"trading_pair,")


def test_connect_shows_the_login_of_a_given_server_without_a_password(
    asked: Asked, server: Warehouse
) -> None:
    refused = asked.p2p("connect", P2P_ROLE_PREFIX="shown_")
    assert refused.returncode == 2
    assert refused.stderr.endswith(b"has no role shown_analyst yet: run `p2p init` once.\n")
    with server.connect(autocommit=True) as connection:
        connection.execute("create role shown_analyst")
    shown = asked.p2p("connect", P2P_ROLE_PREFIX="shown_").stdout.decode()
    assert 'psql "postgresql://shown_analyst:PASSWORD@localhost:' in shown
    assert "postgresql+psycopg://shown_analyst:PASSWORD@localhost:" in shown
    assert "in psql, \\password shown_analyst sets it." in shown
