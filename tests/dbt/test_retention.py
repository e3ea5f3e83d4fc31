"""After raw pages were dropped the facts go on as if they were there, or refuse to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chaos.facts import everything
from flows.rebuild import rebuild
from load.land.landed import create_tables
from load.land.tables import TABLES
from ops import quarantine, record
from ops.migrations import migrate
from tests.dbt.conftest import Dbt, Rows, empty
from tests.dbt.test_history import BUY, CORE, random_loads
from tests.landing import Reading, item, land
from tests.made_up_market import land_market
from upkeep.retention import maintain
from warehouse.errors import UserError
from warehouse.partitions import kept_from
from warehouse.postgres import Warehouse
from warehouse.settings import Settings, load_settings

DAYS = 6
FIRST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)

LAST_DAY = datetime(2026, 11, 3, tzinfo=UTC)
"""Of the made-up market."""

Connection = psycopg.Connection[Any]

pytestmark = pytest.mark.timeout(900)  # whole builds, several of them


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: in another the rebuild would have dbt parse its project again."""
    return tmp_path_factory.mktemp("retention")


@pytest.fixture
def settings(dbt_warehouse: Warehouse, home: Path) -> Settings:
    return load_settings(home=home, database_url=dbt_warehouse.url, raw_retention_days=1)


@pytest.fixture
def archived(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"archive_url": str(tmp_path / "archive")})


def loads_of_days(seed: int) -> list[list[Reading]]:
    """A load a day of the made-up market, with some of it told late at night."""
    moved: dict[str, str] = {}
    made = []
    for number, readings in enumerate(random_loads(seed, loads=DAYS)):
        day = []
        for place, reading in enumerate(readings):
            at = FIRST + timedelta(days=number, hours=22, minutes=59 * place)
            now = replace(reading, at=at, same_as=moved.get(reading.same_as or ""))
            moved[reading.snapshot_id] = now.snapshot_id
            day.append(now)
        made.append(day)
    return made


def begin(connection: Connection) -> None:
    """A warehouse in which nothing has landed yet, with its pages by day."""
    empty(connection)
    migrate(connection)
    create_tables(connection, TABLES)


def midnight(number: int) -> datetime:
    """When the day of this number begins."""
    return FIRST + timedelta(days=number)


def keep_from(connection: Connection, warehouse: Warehouse, settings: Settings, day: int) -> None:
    """Drop what is older than this day."""
    report = maintain(warehouse, settings, now=midnight(day + settings.raw_retention_days))
    assert report.left == {}
    assert kept_from(connection) == midnight(day).date()


Told = dict[str, list[Any]]


def told_in(connection: Connection) -> Told:
    """All that the marts tell, and which load each reading came with."""
    loads = connection.execute(
        "select snapshot_id, load_id from marts.fact_snapshots order by snapshot_id"
    ).fetchall()
    return {**everything(connection), "loads of fact_snapshots": loads}


def assert_equal(told: Told, expected: Told) -> None:
    """Every table, in every column; by their names, as what they hold would fill the screen."""
    assert {table for table in expected if told.get(table) != expected[table]} == set()


@pytest.mark.parametrize("seed", [4])
def test_after_retention_the_facts_go_on_as_if_nothing_had_been_dropped(
    connection: Connection,
    dbt: Dbt,
    rows: Rows,
    dbt_warehouse: Warehouse,
    archived: Settings,
    seed: int,
) -> None:
    loads = loads_of_days(seed)
    begin(connection)
    for number in (0, 1, 2, 3, 4, 5):
        land(connection, f"load-{number}", loads[number])
    dbt("run", *CORE)
    never_dropped = told_in(connection)

    begin(connection)
    for number in (0, 1):
        land(connection, f"load-{number}", loads[number])
    dbt("run", *CORE)
    keep_from(connection, dbt_warehouse, archived, 1)
    too_late = [replace(loads[0][0], at=loads[0][0].at + timedelta(minutes=1), same_as=None)]
    land(connection, "load-too-late", too_late)
    land(connection, "load-3", loads[3])
    dbt("run", *CORE)
    assert rows("select count(*) from ops.admitted_loads where load_id = 'load-too-late'") == [(0,)]
    for number in (2, 4):  # the one comes late, behind what was told, from a day that is kept
        land(connection, f"load-{number}", loads[number])
    dbt("run", *CORE)
    keep_from(connection, dbt_warehouse, archived, 4)
    land(connection, "load-5", loads[5])
    dbt("run", *CORE)
    assert_equal(told_in(connection), never_dropped)
    kept = rows("select distinct _dlt_load_id from staging.pages order by 1")
    assert kept == [("load-4",), ("load-5",), ("load-too-late",)]

    refused = dbt("run", *CORE, "--full-refresh", must_succeed=False)
    assert not refused.is_success
    assert all("P2P_ARCHIVE_URL" in said.message for said in refused.failures)
    assert_equal(told_in(connection), never_dropped)


