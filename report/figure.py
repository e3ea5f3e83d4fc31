"""The figure around a chart: its legend, its buttons, and the data that it draws."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from report.markup import Content, Markup, element


@dataclass(frozen=True)
class Axis:
    """How the axis of values is fitted to the times that are shown.

    It spans at least `least`, in its own units, and at least `least_share` of the level, so that
    a price that stands still is drawn as a flat line and not as its noise.
    """

    from_zero: bool = False
    baseline: float | None = None
    least: float = 0.0
    least_share: float = 0.02


def figure(
    title: str,
    spec: str,
    names: Sequence[str],
    fields: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    axis: Axis | None = None,
    key: Content = None,
    is_daily: bool = False,
    is_timed: bool = True,
    **more: Any,
) -> Markup:
    """A chart of `rows`, each with its `fields`; `title` says it to who cannot see it."""
    fit = axis or Axis()
    data: Mapping[str, Any] = {
        "names": names,
        "fields": fields,
        "rows": list(rows),
        "daily": is_daily,
        "timed": is_timed,
        "axis": [fit.from_zero, fit.baseline, fit.least, fit.least_share],
        **more,
    }
    return element(
        "figure",
        element("div", key, _tools(title, is_timed=is_timed), class_="above"),
        element(
            "div",
            class_="plot" if is_timed else "plot rows",
            role="img",
            tabindex=0,
            aria_label=f"{title}. The arrow keys read its values.",
        ),
        _json(spec, "spec"),
        _json(json.dumps(data, separators=(",", ":"), ensure_ascii=False), "data"),
        class_="chart",
        data_title=title,
    )


def milliseconds(at: datetime) -> int:
    """A time as a browser counts it."""
    return round(at.timestamp() * 1000)


def _tools(title: str, *, is_timed: bool) -> Markup:
    zoom = [
        _button("in", "+", "Zoom in"),
        _button("out", "\N{MINUS SIGN}", "Zoom out"),
        _button("reset", "Reset", "Show the chosen range again"),
    ]
    return element(
        "div",
        zoom if is_timed else None,
        _button("csv", "CSV", "Download the data"),
        _button("png", "PNG", "Download the picture"),
        class_="tools",
        role="group",
        aria_label=title,
    )


def _button(what: str, shown: str, said: str) -> Markup:
    return element("button", shown, type="button", data_do=what, title=said, aria_label=said)


def _json(source: str, what: str) -> Markup:
    # `<` stands in strings only, and there JSON lets it be spelled out: nothing ends the element.
    shown = source.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(f'<script type="application/json" data-{what}>{shown}</script>')
