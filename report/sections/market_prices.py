"""The notions of the price beside each other, for the largest books of the market."""

from __future__ import annotations

from decimal import Decimal

from report import bars, figures
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES
from report.sections.largest import largest_books

NOTIONS = {
    "best_raw": "best of all",
    "best_eligible": "best eligible",
    "conservative_5th": "fifth best",
    "naive": "naive",
    "ref_q25": "at 25% of the quantity",
    "top10_median": "median of the best ten",
    "vwap_eligible": "volume-weighted, eligible",
    "vwap": "volume-weighted, all",
    "median": "median of all",
}


def write(marts: Marts) -> Section:
    """How far each notion is from the reference price of its book."""
    books = [row for row in largest_books(marts) if row["reference_price"] is not None]
    heads = ["book", "reference", "confidence", *NOTIONS.values()]
    return Section(
        "Price and its notions",
        "One number is never the price: the reference price of the largest books, each in its "
        "last trusted reading of 24 hours, and how far the other notions are from it, in per "
        "cent; above 0 is dearer. A page of one pair draws them over time.",
        bars.table(heads, [_row(row) for row in books]),
    )


def _row(row: Row) -> list[Content]:
    reference: Decimal = row["reference_price"]
    return [
        element("b", f"{row['trading_pair']} {row['side']}"),
        element("span", figures.price(reference), class_=f"is-{SIDES[row['side']]}"),
        f"{float(row['confidence']):.2f}",
        *(
            figures.percent(
                None if row[notion] is None else 100 * (row[notion] / reference - 1), signed=True
            )
            for notion in NOTIONS
        ),
    ]
