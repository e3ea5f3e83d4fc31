"""What a clock once far ahead has dated: it stays out of the facts, and freezes no record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from cli import doctor
from cli.doctor import Verdict, examine
from flows.cycle import CheckFailed
from ops import quarantine, record
from ops.migrations import migrate
from tests.flows.conftest import House, Story, moment
from tests.flows.test_metrics import record_run
from warehouse.postgres import Warehouse
from warehouse.settings import Settings

AHEAD = timedelta(days=400)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(autocommit=True) as connection:
        migrate(connection)
        connection.execute(
            "create schema staging;"
            "create table staging._dlt_loads (load_id text, status bigint);"
            "create table staging.snapshots (_dlt_load_id text, started_at timestamptz);"
            "create table ops.admitted_loads (load_id text primary key);"
            "insert into staging._dlt_loads values ('new', 0), ('old', 0), ('sound', 0);"
            "insert into staging.snapshots values ('new', now() + interval '11 minutes'),"
            " ('old', now() + interval '400 days'), ('sound', now() + interval '9 minutes');"
            "insert into ops.admitted_loads values ('old'), ('sound')"
        )
        yield connection


def refused(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute("select load_id from ops.quarantined_loads order by 1").fetchall()
    return [load_id for (load_id,) in rows]


def test_what_a_clock_ahead_has_landed_is_not_admitted(connection: psycopg.Connection[Any]) -> None:
    assert quarantine.refuse_future(connection, "run") == ["new"]
    assert refused(connection) == ["new"]
    assert quarantine.refuse_future(connection, "run") == []


def test_what_was_admitted_is_taken_back_for_a_rebuild(connection: psycopg.Connection[Any]) -> None:
    assert sorted(quarantine.refuse_future(connection, "rebuild", admitted=True)) == ["new", "old"]
    assert refused(connection) == ["new", "old"]
    assert connection.execute("select load_id from ops.admitted_loads").fetchall() == [("sound",)]


def test_a_cycle_by_a_clock_ahead_changes_nothing_of_the_facts(house: House, story: Story) -> None:
    house.go_back_to("first")
    house.exchange.source = story.at(1)
    with pytest.raises(CheckFailed, match="its times are ahead of the server's clock"):
        house.cycle(moment(0) + AHEAD)
    assert house.history() == story.first
    (reasons,) = house.rows("select distinct reason from ops.quarantined_loads")
    assert "a clock ahead" in reasons[0]
    house.cycle(moment(1))
    assert house.history() == story.second


def test_the_last_run_is_not_one_that_a_clock_ahead_has_dated(
    connection: psycopg.Connection[Any],
) -> None:
    now = datetime.now(UTC)
    record_run(connection, "ahead", now + AHEAD, "success")
    assert record.is_due(connection, timedelta(minutes=20))
    record.open_run(connection, "next", now)
    (latest,) = connection.execute("select max(started_at) from ops.runs").fetchone() or (None,)
    assert latest is not None
    assert latest <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(0, None), (-2, Verdict.watch), (11, Verdict.wrong)]
)
def test_a_clock_that_is_off_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, minutes: int, verdict: Verdict | None
) -> None:
    monkeypatch.setattr(doctor, "clock_lead", lambda _: timedelta(minutes=minutes))
    found = {finding.what: finding for finding in examine(settings, datetime.now(UTC))}
    assert found["clock"].verdict is (verdict or Verdict.fine)


def test_readings_of_the_facts_that_a_clock_ahead_has_dated_are_found(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    found = {finding.what: finding for finding in examine(settings, datetime.now(UTC))}
    assert found["clock"].verdict is Verdict.wrong
    assert "1 readings have times in the future" in found["clock"].said
    assert "p2p rebuild" in found["clock"].advice
