"""The largest books of the market, each in its last trusted reading of 24 hours."""

from __future__ import annotations

from report.marts import Marts, Row

LARGEST = 15

BOOKS = """
select
    quotes.*, quotes.executable_value / nullif(quotes.tradable_value, 0) as executable_share
from marts.market_now as now
inner join marts.market_quotes as quotes using (snapshot_id)
where
    now.snapshot_at > (
        select max(started_at) - interval '24 hours' from marts.fact_snapshots
    )
order by quotes.n_offers desc, quotes.trading_pair, quotes.side
limit %(most)s
"""


def largest_books(marts: Marts) -> list[Row]:
    """Rows of `market_quotes`, the books with the most offers first."""
    return marts.rows(BOOKS, most=LARGEST)
