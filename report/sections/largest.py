"""The largest books of the market, each in its last trusted reading of 24 hours."""

from __future__ import annotations

from report.marts import Marts, Row

LARGEST = 15

BOOKS = """
with latest as (
    select distinct on (fiat_code, asset_code, side) *
    from marts.market_quotes
    where
        not is_withheld
        and snapshot_at > (
            select max(started_at) - interval '24 hours' from marts.fact_snapshots
        )
    order by fiat_code, asset_code, side, snapshot_at desc
)

select *, executable_value / nullif(tradable_value, 0) as executable_share
from latest
order by n_offers desc, trading_pair, side
limit %(most)s
"""


def largest_books(marts: Marts) -> list[Row]:
    """Rows of `market_quotes`, the books with the most offers first."""
    return marts.rows(BOOKS, most=LARGEST)
