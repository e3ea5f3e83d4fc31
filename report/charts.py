"""Lines over time, and where they must not be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from report import figures
from report.axes import Scale, Times
from report.frame import HEIGHT, STRETCHED, across, framed, grid, height_of, stretched
from report.markup import Content, Markup, element

MOST_POINTS = 240
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
    """What a line shows; `look` is its class in the style sheet."""

    name: str
    look: str
    points: Sequence[Point]

    def known(self) -> list[Point]:
        """The points that have a value."""
        return [point for point in self.points if point.value is not None]


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
        known = [point for series in self.series for point in series.known()]
        if not known:
            return element("p", "No value that could be trusted in this time.", class_="none")
        times = Times.around(
            [point.at for series in self.series for point in series.points], is_daily=self.is_daily
        )
        levels = [point.value for point in known if point.value is not None]
        if self.baseline is not None:
            levels.append(self.baseline)
        scale = Scale.around(levels, from_zero=self.from_zero)
        plot = element(
            "svg",
            grid(scale, times),
            [_gaps(series, times, usual_distance(series.points)) for series in self.series[:1]],
            self._base(scale),
            stretched(
                _lines(series, scale, times, usual_distance(series.points))
                for series in self.series
            ),
            (_dots(series, scale, times, usual_distance(series.points)) for series in self.series),
            (_withheld(series, times) for series in self.series),
            self._hits(times),
            class_="plot",
            height=HEIGHT,
            role="img",
            aria_label=self.title,
        )
        return element("div", legend(self.series), framed(plot, scale, times), class_="chart")

    def _when(self, at: datetime) -> str:
        return figures.day(at.date()) if self.is_daily else figures.moment(at)

    def _base(self, scale: Scale) -> Content:
        if self.baseline is None:
            return None
        y = height_of(scale, self.baseline)
        return element("line", class_="base", x1="0%", x2="100%", y1=y, y2=y)

    def _hits(self, times: Times) -> list[Markup]:
        """A strip for each time, which a pointer meets and is told what stands there."""
        told: dict[datetime, list[str]] = {}
        for series in self.series:
            for point in series.points:
                shown = _told(point, self.written)
                told.setdefault(point.at, []).append(f"{series.name}: {shown}")
        moments = sorted(told)
        edges = [0.0, *((times.at(a) + times.at(b)) / 2 for a, b in pairwise(moments)), 1.0]
        return [
            element(
                "rect",
                class_="hit",
                x=across(left),
                y=0,
                width=across(max(0.0, right - left)),
                height=HEIGHT,
                data_tip="\n".join([self._when(moment), *told[moment]]),
            )
            for moment, (left, right) in zip(moments, pairwise(edges), strict=True)
        ]


def _told(point: Point, written: Callable[[float], str]) -> str:
    if point.value is None:
        return f"withheld, {point.note}" if point.note else "no value"
    return f"{written(point.value)} ({point.note})" if point.note else written(point.value)


def usual_distance(points: Sequence[Point]) -> timedelta:
    """The median distance between neighbours; a day where there are none."""
    apart = [(after.at - before.at).total_seconds() for before, after in pairwise(points)]
    return timedelta(seconds=median(apart)) if apart else timedelta(days=1)


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most about `most` points: of each stretch of time the last that has a value, as it is.

    A stretch in which none has one keeps its last point, so that a gap stays a gap.
    """
    if len(points) <= most:
        return list(points)
    times = Times.around([point.at for point in points])
    kept: dict[int, Point] = {}
    for point in points:
        stretch = int(times.at(point.at) * most)
        if point.value is not None or kept.get(stretch, point).value is None:
            kept[stretch] = point
    return list(kept.values())


def runs(points: Sequence[Point], cadence: timedelta) -> list[list[Point]]:
    """The stretches that a line may join: no reading without a value between, and no silence."""
    joined: list[list[Point]] = []
    open_run = False
    for point in points:
        if point.value is None:
            open_run = False
            continue
        if open_run and point.at - joined[-1][-1].at <= cadence * GAP_OF_CADENCES:
            joined[-1].append(point)
        else:
            joined.append([point])
        open_run = True
    return joined


def legend(series: Iterable[Series]) -> Markup:
    """What each line is."""
    return element(
        "ul",
        (
            element(
                "li",
                element(
                    "svg",
                    element("line", class_=f"line {one.look}", x1=0, x2=22, y1=5, y2=5),
                    width=22,
                    height=10,
                    aria_hidden="true",
                ),
                one.name,
            )
            for one in series
        ),
        class_="legend",
    )


def _lines(series: Series, scale: Scale, times: Times, cadence: timedelta) -> list[Markup]:
    return [
        element(
            "path",
            class_=f"line {series.look}",
            d="M"
            + "L".join(
                f"{STRETCHED * times.at(point.at):.1f} {height_of(scale, point.value or 0.0):.1f}"
                for point in run
            ),
        )
        for run in runs(series.points, cadence)
        if len(run) > 1
    ]


def _dots(series: Series, scale: Scale, times: Times, cadence: timedelta) -> list[Markup]:
    """The points themselves where they are few; else those that no line would show."""
    shown = series.known()
    if len(shown) > FEW_POINTS:
        shown = [run[0] for run in runs(series.points, cadence) if len(run) == 1]
    return [
        element(
            "circle",
            class_=f"dot {series.look}",
            cx=across(times.at(p.at)),
            cy=height_of(scale, p.value or 0.0),
            r=2.5,
        )
        for p in shown
    ]


def _gaps(series: Series, times: Times, cadence: timedelta) -> list[Markup]:
    """A shade wherever the line is broken."""
    joined = runs(series.points, cadence)
    edges = [(before[-1].at, after[0].at) for before, after in pairwise(joined)]
    if joined:
        edges = [(times.start, joined[0][0].at), *edges, (joined[-1][-1].at, times.end)]
    return [
        element(
            "rect",
            class_="gap",
            x=across(times.at(start)),
            y=0,
            width=across(times.at(end) - times.at(start)),
            height=HEIGHT,
        )
        for start, end in edges
        if (end - start) > cadence * GAP_OF_CADENCES
        or any(start < point.at <= end and point.value is None for point in series.points)
    ]


def _withheld(series: Series, times: Times) -> list[Markup]:
    return [
        element(
            "line",
            class_="withheld",
            x1=(x := across(times.at(p.at))),
            x2=x,
            y1=HEIGHT - 9,
            y2=HEIGHT,
        )
        for p in series.points
        if p.value is None
    ]
