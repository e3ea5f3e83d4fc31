"""Lines over time, and where they must not be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from report import specs
from report.figure import Axis, figure, milliseconds
from report.markup import Markup, element

BANDS = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
MOST_POINTS = 150
"""So many points are kept of each range of time that a reader can choose, and of all before."""
FEW_POINTS = 40
GAP_OF_CADENCES = 3
"""Readings farther apart than so many of the usual distance are not joined by a line."""


@dataclass(frozen=True)
class Point:
    """A value at a time, and a word on it; None is a reading without one, and the word says why."""

    at: datetime
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Series:
    """What a line shows; `look` is its colour, and `main`, `dashed` or `dotted`."""

    name: str
    look: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Chart:
    """A chart of lines over time; `title` says it to who cannot see it."""

    title: str
    series: Sequence[Series]
    written: Callable[[float], str]
    from_zero: bool = False
    baseline: float | None = None
    is_daily: bool = False

    def draw(self) -> Markup:
        """The chart with its legend; a sentence where no series has a value."""
        if all(point.value is None for series in self.series for point in series.points):
            return element("p", "No value that could be trusted in this time.", class_="none")
        looks = tuple(series.look for series in self.series)
        return figure(
            self.title,
            specs.lines(looks, self.baseline, is_daily=self.is_daily),
            [series.name for series in self.series],
            ["at", "series", "value", "said", "dot"],
            [row for number, one in enumerate(self.series) for row in self._rows(number, one)],
            # About a baseline the values are per cent: a tenth of one is not worth a panel.
            axis=Axis(self.from_zero, self.baseline, 1.0 if self.baseline is not None else 0.0),
            key=legend(self.series),
            is_daily=self.is_daily,
            gaps=[
                [milliseconds(start), milliseconds(end)]
                for start, end in gaps(self.series[0].points)
            ],
        )

    def _rows(self, number: int, series: Series) -> Iterator[list[Any]]:
        """The points of a series; one without a word and a value breaks the line over a silence."""
        silent = silences(series.points)
        few = sum(point.value is not None for point in series.points) <= FEW_POINTS
        alone = {run[0].at for run in runs(series.points) if len(run) == 1}
        for point in series.points:
            is_dot = point.value is not None and (few or point.at in alone)
            said = _told(point, self.written)
            yield [milliseconds(point.at), number, point.value, said, int(is_dot)]
            if point.at in silent:
                yield [milliseconds(point.at) + 1, number, None, "", 0]


def _told(point: Point, written: Callable[[float], str]) -> str:
    if point.value is None:
        return f"withheld, {point.note}" if point.note else "no value"
    return f"{written(point.value)} ({point.note})" if point.note else written(point.value)


def silences(points: Sequence[Point]) -> set[datetime]:
    """The times of the points after which nothing was read for long, as such points usually go.

    What is usual is told by the range of time that a point is in: older ones are thinner.
    """
    apart: dict[int, list[tuple[datetime, timedelta]]] = {}
    for before, after in pairwise(points):
        apart.setdefault(_band(before.at, points[-1].at), []).append(
            (before.at, after.at - before.at)
        )
    return {
        at
        for distances in apart.values()
        for usual in [median(length.total_seconds() for _, length in distances)]
        for at, length in distances
        if length.total_seconds() > usual * GAP_OF_CADENCES
    }


def _band(at: datetime, last: datetime) -> int:
    """The range of time that a point is in: 0 for the last day."""
    return sum(at <= last - band for band in BANDS)


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most about `most` points of the last day, of the week before, of the month, of the rest.

    Of each stretch of time the last that has a value, as it is. A stretch in which none has one
    keeps its last point, so that a gap stays a gap.
    """
    if len(points) <= most:
        return list(points)
    last, first = points[-1].at, points[0].at
    edges = [last, *(last - band for band in BANDS if last - band > first), first]
    kept: dict[tuple[int, int], Point] = {}
    for point in points:
        band = min(_band(point.at, last), len(edges) - 2)
        length = edges[band] - edges[band + 1]
        stretch = (-band, int((point.at - edges[band + 1]) / length * most) if length else 0)
        if point.value is not None or kept.get(stretch, point).value is None:
            kept[stretch] = point
    return list(kept.values())


def runs(points: Sequence[Point]) -> list[list[Point]]:
    """The stretches that a line may join: no reading without a value between, and no silence."""
    silent = silences(points)
    joined: list[list[Point]] = []
    open_run = False
    for point in points:
        if point.value is None:
            open_run = False
            continue
        if open_run and joined[-1][-1].at not in silent:
            joined[-1].append(point)
        else:
            joined.append([point])
        open_run = True
    return joined


def gaps(points: Sequence[Point]) -> list[tuple[datetime, datetime]]:
    """From when until when a line is broken, to be shaded."""
    joined = runs(points)
    edges = [(before[-1].at, after[0].at) for before, after in pairwise(joined)]
    if joined:
        edges = [(points[0].at, joined[0][0].at), *edges, (joined[-1][-1].at, points[-1].at)]
    return [(start, end) for start, end in edges if start < end]


def legend(series: Iterable[Series]) -> Markup:
    """What each line is."""
    return element(
        "ul",
        (element("li", element("i", class_=f"line {one.look}"), one.name) for one in series),
        class_="legend",
    )
