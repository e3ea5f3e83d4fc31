"""Columns over time, of parts that add up to a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from report import specs
from report.figure import Axis, figure, milliseconds
from report.markup import Markup, element

FILLED = 0.8
"""How much of its stretch of time a column is as wide as."""


@dataclass(frozen=True)
class Part:
    """What a part of each column shows; `look` is its colour, and how full it is."""

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
        # A day stands around the midnight that it begins at, as on the charts of lines.
        shift = self.step / 2 if is_daily else timedelta(0)
        margin = self.step * (1 - FILLED) / 2
        rows = [
            [
                milliseconds(column.at),
                milliseconds(column.at - shift + margin),
                milliseconds(column.at - shift + self.step - margin),
                number,
                value,
                foot,
                foot + value,
                self.written(value),
                column.note,
            ]
            for column in self.columns
            for number, (value, foot) in enumerate(
                zip(column.values, accumulate(column.values, initial=0.0), strict=False)
            )
        ]
        return figure(
            self.title,
            specs.columns(tuple(part.look for part in self.parts), is_daily=is_daily),
            [part.name for part in self.parts],
            ["at", "from", "until", "series", "value", "foot", "top", "said", "note"],
            rows,
            axis=Axis(from_zero=True),
            key=legend(self.parts),
            is_daily=is_daily,
            step=self.step // timedelta(milliseconds=1),
        )


def legend(parts: Iterable[Part]) -> Markup:
    """What each part is."""
    return element(
        "ul",
        (element("li", element("i", class_=f"column {part.look}"), part.name) for part in parts),
        class_="legend",
    )
