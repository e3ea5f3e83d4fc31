"""What the documents say, and a warehouse to hold their queries against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from flows import ops
from flows.transform import run_dbt
from tests.landing import Reading, item, land
from warehouse.postgres import Warehouse


@pytest.fixture(scope="session")
def built(
    server: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a warehouse that one tiny cycle was built in, as `p2p sql` opens it."""
    with server.connect(autocommit=True) as connection:
        connection.execute("create database docs_tests")
    warehouse = replace(server, database="docs_tests")
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        ops.prepare(connection)
        at = datetime(2026, 11, 1, 12, tzinfo=UTC)
        land(connection, "1", [Reading(("VES", "USDT", "BUY"), at, [[item("1" * 20)]])])
        report = run_dbt(
            warehouse,
            ["build", "--exclude-resource-type", "test", "unit_test"],
            tmp_path_factory.mktemp("dbt"),
        )
        assert report.is_success, report.failures
        yield connection
