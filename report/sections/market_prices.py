"""The notions of the price beside each other, for the largest books of the market."""

from __future__ import annotations

from decimal import Decimal

from report import bars, figures
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES

LARGEST = 15

NOTIONS = {
    "best_raw": "best of all",
    "best_eligible": "best eligible",
    "conservative_5th": "fifth best",
    "ref_q25": "at 25% of the quantity",
    "top10_median": "median of the best ten",
    "vwap_eligible": "volume-weighted, eligible",
    "vwap": "volume-weighted, all",
    "median": "median of all",
}

BOOKS = """
with latest as (
    select distinct on (fiat_code, asset_code, side) *
    from marts.market_quotes
    where
        not is_withheld
        and snapshot_at > (
            select max(started_at) - interval '1 day' from marts.fact_snapshots
        )
    order by fiat_code, asset_code, side, snapshot_at desc
)

select
    trading_pair, side, reference_price, reference_price_kind, best_raw, best_eligible,
    conservative_5th, ref_q25, top10_median, vwap_eligible, vwap, median
from latest
where reference_price is not null
order by n_offers desc, trading_pair, side
limit %(most)s
"""


def write(marts: Marts) -> Section:
    """How far each notion is from the reference price of its book."""
    heads = ["book", "reference", "notion", *NOTIONS.values()]
    return Section(
        "Price and its notions",
        "One number is never the price: the reference price of the largest books, each in its "
        "last trusted reading of 24 hours, and how far the other notions are from it, in per "
        "cent; above 0 is dearer. `p2p report --pair` draws them over time.",
        bars.table(heads, [_row(row) for row in marts.rows(BOOKS, most=LARGEST)]),
    )


def _row(row: Row) -> list[Content]:
    reference: Decimal = row["reference_price"]
    return [
        element("b", f"{row['trading_pair']} {row['side']}"),
        element("span", figures.price(reference), class_=f"is-{SIDES[row['side']]}"),
        element("span", row["reference_price_kind"], class_="is-quiet"),
        *(
            figures.percent(
                None if row[notion] is None else 100 * (row[notion] / reference - 1), signed=True
            )
            for notion in NOTIONS
        ),
    ]
