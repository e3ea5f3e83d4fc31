"""What each kind of chart looks like, in Vega-Lite, by Vega-Altair; the data comes with the page.

A colour is named as the style sheet names it (`--ask`): the page fills it in, light or dark.
`low` and `high` are the ends of the axis of values: the page fits them to the times that it shows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import altair as alt

HEIGHT = 190
ROW = 24
"""Pixels: how high a chart of values is, and a row of a chart of names."""

COLOURS = ("ask", "bid", "third", "fourth", "fifth", "sixth", "quiet")
_DASHES = {"dashed": [6, 4], "dotted": [1, 4]}
_SHAPES = {"trusted": "stroke", "incomplete": "square", "suspect": "cross"}
_TURNS = "datum.verdict === 'trusted' ? 90 : datum.verdict === 'suspect' ? 45 : 0"
_VERDICT_COLOURS = {"trusted": "--good", "incomplete": "--warn", "suspect": "--bad"}

# The clock, and the day below it where it begins and at the first; by days the day and the year.
_CLOCK = (
    "utchours(datum.value) + utcminutes(datum.value) > 0"
    " ? (datum.index > 0 ? utcFormat(datum.value, '%H:%M')"
    " : [utcFormat(datum.value, '%H:%M'), utcFormat(datum.value, '%d %b')])"
    " : [utcFormat(datum.value, '%d %b'), datum.index > 0 ? '' : utcFormat(datum.value, '%Y')]"
)
_NUMBER = (
    "abs(datum.value) >= 1e9 ? format(datum.value, '.4~s')"
    " : abs(datum.value) >= 1e6 ? format(datum.value / 1e6, ',.6~f') + 'M'"
    " : abs(datum.value) > 0 && abs(datum.value) < 1e-4 ? format(datum.value, '.6~g')"
    " : format(datum.value, ',.6~f')"
)
_CONFIG: dict[str, Any] = {
    "background": "--card",
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "domain": False, "ticks": False, "title": None, "gridColor": "--grid",
        "labelColor": "--quiet", "labelFontSize": 11.5, "labelPadding": 6,
    },
}  # fmt: skip


@cache
def lines(looks: tuple[str, ...], baseline: float | None = None, *, is_daily: bool = False) -> str:
    """Lines over time, one a look, broken where there is no value; signs of what was withheld."""
    colour = _by_series([f"--{_colour(look)}" for look in looks])
    x = _time(is_daily=is_daily)
    y = _value()
    rows = alt.Chart(alt.NamedData("rows"))
    drawn = rows.mark_line(
        clip=True,
        strokeJoin="round",
        strokeCap="round",
        strokeWidth=_each([2.4 if "main" in look else 1.4 for look in looks]),
    ).encode(
        x,
        y,
        alt.Color("series:O", scale=colour, legend=None),
        alt.StrokeDash("series:O", scale=_by_series([_dash(look) for look in looks]), legend=None),
    )
    dots = (
        rows.mark_point(filled=True, opacity=1, size=22, clip=True)
        .encode(x, y, alt.Color("series:O", scale=colour, legend=None))
        .transform_filter("datum.dot")
    )
    withheld = (
        rows.mark_rule(color="--bad", strokeWidth=2, clip=True)
        .encode(x, y=alt.value(HEIGHT - 9), y2=alt.value(HEIGHT))
        .transform_filter("datum.value === null && datum.said")
    )
    gaps = (
        alt.Chart(alt.NamedData("gaps"))
        .mark_rect(color="--gap", clip=True)
        .encode(alt.X("from:T"), alt.X2("until:T"))
    )
    base = [] if baseline is None else [_rule(baseline, _value())]
    return _written([gaps, *base, drawn, dots, withheld, _hits()])


@cache
def columns(looks: tuple[str, ...], *, is_daily: bool) -> str:
    """Columns over time whose parts stand on each other, told apart by more than their colour."""
    colours = _by_series([_part_colour(look) for look in looks])
    drawn = (
        alt.Chart(alt.NamedData("rows"))
        .mark_rect(clip=True, fillOpacity=_each([_opacity(look) for look in looks]))
        .encode(
            _time("from", is_daily=is_daily),
            alt.X2("until:T"),
            _value("foot"),
            alt.Y2("top:Q"),
            alt.Color("series:O", scale=colours, legend=None),
            alt.Stroke("series:O", scale=colours, legend=None),
        )
        .transform_filter("datum.value > 0")
    )
    return _written([drawn, _hits()])


@cache
def candles(look: str) -> str:
    """From the lowest to the highest, and a box from the first to the last; hollow if so said."""
    x = _time(is_daily=False)
    rows = alt.Chart(alt.NamedData("rows"))
    token = f"--{_colour(look)}"
    wicks = rows.mark_rule(color=token, strokeWidth=1.2, clip=True).encode(
        x, _value("low"), alt.Y2("high:Q")
    )
    boxes = rows.mark_rect(clip=True, stroke=token, strokeWidth=1.4).encode(
        alt.X("from:T"),
        alt.X2("until:T"),
        _value("open"),
        alt.Y2("value:Q"),
        fill=alt.condition("datum.hollow", alt.value("--card"), alt.value(token)),
    )
    return _written([wicks, boxes, _hits()])


@cache
def strips(names: tuple[str, ...]) -> str:
    """A sign for each reading at its time, by what came of it, in a row for each name."""
    verdicts = list(_SHAPES)
    shapes = alt.Scale(domain=verdicts, range=list(_SHAPES.values()))
    colours = alt.Scale(domain=verdicts, range=list(_VERDICT_COLOURS.values()))
    drawn = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(clip=True, strokeWidth=2, angle=alt.ExprRef(_TURNS))
        .encode(
            _time(is_daily=False),
            alt.Y("series:O", axis=_names_axis(names)),
            alt.Shape("verdict:N", scale=shapes, legend=None),
            alt.Color("verdict:N", scale=colours, legend=None),
            alt.Angle(
                "verdict:N", scale=alt.Scale(domain=verdicts, range=[90, 0, 45]), legend=None
            ),
            size=alt.condition("datum.verdict === 'trusted'", alt.value(60), alt.value(42)),
        )
    )
    return _written([drawn, _hits(2 * ROW * len(names))], 2 * ROW * len(names))


@cache
def dots(
    names: tuple[str, ...],
    looks: tuple[str, ...],
    baseline: float | None = None,
    *,
    is_ranged: bool = False,
) -> str:
    """A dot for each value in the row of what it is called, on a line from `low` to `high`."""
    height = ROW * len(names)
    rows = alt.Chart(alt.NamedData("rows"))
    x = partial(alt.X, scale=_ends(), axis=alt.Axis(labelExpr=_NUMBER, tickCount=4))
    y = alt.Y("row:O", axis=_names_axis(names))
    colour = alt.Color("series:N", scale=_by_series([f"--{k}" for k in looks]), legend=None)
    drawn = rows.mark_point(filled=True, opacity=1, size=70).encode(
        x("value:Q"),
        y,
        colour,
        alt.Shape("series:N", scale=_by_series(["circle", "diamond"][: len(looks)]), legend=None),
    )
    ranges = rows.mark_rule(strokeWidth=2.4).encode(x("low:Q"), alt.X2("high:Q"), y, colour)
    base = [] if baseline is None else [_rule(baseline, x("value:Q"))]
    hits = (
        alt.Chart(alt.NamedData("hits"))
        .mark_rect(color="--quiet")
        .encode(
            alt.Y("row:O", axis=_names_axis(names)),
            x=alt.value(0),
            x2=alt.value("width"),
            opacity=alt.condition("datum.n === lit", alt.value(0.14), alt.value(0)),
        )
    )
    return _written([*base, *([ranges] if is_ranged else []), drawn, hits], height)


def _written(layers: Sequence[alt.Chart], height: int = HEIGHT) -> str:
    chart = alt.layer(*layers).properties(
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    spec: dict[str, Any] = chart.to_dict()
    del spec["$schema"]  # an address on another host, though nobody asks it
    spec.setdefault("params", [])
    # At first: the page fits the ends to the times that are shown, and lights what is pointed at.
    spec["params"] += [{"name": name, "value": 0} for name in ("low", "high", "first", "last")]
    spec["params"].append({"name": "lit", "value": -1})
    spec["config"] = _CONFIG
    return json.dumps(spec, separators=(",", ":"))


def _time(field: str = "at", *, is_daily: bool) -> alt.X:
    axis = alt.Axis(
        labelExpr=_CLOCK, labelOverlap="greedy", labelSeparation=8, labelFlush=24,
        tickCount=alt.ExprRef("max(2, floor(width / 110))"), labelLineHeight=14,
        tickMinStep=86_400_000 if is_daily else alt.Undefined,
    )  # fmt: skip
    # Vega-Lite would take the ends twice for what has two ends itself.
    ends = alt.Undefined if field == "from" else _params("first", "last")
    return alt.X(f"{field}:T", scale=alt.Scale(type="utc", domain=ends), axis=axis)


def _value(field: str = "value") -> alt.Y:
    axis = alt.Axis(labelExpr=_NUMBER, tickCount=4, minExtent=56)
    return alt.Y(f"{field}:Q", scale=_ends(), axis=axis)


def _ends() -> alt.Scale:
    return alt.Scale(domain=_params("low", "high"), nice=False, zero=False)


def _zoom() -> alt.Parameter:
    """Drag to move, Ctrl and the wheel to zoom (the wheel alone scrolls the page)."""
    return alt.selection_interval(
        name="zoom", bind="scales", encodings=["x"], zoom="wheel![event.ctrlKey]",
        clear="dblclick",
    )  # fmt: skip


def _hits(height: int = HEIGHT) -> alt.Chart:
    """What the pointer meets, over all else: a stretch of time, lit while it is told."""
    hits: alt.Chart = (
        alt.Chart(alt.NamedData("hits"))
        .mark_rect(color="--quiet", clip=True)
        .encode(
            alt.X("from:T"),
            alt.X2("until:T"),
            y=alt.value(0),
            y2=alt.value(height),
            opacity=alt.condition("datum.n === lit", alt.value(0.14), alt.value(0)),
        )
        .add_params(_zoom())
    )
    return hits


def _rule(level: float, at: alt.X | alt.Y) -> alt.Chart:
    values = alt.InlineData([{"value": level}])
    rule: alt.Chart = alt.Chart(values).mark_rule(color="--quiet").encode(at)
    return rule


def _names_axis(names: Sequence[str]) -> alt.Axis:
    return alt.Axis(labelExpr=f"{json.dumps(list(names))}[datum.value]", labelLimit=180, grid=False)


def _params(*names: str) -> list[alt.ExprRef]:
    return [alt.ExprRef(name) for name in names]


def _each(values: Sequence[float]) -> alt.ExprRef:
    """A value for each series."""
    return alt.ExprRef(f"{json.dumps(list(values))}[datum.series]")


def _by_series(values: Sequence[Any]) -> alt.Scale:
    return alt.Scale(domain=list(range(len(values))), range=list(values))


def _colour(look: str) -> str:
    return next(word for word in look.split() if word in COLOURS)


def _dash(look: str) -> list[int]:
    return next((dash for word, dash in _DASHES.items() if word in look), [1, 0])


def _part_colour(look: str) -> str:
    word = look.split()[0]
    return _VERDICT_COLOURS.get(word, f"--{word}")


def _opacity(look: str) -> float:
    """How full a part is: what is surest is full, what is least sure hollow."""
    if "hollow" in look or "suspect" in look:
        return 0.0
    return 0.35 if "hatched" in look or "incomplete" in look else 1.0
