"""Bars, dots and strips that stand in tables, and the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from report import figures
from report.axes import Times
from report.charts import Point
from report.frame import framed, stretched
from report.markup import Content, Markup, element

ROW = 16
STRIP = 22
SIGN = 7
"""Pixels: how high a row of bars is, a strip of readings, and a sign in one."""


def table(heads: Sequence[Content], rows: Iterable[Sequence[Content]], look: str = "") -> Markup:
    """A table in a frame that scrolls by itself where a phone is too narrow for it.

    What its rows are called stays in sight then, and a shade lies over the edge that hides more.
    """
    head = element("thead", element("tr", (element("th", cell, scope="col") for cell in heads)))
    body = element("tbody", (element("tr", (element("td", cell) for cell in row)) for row in rows))
    return element(
        "div",
        element("table", head, body),
        class_=f"table {look}".strip(),
        role="region",
        aria_label="Table; scrolls sideways where it is wider than the page",
        tabindex=0,
    )


def bar(length: float, look: str, *, is_mirrored: bool = False) -> Markup:
    """A bar of `length`, a share of the cell it stands in."""
    width = 100 * min(max(length, 0.0), 1.0)
    return _drawing(
        element(
            "rect",
            class_=f"fill {look}",
            x=f"{100 - width if is_mirrored else 0:.2f}%",
            y=3,
            width=f"{width:.2f}%",
            height=ROW - 6,
            rx=2,
        )
    )


def dots(places: Iterable[tuple[float, str]]) -> Markup:
    """Dots on a line from 0 to 1, each with its look."""
    return _drawing(
        element("line", class_="grid", x1="0%", x2="100%", y1=ROW / 2, y2=ROW / 2),
        (
            element("circle", class_=f"dot {look}", cx=f"{3 + 94 * at:.2f}%", cy=ROW / 2, r=4)
            for at, look in places
        ),
    )


def strip(name: str, readings: Sequence[tuple[datetime, str, str]], times: Times) -> Markup:
    """A tick for each reading at its time: when, its look, and what to say of it."""
    counted = [f"{sum(look == one for _, look, _ in readings)} {one}" for one in _looks(readings)]
    ticks = [
        element(
            "svg",
            reading(look),
            class_="place",
            x=f"{100 * times.at(at):.3f}%",
            data_tip=f"{figures.moment(at)}\n{said}",
        )
        for at, look, said in readings
    ]
    plot = element(
        "svg",
        ticks,
        class_="strip",
        height=STRIP,
        role="img",
        aria_label=f"{name}: {', '.join(counted)}",
    )
    return element("div", element("p", name, class_="stripname"), framed(plot, None, times))


def reading(look: str) -> Markup:
    """The sign of a reading by what came of it, around 0: each has a shape besides its colour.

    Those that could not be trusted stand above the others, where no neighbour hides them.
    """
    foot = STRIP - SIGN - 2
    if look == "trusted":
        return element("rect", class_="reading trusted", x=-1, y=STRIP - foot, width=2, height=foot)
    if look == "incomplete":
        return element(
            "rect", class_="reading incomplete", x=-SIGN / 2, y=0.5, width=SIGN, height=SIGN
        )
    cross = f"M{-SIGN / 2} 0.5L{SIGN / 2} {SIGN + 0.5}M{SIGN / 2} 0.5L{-SIGN / 2} {SIGN + 0.5}"
    return element("path", class_=f"reading {look}", d=cross)


def key(verdicts: Mapping[str, str]) -> Markup:
    """What each sign of a strip says."""
    signs = (
        element(
            "li",
            element(
                "svg", element("svg", reading(look), class_="place", x=7), width=14, height=STRIP,
                aria_hidden="true",
            ),
            said,
        )
        for look, said in verdicts.items()
    )  # fmt: skip
    return element("ul", signs, class_="legend signs")


def _looks(readings: Sequence[tuple[datetime, str, str]]) -> list[str]:
    return sorted({look for _, look, _ in readings})


def _drawing(*content: Content) -> Markup:
    return element("svg", content, class_="bar", height=ROW, aria_hidden="true")


def spark(points: Sequence[Point]) -> Markup:
    """A line without scales, for a cell; a single point is a dot, none is a dash."""
    if not points:
        return element("span", figures.NOTHING, class_="is-quiet")
    times = Times.around([point.at for point in points])
    levels = [point.value for point in points if point.value is not None]
    low, high = min(levels), max(levels)
    room = (high - low) or 1.0
    places = [
        (
            times.at(point.at),
            2 + (ROW - 4) * (1 - ((point.value or low) - low) / room if high > low else 0.5),
        )
        for point in points
    ]
    path = "M" + "L".join(f"{1000 * x:.1f} {y:.1f}" for x, y in places)
    (x, y) = places[-1]
    return element(
        "svg",
        stretched(element("path", class_="line quiet", d=path), ROW),
        element("circle", class_="dot quiet", cx=f"{100 * x:.2f}%", cy=y, r=2),
        class_="spark",
        height=ROW,
        width=110,
        role="img",
        aria_label=f"from {figures.price(levels[0])} to {figures.price(levels[-1])}",
    )
