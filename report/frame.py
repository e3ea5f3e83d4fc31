"""What stands around a plot: its scales, the lines behind it, and how places in it are said.

A plot fills the width it is given and its text keeps its size, on a phone as on a screen: places
across are per cent, and only paths, whose places cannot be, stand in a part that is stretched.
"""

from __future__ import annotations

from report.axes import Scale, Times
from report.markup import Content, Markup, element

HEIGHT = 190
STRETCHED = 1000


def framed(plot: Markup, scale: Scale | None, times: Times) -> Markup:
    """A plot with its scales beside it and below it."""
    levels = (
        [(scale.label(tick), height_of(scale, tick) + 4) for tick in scale.ticks] if scale else []
    )
    beside = element(
        "svg",
        (
            element("text", shown, class_="tick", x="100%", y=y, text_anchor="end")
            for shown, y in levels
        ),
        class_="beside",
        height=HEIGHT if scale else 1,
        aria_hidden="true",
    )
    below = element(
        "svg",
        (
            element(
                "text",
                shown,
                # On a phone every other one is left out, but never where a day begins.
                class_="tick spare" if line == 0 and number % 2 else "tick",
                x=across(times.at(tick.at)),
                y=20 + 14 * line,
                text_anchor=_anchor(times.at(tick.at)),
            )
            for number, tick in enumerate(times.ticks())
            for line, shown in enumerate(tick[1:])
            if shown
        ),
        class_="below",
        height=38,
        aria_hidden="true",
    )
    return element("div", beside, plot, element("span"), below, class_="frame")


def stretched(content: Content, height: int = HEIGHT) -> Markup:
    """The part of a plot whose width is 1000 however wide the plot is."""
    return element(
        "svg",
        content,
        class_="stretched",
        width="100%",
        height=height,
        viewBox=f"0 0 {STRETCHED} {height}",
        preserveAspectRatio="none",
    )


def across(share: float) -> str:
    """A place across a plot, as SVG has it."""
    return f"{100 * share:.3f}%"


def height_of(scale: Scale, value: float) -> float:
    """The place of a value up and down a plot."""
    return HEIGHT * (1 - scale.at(value))


def _anchor(share: float) -> str:
    return "start" if share < 0.04 else "end" if share > 0.96 else "middle"


def grid(scale: Scale, times: Times) -> list[Markup]:
    """The lines behind a plot, at the ticks of its scales."""
    return [
        *(
            element(
                "line",
                class_="grid",
                x1="0%",
                x2="100%",
                y1=height_of(scale, t),
                y2=height_of(scale, t),
            )
            for t in scale.ticks
        ),
        *(
            element(
                "line", class_="grid", x1=(x := across(times.at(tick.at))), x2=x, y1=0, y2=HEIGHT
            )
            for tick in times.ticks()
        ),
    ]
