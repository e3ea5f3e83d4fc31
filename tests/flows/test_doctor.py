"""What `p2p doctor` finds: nothing where all is well, and each thing that is wrong by its name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from cli import doctor
from cli.doctor import Verdict, examine
from load.pace.bans import FILE, LastingLimiter
from ops import record
from ops.migrations import migrate
from simulator.market import Market
from simulator.server import Exchange
from tests.conftest import PROJECT
from tests.flows.conftest import command
from tests.flows.test_metrics import record_run
from warehouse.postgres import Warehouse
from warehouse.settings import Settings, load_settings

NOW = datetime.now(UTC)
DISK = shutil._ntuple_diskusage(100, 50, 50)


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        migrate(connection)
        connection.execute(
            "create schema staging; create schema marts;"
            "create table staging.pages (_dlt_load_id text) partition by range (_dlt_load_id);"
            "create table marts.data_health as select 'VES' as fiat_code, 'USDT' as asset_code,"
            " 'BUY' as side, 'VES/USDT' as trading_pair, false as is_stale, true as is_listed,"
            " 100.0 as coverage_pct, now() as last_read_at, now() as last_complete_at"
        )
        day = NOW.date()
        connection.execute(
            "create table staging.pages_now partition of staging.pages for values"
            f" from ('{day:%Y%m%d}') to ('{day + timedelta(days=7):%Y%m%d}')".encode()
        )
        yield connection


@pytest.fixture(autouse=True)
def _room_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor.shutil.disk_usage", lambda place: DISK)


def found(settings: Settings, now: datetime = NOW) -> dict[str, tuple[Verdict, str]]:
    """What is not fine, by name; each of these says what to do."""
    findings = list(examine(settings, now))
    assert all(finding.advice for finding in findings if finding.verdict is not Verdict.fine)
    return {
        finding.what: (finding.verdict, finding.said)
        for finding in findings
        if finding.verdict is not Verdict.fine
    }


def succeed(connection: psycopg.Connection[Any], **facts: Any) -> None:
    record_run(connection, "sound", NOW - timedelta(minutes=30), "success", **facts)


def test_an_archive_that_cannot_be_used_is_found_long_before_it_is_needed(
    connection: psycopg.Connection[Any], settings: Settings, tmp_path: Path
) -> None:
    succeed(connection)
    there = settings.model_copy(update={"archive_url": str(tmp_path / "not" / "yet")})
    assert found(there) == {}
    (tmp_path / "file").touch()
    for url, why in (
        ("nowhere://bucket/pages", "Protocol not known: nowhere"),
        (str(tmp_path / "file"), "no folder can be made in"),
    ):
        bad = found(settings.model_copy(update={"archive_url": url}))
        assert list(bad) == ["archive"]
        assert why in bad["archive"][1]


def test_where_all_is_well_nothing_is_found(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    succeed(connection, breaker_state="closed")
    assert found(settings) == {}
    (server,) = (one.said for one in examine(settings, NOW) if one.what == "warehouse")
    assert f", {connection.info.host}:{connection.info.port}, " in server, "a socket of one's own"


def test_a_success_long_ago_and_a_cycle_that_failed_are_found(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    succeed(connection)
    record_run(connection, "bad", NOW - timedelta(minutes=5), "failed", error="no disk")
    late = found(settings, NOW + timedelta(hours=3))
    assert late["last success"] == (Verdict.wrong, "3 h 29 min ago, and two intervals are 40 min")
    assert late["last cycle"] == (Verdict.wrong, "bad failed: no disk")


def test_an_open_breaker_refused_loads_red_checks_and_a_dead_cycle_are_found(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    succeed(connection, breaker_state="open")
    record.quarantine(connection, "sound", ["1.5"], "books_keep_their_size")
    connection.execute(
        "insert into ops.check_results (run_id, suite, name, table_name, severity, success)"
        " values ('sound', 'core', 'prices', 'fact_offers', 'critical', false)"
    )
    record_run(connection, "dead", NOW, "running")
    bad = found(settings)
    assert {what: verdict for what, (verdict, _) in bad.items()} == {
        "breaker": Verdict.wrong,
        "checks": Verdict.wrong,
        "quarantine": Verdict.watch,
        "running": Verdict.watch,
    }
    assert "core.prices" in bad["checks"][1]
    assert "books_keep_their_size" in bad["quarantine"][1]


def test_what_waits_to_be_loaded_what_is_stale_and_a_missing_day_are_found(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    succeed(connection)
    (settings.home / "dlt/pipelines/one/load/normalized/1.5").mkdir(parents=True)
    connection.execute("update marts.data_health set is_stale = true, coverage_pct = 50")
    connection.execute(
        "drop table staging.pages_now;"
        "create table staging.pages_then partition of staging.pages for values"
        f" from ('{NOW - timedelta(days=7):%Y%m%d}') to ('{NOW:%Y%m%d}')".encode()
    )
    bad = found(settings)
    assert bad["pending packages"] == (Verdict.watch, "1 not in the warehouse yet")
    assert bad["books"] == (Verdict.watch, "50% of the readings expected, 1 books stale")
    assert bad["partitions"] == (
        Verdict.wrong,
        f"no partition for new pages from {NOW.date()} on",
    )


def test_a_full_disk_and_packages_that_are_not_the_locks_are_found(
    connection: psycopg.Connection[Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(connection)
    full = shutil._ntuple_diskusage(100, 95, 5)
    monkeypatch.setattr("cli.doctor.shutil.disk_usage", lambda place: full)
    monkeypatch.setattr(doctor, "version", lambda name: "0.0.1" if name == "dlt" else "1")
    bad = found(settings)
    assert bad["disk"][0] is Verdict.wrong
    assert bad["packages"][0] is Verdict.wrong
    assert "dlt" in bad["packages"][1] or "…" in bad["packages"][1]


def test_a_new_warehouse_is_told_what_to_do_first(settings: Settings) -> None:
    assert found(settings) == {"cycles": (Verdict.watch, "none has ended yet")}


def test_a_home_that_is_open_to_others_is_found(settings: Settings) -> None:
    (settings.home / "letters").mkdir(parents=True)
    settings.home.chmod(0o755)
    assert found(settings)["home"] == (
        Verdict.watch,
        f"{settings.home} is open to other users, since it holds other things besides ours",
    )


def test_a_warehouse_out_of_reach_is_said_without_its_password(settings: Settings) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/none"
    bad = found(load_settings(home=settings.home, database_url=url))
    assert bad["warehouse"][0] is Verdict.wrong
    assert "no connection to 127.0.0.1:1 as me" in bad["warehouse"][1]
    assert "hidden" not in str(bad)


def test_the_exchange_is_asked_only_when_told_to_and_once(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    with Exchange(Market(1, ["VES"], ["USDT"], NOW)) as exchange:
        ours = load_settings(
            home=settings.home, database_url=settings.database_url, api_url=exchange.url
        )
        told = [finding.what for finding in examine(ours, NOW)]
        assert "exchange" not in told
        (asked,) = [f for f in examine(ours, NOW, ask_exchange=True) if f.what == "exchange"]
        assert asked.verdict is Verdict.fine
        assert exchange.requests.total() == 1
        LastingLimiter(2, ours.home / FILE, urlsplit(exchange.url).netloc).failed(
            None, "http_418", 600
        )
        (kept_out,) = [f for f in examine(ours, NOW, ask_exchange=True) if f.what == "exchange"]
        assert kept_out.verdict is Verdict.wrong
        assert "http_418" in kept_out.said
        assert exchange.requests.total() == 1
        (ours.home / FILE).unlink()
    (silent,) = [f for f in examine(ours, NOW, ask_exchange=True) if f.what == "exchange"]
    assert silent.verdict is Verdict.wrong


def test_the_command_shows_it_on_one_screen_and_ends_in_1_when_something_is_wrong(
    connection: psycopg.Connection[Any], settings: Settings
) -> None:
    assert settings.database_url
    record_run(connection, "bad", NOW - timedelta(days=2), "failed", error="\x1b[31mred")
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "P2P_HOME": str(settings.home),
        "COLUMNS": "120",
    }
    done = subprocess.run(
        command("doctor"), cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) <= 24
    assert "to fix." in done.stdout
