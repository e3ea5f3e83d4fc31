"""The largest books of the market by what is on offer, and by how few stand behind it."""

from __future__ import annotations

from report import bars, figures
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES
from report.sections.largest import largest_books


def write(marts: Marts) -> Section:
    """The largest books by offers."""
    books = largest_books(marts)
    most = max((row["n_offers"] for row in books), default=1) or 1
    heads = [
        "book", "offers", "", "eligible", "advertisers", "on offer", "one order each", "HHI",
        "four largest", "confidence", "read at, UTC",
    ]  # fmt: skip
    return Section(
        "Largest books",
        "By offers, each in its last trusted reading. Eligible: an offer that can be taken and "
        "whose limits are no bait, an advertiser with orders this month, a price within reach of "
        "the market. One order each: the share "
        "of what is listed that one order on each offer could take.",
        bars.table(heads, [_row(row, most) for row in books]),
    )


def _row(row: Row, most: int) -> list[Content]:
    return [
        element("b", f"{row['trading_pair']} {row['side']}"),
        figures.count(row["n_offers"]),
        bars.bar(row["n_offers"] / most, SIDES[row["side"]]),
        figures.share(row["n_eligible"] / row["n_offers"] if row["n_offers"] else None),
        figures.count(row["n_advertisers"]),
        f"{figures.amount(row['tradable_quantity'])} {row['asset_code']}",
        figures.share(row["executable_share"]),
        figures.NOTHING if row["hhi"] is None else f"{float(row['hhi']):,.0f}",
        figures.percent(row["cr4"], 0),
        f"{float(row['confidence']):.2f}",
        f"{row['snapshot_at']:%d %b %H:%M}",
    ]
