"""Tables, and the bars that stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from report.markup import Content, Markup, element


class Sorted(NamedTuple):
    """A cell, and the number that it is sorted by; None stands last."""

    shown: Content
    by: float | Decimal | None


def table(
    heads: Sequence[Content],
    rows: Iterable[Sequence[Content | Sorted]],
    look: str = "",
    *,
    name: str = "",
    dimmed: Sequence[bool] = (),
) -> Markup:
    """A table in a frame that scrolls by itself where a phone is too narrow for it.

    What its rows are called stays in sight then, and a shade lies over the edge that hides more.
    One with a `name` is sorted by its heads and filtered by a word. Rows that are `dimmed` hold
    what is not to be relied on.
    """
    cells = (element("button", head, type="button") if name and head else head for head in heads)
    head = element("thead", element("tr", (element("th", cell, scope="col") for cell in cells)))
    looks = [*("is-dim" if one else None for one in dimmed)]
    body = element(
        "tbody",
        (
            element("tr", map(_cell, row), class_=looks[number] if looks else None)
            for number, row in enumerate(rows)
        ),
    )
    framed = element(
        "div",
        element("table", head, body, id=name or None),
        class_=f"table {look}".strip(),
        role="region",
        aria_label="Table; scrolls sideways where it is wider than the page",
        tabindex=0,
    )
    return element("div", _filter(name), framed) if name else framed


def _cell(cell: Content | Sorted) -> Markup:
    if isinstance(cell, Sorted):
        by = "" if cell.by is None else repr(float(cell.by))
        return element("td", cell.shown, data_sort=by or "NaN")
    return element("td", cell)


def _filter(name: str) -> Markup:
    """A field for a word or two that the first cell of a row has to hold."""
    return element(
        "p",
        element("label", "Filter", for_=f"{name}-filter"),
        " ",
        element(
            "input", id=f"{name}-filter", type="search", placeholder="VES, or USDT",
            autocomplete="off", spellcheck="false", aria_controls=name,
        ),
        " ",
        element("output", class_="is-quiet"),
        class_="filter",
    )  # fmt: skip


def bar(length: float, look: str, *, is_mirrored: bool = False) -> Markup:
    """A bar of `length`, a share of the cell it stands in."""
    width = min(max(length, 0.0), 1.0)
    return element(
        "meter",
        class_=f"bar {look}{' mirrored' if is_mirrored else ''}",
        min=0,
        max=1,
        value=f"{width:.4f}",
        aria_hidden="true",
    )


def key(verdicts: Mapping[str, str]) -> Markup:
    """What each sign of a reading says."""
    signs = (
        element("li", element("i", class_=f"sign {look}"), said) for look, said in verdicts.items()
    )
    return element("ul", signs, class_="legend")
