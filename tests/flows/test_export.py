"""A mart as a file: whole, with its types, and with nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from cli.export import export, write_csv, write_parquet
from cli.query import ask
from tests.conftest import PROJECT
from tests.flows.conftest import command, only_line
from tests.made_up_market import HOSTILE
from warehouse.errors import UserError
from warehouse.postgres import Warehouse

FORMULAS = ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
MANY = 200_000

ODD = """
create schema marts;
create table marts.odd (
    name text, price numeric, share double precision, n integer, codes text[],
    is_odd boolean, seen_at timestamptz, day date
);
"""


@pytest.fixture(scope="module")
def odd(server: Warehouse) -> Iterator[Warehouse]:
    """A mart of oddities, and a long one."""
    with server.connect(autocommit=True) as connection:
        connection.execute("create database odd")
    warehouse = replace(server, database="odd")
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(ODD)
        rows = [
            *((text, "-1.50", -0.5, -3, [text]) for text in FORMULAS),
            ("", "0", 0.0, 0, []),
            ('a,"b"\n', "123456789012345678901234567890.000000000000000001", 1.0, 1, None),
            (None, None, None, None, None),
        ]
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into marts.odd values"
                " (%s, %s, %s, %s, %s, true, '2026-11-01 10:00+02', '2026-11-01')",
                rows,
            )
        connection.execute(
            "create view marts.long as select n, repeat('x', 500) as filling, 0.5::numeric as half"
            f" from generate_series(1, {MANY}) as n"
        )
    yield warehouse
    with server.connect(autocommit=True) as connection:
        connection.execute("drop database odd with (force)")


def as_csv(warehouse: Warehouse, mart: str) -> list[dict[str, str]]:
    stream = io.BytesIO()
    rows = export(warehouse, mart, write_csv, stream)
    read = list(csv.DictReader(io.StringIO(stream.getvalue().decode(), newline="")))
    assert len(read) == rows
    return read


def as_parquet(warehouse: Warehouse, mart: str) -> pa.Table:
    stream = io.BytesIO()
    rows = export(warehouse, mart, write_parquet, stream)
    table = parquet.read_table(io.BytesIO(stream.getvalue()))
    assert table.num_rows == rows
    return table


def test_text_that_begins_like_a_formula_gets_an_apostrophe_and_numbers_stay(
    odd: Warehouse,
) -> None:
    rows = as_csv(odd, "odd")
    assert [row["name"] for row in rows[: len(FORMULAS)]] == [
        f"'{text}".replace("\r", "\ufffd") for text in FORMULAS
    ]
    assert {(row["price"], row["share"], row["n"]) for row in rows[: len(FORMULAS)]} == {
        ("-1.50", "-0.5", "-3")
    }
    assert not any(row["codes"].startswith(tuple("=+-@\t\r\n")) for row in rows)


def test_other_text_goes_out_as_it_is_and_null_is_not_the_empty_text(odd: Warehouse) -> None:
    rows = as_csv(odd, "odd")
    assert rows[-2]["name"] == 'a,"b"\n'
    assert rows[-2]["price"] == "123456789012345678901234567890.000000000000000001"
    stream = io.BytesIO()
    export(odd, "odd", write_csv, stream)
    assert b'\n"",0,' in stream.getvalue()
    assert stream.getvalue().splitlines()[-1] == b",,,,,true,2026-11-01 08:00:00+00,2026-11-01"


def test_what_a_terminal_would_obey_is_replaced_in_texts_and_in_lists_of_them(
    warehouse: Warehouse,
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(ODD)
        connection.execute(
            "insert into marts.odd (name, codes) values (%s, %s)",
            ["\x1b[2J\u202ea\u200cb\x9b\tc\n", ["\x1b]0;x\x07"]],
        )
    (row,) = as_csv(warehouse, "odd")
    assert row["name"] == "\ufffd[2J\ufffda\u200cb\ufffd\tc\n"
    assert row["codes"] == "{\ufffd]0;x\ufffd}"


def test_parquet_keeps_the_text_the_types_and_what_38_digits_hold(odd: Warehouse) -> None:
    table = as_parquet(odd, "odd")
    assert table.column("name").to_pylist()[: len(FORMULAS)] == FORMULAS
    assert table.schema.field("price").type == pa.decimal128(38, 8)
    assert table.column("price").to_pylist()[0] == Decimal("-1.5")
    assert table.column("codes").to_pylist()[0] == [FORMULAS[0]]
    assert table.schema.field("seen_at").type == pa.timestamp("us", tz="UTC")
    assert table.slice(table.num_rows - 1).to_pylist()[0]["name"] is None


def test_every_mart_can_be_written_as_both_and_holds_what_it_held(
    built_warehouse: Warehouse,
) -> None:
    names = ask(
        built_warehouse,
        "select relname, relkind from pg_class where relnamespace = 'marts'::regnamespace"
        " and relkind in ('r', 'v')",
    ).rows
    assert len(names) > 30
    for name, _ in names:
        table = as_parquet(built_warehouse, name)
        told = ask(built_warehouse, f"select * from marts.{name}")
        assert len(as_csv(built_warehouse, name)) == table.num_rows == len(told.rows)
        assert table.column_names == list(told.columns)
    quotes = as_parquet(built_warehouse, "market_quotes").column("reference_price").to_pylist()
    asked = ask(built_warehouse, "select reference_price from market_quotes").rows
    assert sorted(filter(None, quotes)) == sorted(price for (price,) in asked if price)
    nicknames = [row["nickname"] for row in as_csv(built_warehouse, "dim_advertisers")]
    assert HOSTILE in nicknames


@pytest.mark.parametrize(
    "name", ["odds", "ops.runs", "odd; drop table marts.odd", 'odd"', "pg_class", ""]
)
def test_only_a_mart_can_be_asked_for_and_its_name_is_no_sql(odd: Warehouse, name: str) -> None:
    with pytest.raises(UserError, match="There is no mart"):
        export(odd, name, write_csv, io.BytesIO())
    assert ask(odd, "select count(*) from marts.odd").rows == [(11,)]


def test_a_warehouse_without_marts_says_what_builds_them(warehouse: Warehouse) -> None:
    with pytest.raises(UserError, match="the first `p2p run` builds them"):
        export(warehouse, "market_quotes", write_csv, io.BytesIO())


@pytest.mark.parametrize("write", ["write_csv", "write_parquet"])
def test_what_is_written_is_not_held_in_memory(odd: Warehouse, write: str) -> None:
    program = (
        "import resource, sys, cli.export as e, pyarrow.parquet;"
        "from warehouse.postgres import Warehouse;"
        "w = Warehouse.from_url(sys.argv[1]);"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024;"
        f"f = open('/dev/null', 'wb'); e.export(w, 'odd', e.{write}, f); before = peak();"
        f"print(e.export(w, 'long', e.{write}, f), peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, odd.url], capture_output=True, text=True, check=True
    )
    rows, megabytes = map(int, done.stdout.split())
    assert rows == MANY
    assert megabytes < 60  # of the 100 that the texts alone are


def test_the_command_writes_a_file_or_a_pipe_and_leaves_no_half_of_one(
    odd: Warehouse, tmp_path: Path
) -> None:
    environment = {**os.environ, "DATABASE_URL": odd.url, "P2P_HOME": str(tmp_path / "home")}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command("export", *arguments),
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
        )

    out = tmp_path / "new" / "odd.csv"
    done = call("odd", "--format", "csv", "--out", str(out))
    assert (done.stdout, done.stderr) == (f"Export: {out} (11 rows)\n", "")
    assert call("odd", "--format", "csv", "--out", "-").stdout == out.read_text()
    refused = call("od", "--format", "csv", "--out", str(out))
    assert refused.returncode == 2
    assert "did you mean odd" in only_line(refused)
    assert [file.name for file in out.parent.iterdir()] == ["odd.csv"]
    assert call("odd", "--format", "xml").returncode == 2
