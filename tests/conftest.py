"""The warehouse that tests run on: one embedded PostgreSQL a session, a fresh database a test."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbt_common.behavior_flags import BehaviorFlagRendered
from hypothesis import HealthCheck
from hypothesis import settings as examples

from tests.debian import Debian, debian_server
from warehouse.embedded import erase
from warehouse.postgres import Warehouse, open_warehouse
from warehouse.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parent.parent

# Python's collector walks all of dbt's project again and again: a tenth of what a build takes.
gc.set_threshold(50_000, 20, 50)

# dbt asks the whole stack which module defines each of its flags, a tenth of a second in a worker
# of xdist, and has one flag more at each call: after a hundred calls in one process, ten seconds.
flags: Any = BehaviorFlagRendered
flags._default_source = staticmethod(lambda: "dbt.adapters")

# How long an example takes says how busy the machine is, not whether it holds.
examples.register_profile(
    "unhurried", examples.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
examples.load_profile("unhurried")


LONGEST = [
    "flows/test_serving.py",
    "dbt/test_retention.py",
    "flows/test_killed.py",
    "flows/test_command.py",
    "flows/test_repeats.py",
    "dbt/test_rates.py",
    "load/test_recovery.py",
    "dbt/test_history.py",
    "flows/test_bad_landing.py",
    "chaos/test_siege.py",
    "dbt/test_actors.py",
    "dbt/test_testing.py",
    "flows/test_over_tls.py",
    "chaos/test_faults.py",
    "flows/test_corrupted.py",
]
"""The files that take some 50 seconds or more, on two cores, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end one core would be alone with it."""
    ranks = {PROJECT / "tests" / name: rank for rank, name in enumerate(LONGEST)}
    assert all(path.exists() for path in ranks)
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@contextmanager
def passing_server(home: Path) -> Iterator[Warehouse]:
    """An embedded PostgreSQL of which nothing is left."""
    with open_warehouse(load_settings(home=home, database_url=None)) as warehouse:
        yield warehouse
    # As root pytest's folders are closed to the server's user, so its data stood elsewhere.
    erase(home)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """One embedded PostgreSQL for the whole session."""
    with passing_server(tmp_path_factory.mktemp("p2p")) as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def debian() -> Iterator[Debian]:
    """Debian's own PostgreSQL, over TLS and by passwords only."""
    with debian_server() as server:
        yield server


@pytest.fixture
def warehouse(server: Warehouse) -> Iterator[Warehouse]:
    """A database of its own on the session's server."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.connect(autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    yield replace(server, database=name)
    with server.connect(autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)'.encode())


@pytest.fixture(scope="session")
def built_warehouse(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A database in which the made-up market was built, every mart of it; to be read only."""
    from flows.transform import run_dbt
    from ops.migrations import migrate
    from tests.made_up_market import land_market

    with server.connect(autocommit=True) as connection:
        connection.execute("create database built_market")
    warehouse = replace(server, database="built_market")
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        migrate(connection)
        land_market(connection)
    report = run_dbt(
        warehouse,
        ["build", "--exclude-resource-type", "test", "unit_test"],
        tmp_path_factory.mktemp("dbt"),
    )
    assert report.is_success, report.failures
    return warehouse


@pytest.fixture
def settings(warehouse: Warehouse, tmp_path: Path) -> Settings:
    """Settings that lead to the test's own database and home."""
    return load_settings(home=tmp_path / "home", database_url=warehouse.url)
