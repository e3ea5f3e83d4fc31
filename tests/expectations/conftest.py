"""A small line of its own for each test: three past cycles, a landing, and the marts of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from expectations.checkpoint import run_suite
from expectations.profiles import Parameters
from expectations.suites import SuiteName
from expectations.verdict import Verdict
from tests.conftest import passing_server
from tests.landing import TABLES, Reading, item, land
from warehouse.postgres import Warehouse

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=20)
BOOKS = [(fiat, "USDT", side) for fiat in ("ARS", "BOB", "LKR", "VES") for side in ("BUY", "SELL")]
OFFERS = 16  # a book; seven changed books hold 112, so that one odd offer is below 1%
UNCHANGED = ("ARS", "USDT", "BUY")

MARTS = """
create schema marts;
create table marts.fact_snapshots as
    select
        snapshot_id, run_id, fiat_code, asset_code, side, started_at, finished_at,
        offers_distinct, 0 as offers_foreign, 0 as offers_rejected, 0 as offers_of_wrong_side,
        is_complete, cast(null as text) as faults, 'trusted' as quality_verdict
    from staging.snapshots;
create table marts.fact_offers as
    select
        snapshots.snapshot_id || number as offer_version_key,
        snapshots.snapshot_id || number as advertiser_key,
        snapshots.fiat_code || snapshots.side || number as adv_no,
        snapshots.fiat_code, snapshots.asset_code, snapshots.side,
        10.00 as price, false as is_limit_fiction,
        snapshots.started_at as valid_from, cast(null as timestamptz) as valid_to
    from staging.snapshots
    cross join generate_series(1, snapshots.offers_distinct) as number
    where snapshots.run_id = 'run-1';
create table marts.fact_offer_snapshots as
    select snapshots.snapshot_id, offers.*, false as is_off_market
    from staging.snapshots
    inner join marts.fact_offers as offers using (fiat_code, asset_code, side);
create table marts.dim_advertisers as select 1 as advertiser_key;
create table marts.dim_cryptocurrencies as select 'USDT' as asset_code;
create table marts.dim_fiat_currencies as select 'VES' as fiat_code;
create table marts.dim_payment_methods as select 1 as payment_method_key;
create table marts.dim_trading_pairs as select 'VES' as fiat_code, 'USDT' as asset_code;
create table marts.fact_advertiser_statistics as select 1 as advertiser_key;
create table marts.fact_offer_payment_methods as select 1 as offer_version_key;
"""


@dataclass(frozen=True)
class Line:
    """The warehouse of one test, and its suites."""

    warehouse: Warehouse
    connection: psycopg.Connection[Any]
    docs: Path

    def execute(self, statement: str, *values: object) -> None:
        """Run one statement, made to break the data."""
        self.connection.execute(statement.encode(), values or None)

    def run(self, suite: SuiteName, **parameters: Any) -> Verdict:
        """Run a suite over the last cycle, `run-4`, unless told otherwise."""
        return run_suite(
            suite, self.warehouse, Parameters(**({"run_id": "run-4"} | parameters)), self.docs
        )

    def failed(self, suite: SuiteName, **parameters: Any) -> set[str]:
        """The names of the checks that fail; without the data docs, which cost the most."""
        verdict = run_suite(
            suite, self.warehouse, Parameters(**({"run_id": "run-4"} | parameters)), None
        )
        return {result.name for result in verdict.critical_failed + verdict.warnings}


def reading(book: tuple[str, str, str], at: datetime, **changes: Any) -> Reading:
    """A complete reading of one page of offers at 10.00."""
    page = [item(f"{book[0]}{number}", side=book[2]) for number in range(OFFERS)]
    return Reading(book, at, **({"pages": [page]} | changes))


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """An embedded PostgreSQL for all tests of this folder."""
    with passing_server(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture
def line(warehouse: Warehouse, tmp_path: Path) -> Iterator[Line]:
    """A line on which every check of both suites is green, each with something to compare."""
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("set synchronous_commit = off")
        for schema in ("staging", "marts", "ops"):
            connection.execute(f"drop schema if exists {schema} cascade".encode())
        connection.execute(TABLES)
        for cycle in range(1, 5):
            at = NOON + cycle * INTERVAL
            readings = [reading(book, at) for book in BOOKS]
            if cycle == 4:
                before = reading(UNCHANGED, at - INTERVAL).snapshot_id
                readings[0] = reading(UNCHANGED, at, pages=None, same_as=before)
            land(connection, f"load-{cycle}", readings, run_id=f"run-{cycle}")
        connection.execute(
            "update staging.snapshots set offers_distinct = %s, announced_total = %s, pages = 1"
            " where is_unchanged",
            [OFFERS, OFFERS],
        )
        connection.execute(MARTS)
        yield Line(warehouse, connection, tmp_path / "docs")
