"""What Prometheus is shown is what `ops` and the marts say, whatever became of the processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from ops import record
from ops.metrics import WarehouseMetrics, pending_packages, shown
from ops.migrations import migrate
from tests.conftest import PROJECT
from tests.flows.conftest import wait_for
from warehouse.errors import UserError
from warehouse.partitions import KEY, Partition, attach, create_apart
from warehouse.postgres import Warehouse
from warehouse.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKETS = [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]

Values = dict[tuple[str, ...], float]


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        migrate(connection)
        yield connection


def record_run(
    connection: psycopg.Connection[Any], run_id: str, at: datetime, state: str, **facts: Any
) -> None:
    """Put a cycle into `ops.runs`, or know more of one that is there."""
    connection.execute(
        "insert into ops.runs (run_id, state, started_at) values (%s, 'running', %s)"
        " on conflict do nothing",
        [run_id, at],
    )
    ended = None if state == "running" else at + timedelta(minutes=1)
    record.note(connection, run_id, {**facts, "state": state, "finished_at": ended})


def values(metrics: WarehouseMetrics) -> Values:
    """What a scrape shows: by name and labels, histograms by their bounds."""
    return {
        (sample.name, *sample.labels.values()): float(sample.value)
        for family in metrics.collect()
        for sample in family.samples
    }


def test_counters_are_sums_over_all_cycles_and_those_that_run_count_as_far_as_they_got(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    record_run(
        connection,
        "a",
        NOW - timedelta(hours=2),
        "success",
        books_read=10,
        bytes=5_000_000_000,
        requests_by_outcome={"understood": 40, "http_418": 1},
        request_seconds={"sum": 12.5, "buckets": BUCKETS},
        seconds_by_step={"load": 30.5, "transform": 4},
        checks_failed=0,
        checks_warned=2,
    )
    record_run(connection, "b", NOW - timedelta(hours=1), "failed", books_read=1, tests_failed=3)
    record_run(connection, "c", NOW, "running", books_read=5, breaker_state="open")
    metrics = WarehouseMetrics(settings, warehouse, clock=lambda: NOW)
    seen = values(metrics)
    assert seen["p2p_up",] == 1
    assert seen["p2p_books_read_total",] == 16
    assert seen["p2p_read_bytes_total",] == 5_000_000_000
    assert seen["p2p_requests_total", "understood"] == 40
    assert seen["p2p_requests_total", "http_418"] == 1
    assert seen["p2p_requests_total", "timeout"] == 0
    assert seen["p2p_request_duration_seconds_bucket", "0.1"] == 3
    assert seen["p2p_request_duration_seconds_bucket", "60.0"] == 3
    assert seen["p2p_request_duration_seconds_bucket", "+Inf"] == 4
    assert seen["p2p_request_duration_seconds_sum",] == 12.5
    assert seen["p2p_step_seconds_total", "load"] == 30.5
    assert seen["p2p_cycles_total", "success"] == 1
    assert seen["p2p_cycles_total", "failed"] == 1
    assert seen["p2p_dbt_tests_failed_total",] == 3
    assert seen["p2p_last_cycle_failures", "dbt"] == 3
    assert seen["p2p_last_cycle_failures", "check"] == 0
    assert seen["p2p_checks_failed_total", "warning"] == 2
    assert seen["p2p_cycle_running",] == 1
    assert seen["p2p_breaker_state", "open"] == 1
    assert seen["p2p_breaker_state", "closed"] == 0
    assert seen["p2p_last_success_age_seconds",] == 119 * 60

    record_run(connection, "c", NOW, "success", books_read=8, breaker_state="closed")
    seen = values(metrics)
    assert seen["p2p_books_read_total",] == 19
    assert seen["p2p_breaker_state", "closed"] == 1
    assert seen["p2p_cycles_total", "success"] == 2
    assert values(metrics)["p2p_books_read_total",] == 19
    assert values(WarehouseMetrics(settings, warehouse))["p2p_books_read_total",] == 19


def test_what_is_asked_beside_the_cycles_counts_and_is_no_cycle(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    record_run(
        connection,
        "cycle",
        NOW - timedelta(hours=1),
        "success",
        requests_by_outcome={"understood": 40},
        breaker_state="closed",
        books_listed=9,
    )
    asked = {
        "requests_by_outcome": {"understood": 5, "http_418": 1},
        "request_seconds": {"sum": 2.5, "buckets": BUCKETS},
        "retries": 1,
        "breaker_state": "open",
        "requests_per_second": 0.5,
    }
    metrics = WarehouseMetrics(settings, warehouse, clock=lambda: NOW)
    record.open_run(connection, "list", NOW, record.CATALOGUES)
    record.note(connection, "list", asked, record.CATALOGUES)
    for state in ("running", "success"):
        ended = None if state == "running" else NOW
        record.note(connection, "list", {"state": state, "finished_at": ended}, record.CATALOGUES)
        for _ in range(2):
            seen = values(metrics)
            assert seen["p2p_requests_total", "understood"] == 45
            assert seen["p2p_requests_total", "http_418"] == 1
            assert seen["p2p_request_duration_seconds_bucket", "+Inf"] == 4
            assert seen["p2p_request_retries_total",] == 1
            assert seen["p2p_breaker_state", "open"] == 1
            assert seen["p2p_limiter_requests_per_second",] == 0.5
            assert seen["p2p_books_listed",] == 9
            assert seen["p2p_cycle_running",] == 0
            assert seen["p2p_cycles_total", "success"] == 1
            assert seen["p2p_last_success_age_seconds",] == 59 * 60
    record_run(connection, "next", NOW, "running", breaker_state="closed")
    assert values(metrics)["p2p_requests_total", "understood"] == 45


def test_a_counter_never_falls_whatever_becomes_of_the_rows(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    metrics = WarehouseMetrics(settings, warehouse)
    record_run(connection, "a", NOW - timedelta(days=3), "success", offers=100)
    record_run(connection, "b", NOW, "running", offers=50)
    assert values(metrics)["p2p_offers_read_total",] == 150
    # The step is tried again and begins to count again; old cycles are cleared away.
    record_run(connection, "b", NOW, "running", offers=10)
    connection.execute("delete from ops.runs where run_id = 'a'")
    assert values(metrics)["p2p_offers_read_total",] == 150
    record_run(connection, "b", NOW, "success", offers=60)
    assert values(metrics)["p2p_offers_read_total",] == 160


def test_packages_that_were_left_are_counted_by_cycles_in_a_row(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    metrics = WarehouseMetrics(settings, warehouse)
    for hour, recovered in enumerate(["finished", "nothing", "aborted", "finished"]):
        at = NOW + timedelta(hours=hour)
        record_run(connection, str(hour), at, "success", recovered=recovered)
        found = values(metrics)["p2p_pending_packages_cycles",]
        assert found == [1, 0, 1, 2][hour]
    for folder in ("normalize/extracted/1", "load/normalized/2", "load/loaded/3"):
        (tmp_path / "dlt/pipelines/binance_p2p" / folder).mkdir(parents=True)
    assert pending_packages(tmp_path) == 2


def test_head_room_ends_at_the_first_day_without_a_partition(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    metrics = WarehouseMetrics(settings, warehouse, clock=lambda: NOW)
    assert ("p2p_partition_headroom_seconds",) not in values(metrics)
    connection.execute(
        "create schema staging; create table staging.pages (snapshot_id text)"
        f" partition by range ({KEY});"
        " create table staging.pages_default partition of staging.pages default"
    )
    for day, head_room in ((1, 0.5), (2, 1.5), (4, 1.5), (3, 3.5)):
        made = Partition(f"pages_{day}", date(2026, 3, day), date(2026, 3, day + 1))
        with connection.transaction():
            create_apart(connection, made)
            attach(connection, made)
        assert values(metrics)["p2p_partition_headroom_seconds",] == head_room * 86_400
    late = WarehouseMetrics(settings, warehouse, clock=lambda: NOW + timedelta(days=9))
    assert values(late)["p2p_partition_headroom_seconds",] == 0


def test_with_the_warehouse_gone_the_last_values_are_shown_and_age(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    now = NOW
    record_run(connection, "a", NOW - timedelta(minutes=5), "success", offers=7)
    metrics = WarehouseMetrics(settings, warehouse, clock=lambda: now)
    assert values(metrics)["p2p_last_success_age_seconds",] == 240
    metrics._warehouse = replace(warehouse, database="gone")
    now += timedelta(hours=1)
    seen = values(metrics)
    assert seen["p2p_up",] == 0
    assert seen["p2p_offers_read_total",] == 7
    assert seen["p2p_values_age_seconds",] == 3_600
    assert seen["p2p_last_success_age_seconds",] == 3_840


def test_a_warehouse_that_hangs_is_not_waited_for(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    metrics = WarehouseMetrics(settings, warehouse, patience=0.2)
    with warehouse.connect() as other:
        other.execute("lock table ops.runs in access exclusive mode")
        assert values(metrics)["p2p_up",] == 0
        assert values(metrics)["p2p_up",] == 0
    wait_for(lambda: values(metrics)["p2p_up",] == 1)


def test_watched_books_have_an_age_each_and_nothing_else_of_the_market_a_name(
    built_warehouse: Warehouse, settings: Settings
) -> None:
    with built_warehouse.connect() as connection:
        found = connection.execute(
            "select fiat_code, asset_code, side, last_complete_at from marts.data_health"
            " where last_complete_at is not null order by 1, 2, 3 limit 1"
        ).fetchone()
        names = connection.execute("select distinct nickname from marts.dim_advertisers")
        nicknames = {nickname for (nickname,) in names if nickname}
    assert found is not None
    assert nicknames
    fiat, asset, side, complete_at = found
    hot = settings.model_copy(update={"hot": ((fiat, asset), ("XXX", "USDT"))})
    metrics = WarehouseMetrics(hot, built_warehouse, clock=lambda: complete_at + timedelta(hours=1))
    seen = values(metrics)
    assert seen["p2p_book_age_seconds", f"{fiat}/{asset}", side] == 3_600
    assert seen["p2p_book_age_seconds", "XXX/USDT", "BUY"] == float("inf")
    assert 0 < seen["p2p_coverage_ratio",] <= 1
    labels = {label for _, *rest in seen for label in rest}
    assert not labels & nicknames
    assert not [label for label in labels if label.isdigit() and len(label) > 6]


def test_an_alert_of_the_market_is_shown_until_it_has_cooled_down_with_the_name_of_a_watched_pair(
    built_warehouse: Warehouse, settings: Settings
) -> None:
    """A dollar costs half more than officially in VES, on each of the three days."""
    with built_warehouse.connect() as connection:
        fired = connection.execute(
            "select fiat_code, fired_at, cooled_at from marts.market_alerts"
            " where rule = 'high_premium' order by fired_at"
        ).fetchall()
    assert len(fired) > 1
    assert {fiat for fiat, _, _ in fired} == {"VES"}
    hot = settings.model_copy(update={"hot": (("VES", "USDT"),)})
    (_, first_at, cooled_at), *_ = fired

    def shown_at(now: datetime, these: Settings, pair: str) -> float | None:
        seen = values(WarehouseMetrics(these, built_warehouse, clock=lambda: now))
        return seen.get(("p2p_market_alert", "high_premium", pair))

    assert shown_at(first_at - timedelta(seconds=1), hot, "VES/USDT") is None
    assert shown_at(first_at, hot, "VES/USDT") == 1
    assert shown_at(cooled_at - timedelta(seconds=1), hot, "VES/USDT") == 1
    assert shown_at(first_at, settings, "other") == 1


def test_scrapes_are_answered_at_the_port_and_a_port_that_is_taken_is_said(
    connection: psycopg.Connection[Any], settings: Settings, warehouse: Warehouse
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        here = settings.model_copy(update={"metrics_port": port})
        with pytest.raises(UserError, match=f"P2P_METRICS_PORT={port}"), shown(here, warehouse):
            pass
    with shown(here, warehouse) as address:
        assert address == f"http://127.0.0.1:{port}/metrics"
        text = requests.get(address, timeout=60).text
    families = {family.name for family in text_string_to_metric_families(text)}
    assert {"p2p_up", "p2p_requests", "process_resident_memory_bytes"} <= families


def test_every_metric_is_explained(
    built_warehouse: Warehouse, settings: Settings, connection: psycopg.Connection[Any]
) -> None:
    hot = settings.model_copy(update={"hot": (("VES", "USDT"),)})
    explained = (PROJECT / "docs" / "operations.md").read_text()
    shown_names = {family.name for family in WarehouseMetrics(hot, built_warehouse).collect()}
    assert [name for name in sorted(shown_names) if f"`{name}" not in explained] == []
