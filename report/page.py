"""The page around the sections: one file that asks nobody for anything and runs two dozen lines."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from report import figures
from report.columns import patterns
from report.markup import Content, Markup, element, prose, verbatim
from report.marts import MissingMart

SIMULATED = "Simulated data: these prices come from a simulated exchange, not from the market."

_HERE = Path(__file__).parent


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
) -> Markup:
    """The whole page; a section whose mart is not there is a sentence."""
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_digest(style)}; script-src {_digest(script)}"
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
        element("style", verbatim(style)),
    )
    body = element(
        "body",
        patterns(),
        element("p", SIMULATED, class_="simulated", role="note") if is_simulated else None,
        element("header", element("h1", title), element("p", prose(lead), class_="lead")),
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
        element("script", verbatim(script)),
    )
    return Markup(f"<!doctype html>\n{element('html', head, body, lang='en')}\n")


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


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
