"""dbt on a database of its own, whose tables each test makes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flows.transform import TransformReport, run_dbt
from warehouse.postgres import Warehouse
from warehouse.settings import PROJECT_ROOT

SEEDS = [seed.stem for seed in (PROJECT_ROOT / "dbt_project" / "seeds").glob("*.csv")]

Dbt = Callable[..., TransformReport]
Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def dbt_warehouse(server: Warehouse) -> Warehouse:
    """One database for all tests of dbt: another name would have dbt parse its project again."""
    with server.connect(autocommit=True) as connection:
        connection.execute("create database dbt_tests")
    return replace(server, database="dbt_tests")


@pytest.fixture(scope="session")
def dbt_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps its parsed project between the tests."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="session")
def seeded(dbt_warehouse: Warehouse, dbt_home: Path) -> Warehouse:
    """The database with its seeds in it, which no test changes."""
    assert run_dbt(dbt_warehouse, ["seed"], dbt_home).is_success
    return dbt_warehouse


def empty(connection: psycopg.Connection[Any]) -> None:
    """Drop everything but the seeds."""
    connection.execute("drop schema if exists staging, ops cascade")
    models = connection.execute(
        "select tablename from pg_tables where schemaname = 'marts' and tablename != all(%s)",
        (SEEDS,),
    ).fetchall()
    for (model,) in models:
        connection.execute(f"drop table marts.{model} cascade".encode())


@pytest.fixture
def connection(seeded: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the emptied database."""
    with seeded.connect(autocommit=True) as opened:
        opened.execute("set client_min_messages = error")
        empty(opened)
        yield opened


def _views(connection: psycopg.Connection[Any]) -> int:
    (row,) = connection.execute(
        "select count(*) from pg_views where schemaname in ('staging', 'marts')"
    ).fetchall()
    return int(row[0])


def dbt_on(connection: psycopg.Connection[Any], warehouse: Warehouse, home: Path) -> Dbt:
    """Runs a dbt command, and says what failed when it should not have.

    What is run again leaves its views alone where they stand, as a cycle does.
    """
    views_after: dict[tuple[str, ...], int] = {}

    def run(*arguments: str, must_succeed: bool = True) -> TransformReport:
        views = _views(connection)
        stand = arguments[0] == "run" and views and views_after.get(arguments) == views
        without_views = ("--exclude", "config.materialized:view") if stand else ()
        # What dbt would write of itself nobody reads here, and it is a tenth of its time.
        report = run_dbt(warehouse, [*arguments, *without_views, "--no-write-json"], home)
        if must_succeed:
            assert report.is_success, report.failures
        if "--full-refresh" not in arguments:
            views_after[arguments] = _views(connection)
        return report

    return run


@pytest.fixture
def dbt(connection: psycopg.Connection[Any], dbt_warehouse: Warehouse, dbt_home: Path) -> Dbt:
    """Runs dbt on the emptied database."""
    return dbt_on(connection, dbt_warehouse, dbt_home)


@pytest.fixture
def rows(connection: psycopg.Connection[Any]) -> Rows:
    """Fetches the rows of a query."""

    def fetch(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return connection.execute(query.encode(), parameters).fetchall()

    return fetch
