"""The largest books of the market by what is on offer, and by how few stand behind it."""

from __future__ import annotations

from report import bars, figures
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES

LARGEST = 15

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
    trading_pair, side, n_offers, n_eligible, n_advertisers, tradable_quantity, asset_code,
    executable_value / nullif(tradable_value, 0) as executable_share,
    hhi, cr4, confidence, snapshot_at
from latest
order by n_offers desc, trading_pair, side
limit %(most)s
"""


def write(marts: Marts) -> Section:
    """The largest books by offers."""
    books = marts.rows(BOOKS, most=LARGEST)
    most = max((row["n_offers"] for row in books), default=1) or 1
    heads = [
        "book", "offers", "", "eligible", "advertisers", "on offer", "one order each", "HHI",
        "four largest", "confidence", "read at, UTC",
    ]  # fmt: skip
    return Section(
        "Largest books",
        "By offers, each in its last trusted reading. Eligible: no limit fiction, an advertiser "
        "with orders this month, a price within reach of the market. One order each: the share "
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