def test_after_retention_the_marts_go_on_and_are_told_again_as_if_nothing_had_been_dropped(
    connection: Connection,
    dbt: Dbt,
    dbt_warehouse: Warehouse,
    archived: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.made_up_market.SWAPPED", None)  # which a test of dbt's is red for
    monkeypatch.setattr("tests.made_up_market.START", FIRST + timedelta(hours=10))
    begin(connection)
    land_market(connection, [0, 1, 2, 3])
    dbt("run")
    never_dropped = told_in(connection)
    empty = {table for table, rows in never_dropped.items() if not rows}
    assert empty == {"predictor_models"}, "nothing was forecast"

    begin(connection)
    land_market(connection, [0])
    dbt("run")
    keep_from(connection, dbt_warehouse, archived, 1)
    late = Reading(BUY, midnight(0) + timedelta(hours=1), [[item("1299000000000000001")]])
    land(connection, "too-late", [late])
    for day in (2, 1):  # the one comes late, behind what was told
        land_market(connection, [day])
        dbt("run")
    keep_from(connection, dbt_warehouse, archived, 2)
    land_market(connection, [3])
    dbt("run")
    assert_equal(told_in(connection), never_dropped)

    dbt("run", "--full-refresh", "--select", "marts.market+", "marts.actors+")
    assert_equal(told_in(connection), never_dropped)

    quarantine.refuse_late(connection, "run")
    bare = archived.model_copy(update={"archive_url": None})
    with pytest.raises(UserError, match=r"P2P_ARCHIVE_URL.*--from"):
        rebuild(dbt_warehouse, bare)
    rebuild(dbt_warehouse, bare, midnight(2).date())
    assert_equal(told_in(connection), never_dropped)

    rebuild(dbt_warehouse, archived)
    assert kept_from(connection) is None
    assert_equal(told_in(connection), never_dropped)
    keep_from(connection, dbt_warehouse, archived, 2)


ADDED = {
    "fact_snapshots": "cleaned_characters",
    "fact_offers": "price_scale",
    "fact_advertiser_statistics": "positive_rate",
}
"""Columns that tables lack as a release would find them that brings these."""


def test_a_column_that_comes_after_the_pages_are_gone_is_null_before_and_told_from_then_on(
    connection: Connection, dbt: Dbt, rows: Rows, dbt_warehouse: Warehouse, archived: Settings
) -> None:
    first, second = "12990000000000000001", "12990000000000000002"
    begin(connection)
    land(connection, "load-0", [Reading(BUY, midnight(0) + timedelta(hours=1), [[item(first)]])])
    dbt("run", *CORE)
    keep_from(connection, dbt_warehouse, archived, 1)
    for table, column in ADDED.items():
        connection.execute(f"alter table marts.{table} drop column {column} cascade".encode())

    later = Reading(BUY, midnight(1) + timedelta(hours=1), [[item(first), item(second)]])
    land(connection, "load-1", [later])
    dbt("run", *CORE)
    begun = {"fact_snapshots": "started_at"}
    for table, column in ADDED.items():
        at = begun.get(table, "valid_from")
        assert rows(f"select {column} is null from marts.{table} order by {at}") == [
            (True,), (False,),
        ], table  # fmt: skip
    assert rows("select count(*), count(valid_to) from marts.fact_offers") == [(2, 0)]
    assert not dbt("run", *CORE, "--full-refresh", must_succeed=False).is_success


def test_what_the_facts_have_not_taken_in_is_not_dropped(
    connection: Connection, dbt: Dbt, dbt_warehouse: Warehouse, settings: Settings
) -> None:
    begin(connection)
    for number in range(3):
        at = midnight(number) + timedelta(hours=1)
        land(connection, f"load-{number}", [Reading(BUY, at, [[item("1299000000000000001")]])])
    later = midnight(DAYS)
    told = maintain(dbt_warehouse, settings, now=later)
    assert told.dropped == []
    assert set(told.left.values()) == {"no cycle has told the facts from it"}

    dbt("run", *CORE)
    connection.execute(
        "delete from ops.transformed_loads where load_id = 'load-1' and model = 'fact_offers'"
    )
    told = maintain(dbt_warehouse, settings, now=later)
    assert told.dropped == [f"pages_{midnight(0):%Y%m%d}"]
    assert set(told.left.values()) == {"the facts have not taken in the load load-1 of it"}

    record.quarantine(connection, "run", ["load-1"], "a check")
    told = maintain(dbt_warehouse, settings, now=later)
    assert len(told.dropped) == len(told.made) + 2, "nobody waits for what was refused"


def test_with_no_retention_nothing_is_dropped(
    connection: Connection, dbt_warehouse: Warehouse, settings: Settings
) -> None:
    begin(connection)
    land(connection, "1", [Reading(BUY, midnight(0), [[item("1299000000000000001")]])])
    forever = settings.model_copy(update={"raw_retention_days": 0})
    told = maintain(dbt_warehouse, forever, now=midnight(1000))
    assert (told.dropped, told.left) == ([], {})


def test_rebuilt_from_a_day_on_everything_is_as_it_was_whatever_was_spoilt(
    connection: Connection,
    dbt: Dbt,
    dbt_warehouse: Warehouse,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.made_up_market.SWAPPED", None)  # which a test of dbt's is red for
    begin(connection)
    land_market(connection)
    for table, column in (("pages", "requested_at"), ("snapshots", "started_at")):
        connection.execute(  # the last load begins in the middle of the second day
            f"update staging.{table} set _dlt_load_id = '3'"
            f" where {column} between '2026-11-02T11:00:00Z' and '2026-11-03'".encode()
        )
    dbt("run")
    before = everything(connection)
    for spoilt in (
        "update marts.fact_offers set price = price + 1, valid_to = null where valid_from >= %s",
        "delete from marts.fact_snapshots where started_at >= %s and side = 'BUY'",
        "update marts.advertiser_days set mean_rank = 99 where day >= %s",
        "delete from staging.int_method_days where day >= %s and side = 'SELL'",
        "delete from marts.market_quotes where snapshot_at >= %s",
    ):
        assert connection.execute(spoilt.encode(), [LAST_DAY]).rowcount, spoilt
    assert everything(connection) != before

    rebuild(dbt_warehouse, settings, LAST_DAY.date())
    after = everything(connection)
    assert {table for table in before if after[table] != before[table]} == set()
    assert connection.execute("select count(*) from ops.retold_loads").fetchone() == (0,)

    with pytest.raises(UserError, match="nothing to build again"):
        rebuild(dbt_warehouse, settings, midnight(1000).date())
