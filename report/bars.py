"""Bars, dots and strips that stand in tables, and the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from report import figures
from report.axes import Times
from report.charts import Point, framed, stretched
from report.markup import Content, Markup, element

ROW = 16
STRIP = 22


def table(heads: Sequence[Content], rows: Iterable[Sequence[Content]], look: str = "") -> Markup:
    """A table in a frame that scrolls by itself where a phone is too narrow for it."""
    head = element("thead", element("tr", (element("th", cell, scope="col") for cell in heads)))
    body = element("tbody", (element("tr", (element("td", cell) for cell in row)) for row in rows))
    return element("div", element("table", head, body), class_=f"table {look}".strip())


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


def signed_bar(value: float, most: float) -> Markup:
    """A bar from the middle, to the right for what is above 0 and to the left for what is below."""
    width = 50 * min(abs(value) / most, 1.0) if most else 0.0
    return _drawing(
        element("line", class_="base", x1="50%", x2="50%", y1=0, y2=ROW),
        element(
            "rect",
            class_="fill above" if value >= 0 else "fill below",
            x=f"{50 if value >= 0 else 50 - width:.2f}%",
            y=3,
            width=f"{width:.2f}%",
            height=ROW - 6,
            rx=2,
        ),
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
            "rect",
            class_=f"reading {look}",
            x=f"{100 * times.at(at):.3f}%",
            y=0 if look == "trusted" else 4,
            width=3,
            height=STRIP if look == "trusted" else STRIP - 8,
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
