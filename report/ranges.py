"""Values with how far they may be off, each in the row of what it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from report import specs
from report.figure import Axis, figure
from report.markup import Markup, element


@dataclass(frozen=True)
class Range:
    """A value between two others: `name` is its row, `series` what kind of value it is."""

    name: str
    series: str
    value: float
    low: float
    high: float
    said: str


def draw(
    title: str, looks: Mapping[str, str], found: Sequence[Range], baseline: float | None = None
) -> Markup:
    """A chart of ranges; `looks` has the colour of each series, and `title` says it in words."""
    names = list(dict.fromkeys(one.name for one in found))
    series = list(looks)
    return figure(
        title,
        specs.dots(tuple(names), tuple(looks.values()), baseline, is_ranged=True),
        series,
        ["row", "series", "value", "low", "high", "said"],
        [
            [
                names.index(one.name),
                series.index(one.series),
                one.value,
                one.low,
                one.high,
                one.said,
            ]
            for one in found
        ],
        axis=Axis(baseline=baseline),
        heads=names,
        is_timed=False,
        key=element(
            "ul",
            (
                element("li", element("i", class_=f"dot {look}"), name)
                for name, look in looks.items()
            ),
            class_="legend",
        ),
    )
