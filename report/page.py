"""The page around the sections: it asks no other host for anything, and runs our scripts alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from report import figures
from report.markup import Content, Markup, element, prose, verbatim
from report.marts import MissingMart
from report.scripts import digest, script, style

SIMULATED = "Simulated data: these prices come from a simulated exchange, not from the market."

RANGES = {24: "24 h", 168: "7 d", 720: "30 d", 0: "all"}
"""The times that charts can be made to show, in hours; 0 is all of them."""
FIRST_RANGE = 168
_SELF = "'self'"
SCRIPT = "report.js"
"""The script that the pages of a folder share."""


@dataclass(frozen=True)
class Tile:
    """A number to see first: what it is, what it says, and which notion of when it is."""

    name: str
    said: str
    beside: str
    look: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page. `fresh` says of when its numbers are, `lead` what they are."""

    title: str
    lead: str
    body: Content
    fresh: str = ""


Writer = Callable[[], Section]


def page(
    title: str,
    lead: str,
    tiles: Sequence[Tile],
    writers: Sequence[tuple[str, Writer]],
    made: datetime,
    is_simulated: bool = False,
    *,
    back: str = "",
    is_in_folder: bool = False,
) -> Markup:
    """The whole page; a section whose mart is not there is a sentence.

    In a folder its script is the file `SCRIPT` beside it, and `back` a page to go back to.
    """
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {digest(style())}; "
        f"script-src {_SELF if is_in_folder else digest(script())}"
    )
    # The policy stands before anything that it is to hold back.
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", verbatim(style())),
    )
    body = element(
        "body",
        element("p", SIMULATED, class_="simulated", role="note") if is_simulated else None,
        element(
            "header",
            element("nav", element("a", "\N{LEFTWARDS ARROW} All pairs", href=back))
            if back
            else None,
            element("h1", title),
            element("p", prose(lead), class_="lead"),
        ),
        _ranges(),
        element(
            "main",
            element("div", map(_tile, tiles), class_="tiles"),
            [_section(*w) for w in writers],
        ),
        element(
            "footer",
            element(
                "p",
                f"Made {figures.moment(made)} from this warehouse's marts. Times are UTC, prices "
                "are fiat per unit of the asset. BUY and SELL are the taker's side: on BUY you "
                "pay fiat and get the asset. An offer is no promise that a price can be had.",
            ),
        ),
        element("div", id="tip", hidden=True, role="status"),
        element("noscript", element("p", "The charts are drawn by this page's script.")),
        element("script", src=SCRIPT) if is_in_folder else element("script", verbatim(script())),
    )
    return Markup(f"<!doctype html>\n{element('html', head, body, lang='en')}\n")


def _ranges() -> Markup:
    """The choice of the times that all charts show."""
    choices = (
        element(
            "label",
            element("input", type="radio", name="range", value=hours, checked=hours == FIRST_RANGE),
            element("span", said),
        )
        for hours, said in RANGES.items()
    )
    return element(
        "fieldset",
        element("legend", "Charts show", class_="name"),
        choices,
        element(
            "span",
            "Drag to move; Ctrl and the wheel, or + and \N{MINUS SIGN}, to zoom. By days at least "
            "two weeks.",
            class_="hint",
        ),
        class_="ranges",
    )


def _tile(tile: Tile) -> Markup:
    return element(
        "div",
        element("p", tile.name, class_="name"),
        element("p", tile.said, class_="said"),
        element("p", tile.beside, class_="beside-it"),
        class_=f"tile {tile.look}".strip(),
    )


def _section(name: str, write: Writer) -> Markup:
    try:
        section = write()
    except MissingMart as missing:
        section = Section(
            name.capitalize(),
            f"Left out, since {missing} in this warehouse: the next `p2p run` builds it.",
            None,
        )
    return element(
        "section",
        element("h2", section.title),
        element("p", prose(section.lead), class_="lead"),
        element("p", section.fresh, class_="fresh") if section.fresh else None,
        section.body,
        id=name.replace(" ", "-"),
    )
