"""The page of the whole market."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from report import figures
from report.markup import Markup
from report.marts import Marts
from report.page import Section, Tile, page
from report.sections import (
    market_books,
    market_concentration,
    market_depth,
    market_health,
    market_methods,
    market_pairs,
    market_premiums,
    market_prices,
    market_spreads,
    market_turnover,
    market_walks,
)

SECTIONS: dict[str, Callable[[Marts], Section]] = {
    "pairs": market_pairs.write,
    "price": market_prices.write,
    "payment methods": market_methods.write,
    "spread": market_spreads.write,
    "depth": market_depth.write,
    "premium": market_premiums.write,
    "concentration": market_concentration.write,
    "largest books": market_books.write,
    "turnover": market_turnover.write,
    "walks": market_walks.write,
    "health": market_health.write,
}

TOTALS = """
with latest as (
    select max(started_at) as newest from marts.fact_snapshots
)

select
    latest.newest,
    count(distinct snapshots.trading_pair) as pairs,
    count(distinct snapshots.trading_pair || snapshots.side) as books,
    count(*) as readings,
    count(*) filter (where snapshots.quality_verdict = 'trusted') as trusted
from marts.fact_snapshots as snapshots
cross join latest
where snapshots.started_at > latest.newest - interval '24 hours'
group by latest.newest
"""

STANDING = "select count(*) as offers from marts.fact_offers where valid_to is null"


def market_page(marts: Marts, address: Callable[[str], str] | None = None) -> Markup:
    """The overview of all pairs; in a folder each pair has the `address` of its own page."""
    (totals,) = marts.rows(TOTALS)
    (standing,) = marts.rows(STANDING)
    trusted = 100 * totals["trusted"] / totals["readings"]
    tiles = [
        Tile(
            "Pairs",
            figures.count(totals["pairs"]),
            f"{totals['books']:,} books, read in the last 24 h",
        ),
        Tile(
            "Offers standing",
            figures.count(standing["offers"]),
            "as far as the last whole readings tell",
        ),
        Tile(
            "Trusted readings",
            figures.percent(trusted, 0),
            f"{totals['trusted']:,} of {totals['readings']:,} in the last 24 h",
            "" if trusted > 95 else "bad",
        ),
        Tile(
            "Newest reading",
            figures.duration(marts.now - totals["newest"]),
            f"old when this page was made; {figures.moment(totals['newest'])}",
        ),
    ]
    lead = "What currencies cost on the P2P market, pair by pair. " + (
        "The name of a pair leads to its page."
        if address
        else "`p2p report --pair VES/USDT` makes a page of one pair, `p2p report --all` of each."
    )
    writers = [(title, partial(write, marts)) for title, write in SECTIONS.items()]
    writers[0] = ("pairs", partial(market_pairs.write, marts, address))
    return page(
        "The P2P market",
        lead,
        tiles,
        writers,
        marts.now,
        marts.is_simulated(),
        is_in_folder=bool(address),
    )
