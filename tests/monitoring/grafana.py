"""The dashboards as Grafana reads them: panels, and queries with their macros filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.conftest import PROJECT

FOLDER = PROJECT / "monitoring" / "dashboards"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
POSTGRESQL, PROMETHEUS = "grafana-postgresql-datasource", "prometheus"

# As grafana-postgresql-datasource finds its macros, in pkg/tsdb/grafana-postgresql-datasource.
_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")


@dataclass(frozen=True)
class Query:
    """A query of a panel, as Grafana would show it in an error."""

    dashboard: str
    panel: dict[str, Any]
    target: dict[str, Any]

    def __str__(self) -> str:
        """Name it in a test's name."""
        return f"{self.dashboard}: {self.panel['title']} {self.target['refId']}"


def panels(dashboard: str) -> list[dict[str, Any]]:
    """All panels of a dashboard but the titles of rows."""
    return [panel for panel in DASHBOARDS[dashboard]["panels"] if panel["type"] != "row"]


def queries(kind: str) -> Iterator[Query]:
    """Every query that goes to a kind of data source."""
    for dashboard in DASHBOARDS:
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == kind:
                    yield Query(dashboard, panel, target)


def filled(sql: str, since: datetime, until: datetime, variables: Mapping[str, str]) -> str:
    """A query to PostgreSQL, for a range of time and with a value for each variable."""

    def macro(found: re.Match[str]) -> str:
        assert found[1] == "__timeFilter", found[0]
        return f"{found[2]} BETWEEN '{since:%Y-%m-%dT%H:%M:%SZ}' AND '{until:%Y-%m-%dT%H:%M:%SZ}'"

    def variable(found: re.Match[str]) -> str:
        return "'" + variables[found[1]].replace("'", "''") + "'"

    whole = _VARIABLE.sub(variable, _MACRO.sub(macro, sql))
    assert "$" not in whole, whole
    return whole
