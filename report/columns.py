"""Columns over time, of parts that add up to a whole, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from report import figures
from report.axes import Scale, Times
from report.frame import HEIGHT, across, framed, grid, height_of
from report.markup import Markup, element

FILLED = 0.8
"""How much of its stretch of time a column is as wide as."""

FEWEST = 7
"""Steps that a chart has room for at the least: one column alone is no wall."""
_LEAST = timedelta(minutes=1)

_RISING, _FALLING = "M-1 1L1 -1M0 6L6 0M5 7L7 5", "M-1 5L1 7M0 0L6 6M5 -1L7 1"
PATTERNS = {"incomplete": _RISING, "suspect": _RISING + _FALLING, "third": _FALLING}
"""Looks that are told apart without their colour too: the strokes on a tile of 6 by 6."""


@dataclass(frozen=True)
class Part:
    """What a part of each column shows; `look` is its class, a colour and a pattern."""

    name: str
    look: str


@dataclass(frozen=True)
class Column:
    """The stretch of time that begins at `at`: how much of it each part has, from the foot up."""

    at: datetime
    values: Sequence[float]
    note: str = ""


@dataclass(frozen=True)
class Columns:
    """A chart of columns, each `step` long; `title` says it to who cannot see it."""

    title: str
    parts: Sequence[Part]
    columns: Sequence[Column]
    step: timedelta
    written: Callable[[float], str]

    def draw(self) -> Markup:
        """The chart with its legend; a sentence where there is no column."""
        if not self.columns:
            return element("p", "Nothing in this time.", class_="none")
        is_daily = self.step >= timedelta(days=1)
        until = self.columns[-1].at + self.step
        start = min(self.columns[0].at, until - FEWEST * self.step)
        # A day stands around the midnight that it begins at, as on the charts of lines.
        shift = self.step / 2 if is_daily else timedelta(0)
        times = Times(start - shift, until - shift, self.step if is_daily else _LEAST)
        scale = Scale.around([sum(column.values) for column in self.columns], from_zero=True)
        plot = element(
            "svg",
            grid(scale, times),
            (self._column(column, scale, times, shift) for column in self.columns),
            class_="plot",
            height=HEIGHT,
            role="img",
            aria_label=self.title,
        )
        return element("div", legend(self.parts), framed(plot, scale, times), class_="chart")

    def _column(self, column: Column, scale: Scale, times: Times, shift: timedelta) -> Markup:
        left, right = (times.at(at - shift) for at in (column.at, column.at + self.step))
        foot, pieces = 0.0, []
        for part, value in zip(self.parts, column.values, strict=True):
            top = height_of(scale, foot + value)
            pieces.append(
                element(
                    "rect",
                    class_=f"column {part.look}",
                    x=across(left + (right - left) * (1 - FILLED) / 2),
                    y=top,
                    width=across((right - left) * FILLED),
                    height=height_of(scale, foot) - top,
                )
                if value > 0
                else None
            )
            foot += value
        told = [
            figures.day(column.at.date()) if shift else figures.moment(column.at),
            *(
                f"{part.name}: {self.written(value)}"
                for part, value in zip(self.parts, column.values, strict=True)
            ),
            *filter(None, [column.note]),
        ]
        hit = element(
            "rect",
            class_="hit",
            x=across(left),
            y=0,
            width=across(right - left),
            height=HEIGHT,
            data_tip="\n".join(told),
        )
        return element("g", pieces, hit)


def legend(parts: Iterable[Part]) -> Markup:
    """What each part is."""
    return element(
        "ul", (element("li", swatch(part.look), part.name) for part in parts), class_="legend"
    )


def swatch(look: str) -> Markup:
    """A piece of a column, to stand before a word."""
    rect = element("rect", class_=f"column {look}", x=0.5, y=0.5, width=13, height=11)
    return element("svg", rect, width=14, height=12, aria_hidden="true")


def patterns() -> Markup:
    """The patterns that the style sheet fills columns with, for once a page."""
    tiles = (
        element(
            "pattern",
            element("rect", class_="ground", width=6, height=6),
            element("path", class_=f"stroke {look}", d=strokes),
            id=f"{look}-pattern",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        )
        for look, strokes in PATTERNS.items()
    )
    drawn = element("defs", tiles)
    return element("svg", drawn, class_="patterns", width=0, height=0, aria_hidden="true")
