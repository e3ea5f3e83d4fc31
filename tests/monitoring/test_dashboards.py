"""Every query of the dashboards is understood, and finds what is there."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import grafana_foundation_sdk.cog.plugins
import pytest
import yaml  # type: ignore[import-untyped]
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest

from cli.query import ask
from ops.metrics import WarehouseMetrics
from tests.conftest import PROJECT
from tests.flows.test_metrics import BUCKETS, record_run
from tests.made_up_market import DAYS, START
from tests.monitoring import prometheus
from tests.monitoring.compose import SERVICES
from tests.monitoring.grafana import (
    DASHBOARDS,
    POSTGRESQL,
    PROMETHEUS,
    Query,
    filled,
    panels,
    queries,
)
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings

grafana_foundation_sdk.cog.plugins.register_default_plugins()
SINCE, UNTIL = START - timedelta(days=1), START + timedelta(days=DAYS)
PAIR = {"pair": "VES/USDT"}
STRANGERS_TEXT = ("nickname", "payment_method", "identifier", "method_name", "remark", "adv_no")

# The hour that Prometheus is to have seen: two cycles ended within it.
NOW = datetime(2026, 11, 4, 12, tzinfo=UTC)
HOUR, STEP = 3600, 60

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS)


@pytest.mark.parametrize("query", queries(POSTGRESQL), ids=str)
def test_a_query_of_the_market_finds_rows_and_what_its_panel_needs(
    built_warehouse: Warehouse, query: Query
) -> None:
    answer = ask(built_warehouse, filled(query.target["rawSql"], SINCE, UNTIL, PAIR))
    assert answer.rows
    numbers = [
        column
        for number, column in enumerate(answer.columns)
        if any(isinstance(row[number], int | float | Decimal) for row in answer.rows)
    ]
    if query.target["format"] == "time_series":
        assert answer.columns[0] == "time"
        times = [row[0] for row in answer.rows]
        assert all(time.tzinfo for time in times)
        assert times == sorted(times)
        # A number that is never there is a line that is never drawn.
        assert numbers == [name for name in answer.columns[1:] if name != "metric"]
    else:
        assert numbers or query.panel["type"] == "table"


def test_a_query_finds_nothing_beyond_its_time_and_pair(built_warehouse: Warehouse) -> None:
    for query in queries(POSTGRESQL):
        sql = query.target["rawSql"]
        if "$__timeFilter" in sql and query.panel["type"] != "stat":
            late = filled(sql, UNTIL + timedelta(days=9), UNTIL + timedelta(days=10), PAIR)
            assert ask(built_warehouse, late).rows == [], str(query)
        if "${pair" in sql:
            hostile = {"pair": "' or true --"}
            assert ask(built_warehouse, filled(sql, SINCE, UNTIL, hostile)).rows == [], str(query)


def test_the_variables_offer_the_pairs_that_were_read_lately(built_warehouse: Warehouse) -> None:
    (variable,) = [
        one for one in DASHBOARDS["market"]["templating"]["list"] if one["type"] == "query"
    ]
    pairs = {pair for (pair,) in ask(built_warehouse, variable["query"]).rows}
    assert pairs == {"VES/USDT", "ARS/USDT"}


@pytest.fixture(scope="module")
def shown(
    server: Warehouse, built_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A Prometheus that has seen for an hour what a worker shows, two cycles in it."""
    if prometheus.PROMETHEUS is None or prometheus.PROMTOOL is None:
        pytest.skip("no Prometheus on this machine (Debian: apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    name = f"metrics_{uuid.uuid4().hex[:8]}"
    with server.connect(autocommit=True) as connection:
        connection.execute(f"create database {name} template {built_warehouse.database}".encode())
    warehouse = replace(server, database=name)
    settings = load_settings(
        home=folder / "home", database_url=warehouse.url, hot=[("VES", "USDT")]
    )
    (folder / "home").mkdir()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(WarehouseMetrics(settings, warehouse, clock=lambda: NOW))
    seen = []
    with warehouse.connect(autocommit=True) as connection:
        connection.execute(
            "alter table staging.pages rename to pages_before;"
            "create table staging.pages (_dlt_load_id text) partition by range (_dlt_load_id);"
            "create table staging.pages_day partition of staging.pages"
            " for values from ('20261104') to ('20261109')"
        )
        for number in range(2):
            record_run(
                connection,
                f"cycle-{number}",
                NOW + timedelta(minutes=20 * number - HOUR // 60),
                "success",
                breaker_state="closed",
                recovered="nothing",
                requests_per_second=2.0,
                requests_by_outcome={"understood": 40, "http_429": 1},
                request_seconds={"sum": 12.5, "buckets": BUCKETS},
                seconds_by_step={"load": 30.5, "load.extract": 20.0, "transform": 4},
                books_listed=4,
                checks_failed=1,
                checks_warned=2,
                tests_failed=1,
                **dict.fromkeys(("offers", "pages", "pages_landed", "bytes", "retries"), 100),
                **dict.fromkeys(("books_planned", "books_read", "books_complete"), 4),
                **dict.fromkeys(("books_unchanged", "books_cut_short", "cleaned_characters"), 1),
            )
            text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
            seen.append(text.decode())
    data = prometheus.backfill(stretched(seen), folder)
    port = prometheus.free_port()
    config = folder / "prometheus.yml"
    config.write_text("{}\n")
    arguments = [
        prometheus.PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=100y",
    ]
    with prometheus.running(arguments, port, "/-/ready", folder / "log") as address:
        yield address
    with server.connect(autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def stretched(seen: list[str]) -> str:
    """The scrapes, each repeated for its part of the hour, as OpenMetrics with times."""
    part = HOUR // len(seen)
    series: dict[str, list[str]] = {}
    heads: dict[str, str] = {}
    for number, scrape in enumerate(seen):
        family = ""
        for line in scrape.splitlines():
            if line.startswith("# TYPE"):
                family = line.split()[2]
                heads.setdefault(family, line)
            elif not line.startswith("#"):
                start = NOW.timestamp() - HOUR + number * part
                series.setdefault(f"{family} {line.rpartition(' ')[0]}", []).extend(
                    f"{line} {start + second:.0f}" for second in range(0, part, STEP)
                )
    lines: list[str] = []
    for family, head in heads.items():
        lines.append(head)
        for name, samples in series.items():
            if name.startswith(f"{family} "):
                lines += samples
    return "\n".join([*lines, "# EOF", ""])


@pytest.mark.parametrize("query", queries(PROMETHEUS), ids=str)
def test_a_query_of_the_pipeline_finds_a_series_with_numbers(shown: str, query: Query) -> None:
    expression = query.target["expr"].replace("$__rate_interval", "30m")
    assert "$" not in expression
    since = NOW.timestamp() - HOUR
    series = prometheus.ask(shown, expression, since, since + HOUR - STEP)
    assert series
    assert any(value != "NaN" for one in series for _, value in one["values"])
    labels = re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"])
    assert all(label in one["metric"] for label in labels for one in series)


def test_what_grows_from_cycle_to_cycle_is_seen_to_grow(shown: str) -> None:
    since = NOW.timestamp() - HOUR
    (series,) = prometheus.ask(
        shown, "increase(p2p_books_read_total[30m])", since, since + HOUR - STEP
    )
    assert max(float(value) for _, value in series["values"]) > 3


def test_every_metric_that_is_explained_is_on_a_panel_and_every_one_on_a_panel_is_explained() -> (
    None
):
    explained = set(re.findall(r"`(p2p_\w+)`", (PROJECT / "docs" / "operations.md").read_text()))
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", metric)
        for query in queries(PROMETHEUS)
        for metric in re.findall(r"p2p_\w+", query.target["expr"])
    }
    assert asked - explained == set()
    # The list of alerts shows what this metric says, by the rule that is made of it.
    assert explained - asked == {"p2p_market_alert"}


@each_dashboard
def test_no_panel_renders_html_and_only_tables_show_what_strangers_wrote(dashboard: str) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "alertlist":
            continue
        assert panel["type"] in ("timeseries", "stat", "table")
        assert "links" not in panel["fieldConfig"]["defaults"]
        assert not re.search(r"html|markdown|json-view", str(panel["fieldConfig"]))
        for target in panel["targets"]:
            query = target.get("rawSql", "")
            if any(re.search(rf"\b{column}\b", query) for column in STRANGERS_TEXT):
                assert panel["type"] == "table", panel["title"]


@each_dashboard
def test_a_dashboard_can_be_imported_by_hand_and_no_panel_covers_another(dashboard: str) -> None:
    whole = DASHBOARDS[dashboard]
    assert whole["uid"] == f"p2p-{dashboard}"
    assert "id" not in whole
    sources = {
        f"${{{one['name']}}}": one["query"]
        for one in whole["templating"]["list"]
        if one["type"] == "datasource"
    }
    shown = [panel for panel in panels(dashboard) if panel["type"] != "alertlist"]
    used = [each["datasource"] for panel in shown for each in (panel, *panel["targets"])]
    assert all(sources[source["uid"]] == source["type"] for source in used)
    # Import asks for these; where a file is provisioned, the variables of the same names stand in.
    asked = {f"${{{one['name']}}}": one["pluginId"] for one in whole["__inputs"]}
    assert asked == sources
    ids = [panel["id"] for panel in whole["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in whole["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@each_dashboard
def test_grafanas_own_schema_knows_every_field(dashboard: str) -> None:
    whole = {key: value for key, value in DASHBOARDS[dashboard].items() if key != "__inputs"}
    assert list(lost(whole, understood(whole))) == []
    misspelt = {**whole, "panels": [{**whole["panels"][0], "titel": "Now"}]}
    assert list(lost(misspelt, understood(misspelt))) == ["panels.0.titel"]


def understood(whole: dict[str, Any]) -> Any:
    """What Grafana's published types make of a dashboard."""
    read = Dashboard.from_json(whole)
    return json.loads(JSONEncoder(sort_keys=True).encode(read))


def lost(given: Any, read: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Where a value is not as it was given; what is more than that are defaults."""
    if isinstance(given, list):
        given = dict(enumerate(given))
        read = dict(enumerate(read)) if isinstance(read, list) else {}
    if not isinstance(given, dict):
        if given != read:
            yield ".".join(place)
    elif not isinstance(read, dict):
        yield ".".join(place)
    else:
        for key, value in given.items():
            yield from lost(value, read.get(key), (*place, str(key)))


def test_alerts_are_shown_on_the_dashboard_of_the_pipeline() -> None:
    (alerts,) = [panel for panel in panels("pipeline") if panel["type"] == "alertlist"]
    assert alerts["options"]["stateFilter"]["firing"] is True


def test_grafana_is_given_the_sources_that_the_dashboards_ask_for_and_no_password() -> None:
    folder = PROJECT / "monitoring" / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "p2p.yaml").read_text())["datasources"]
    assert [source["type"] for source in sources] == [POSTGRESQL, PROMETHEUS, "alertmanager"]
    given = SERVICES["grafana"]["environment"]
    for name in re.findall(r"\$(WAREHOUSE_\w+)", str(sources[0])):
        assert given[name].startswith(f"${{{name}:-")
    assert given["WAREHOUSE_USER"] == "${WAREHOUSE_USER:-analyst}"
    assert sources[0]["secureJsonData"]["password"].startswith("$__file{")
