"""Alert rules are understood by Prometheus's own tools, fire once each, and lead to the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import PROJECT

MONITORING = PROJECT / "monitoring"
RULES = MONITORING / "prometheus" / "alerts.yml"
FIRED = Path(__file__).with_name("alerts.yml")


def tool(name: str, *arguments: str | Path) -> str:
    """Run one of Prometheus's tools; what it says where it finds fault."""
    if (program := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed (Debian: prometheus, prometheus-alertmanager)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    assert tool("promtool", "test", "rules", FIRED) == ""


def test_prometheus_takes_its_configuration() -> None:
    assert tool("promtool", "check", "config", MONITORING / "prometheus" / "prometheus.yml") == ""


def test_alertmanager_takes_its_configuration() -> None:
    path = MONITORING / "alertmanager" / "alertmanager.yml"
    assert tool("amtool", "check-config", path) == ""


def test_each_alert_is_fired_once() -> None:
    fired = {
        case["alertname"]
        for test in yaml.safe_load(FIRED.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


def test_each_alert_leads_to_a_heading_of_the_runbook() -> None:
    headings = re.findall(r"(?m)^## (\S+)$", (PROJECT / "docs" / "runbook.md").read_text())
    assert headings == [rule["alert"] for rule in rules()]
    for rule in rules():
        link = f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook"] == link


def test_alerts_ask_only_for_metrics_that_are_shown() -> None:
    explained = (PROJECT / "docs" / "operations.md").read_text()
    asked = {name for rule in rules() for name in re.findall(r"\bp2p_\w+", rule["expr"])}
    assert asked
    assert [name for name in sorted(asked) if f"`{name}`" not in explained] == []
