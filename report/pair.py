"""The page of one pair."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from report import figures
from report.markup import Markup
from report.marts import Marts, MissingMart, Row
from report.page import Section, Tile, page
from report.pairs import Pair, find_pair
from report.sections import (
    actors,
    candles,
    depth,
    executable,
    health,
    methods,
    outlook,
    premium,
    price,
    spread,
    turnover,
)

SECTIONS: dict[str, Callable[[Marts, Pair], Section]] = {
    "price": price.write,
    "history": candles.write,
    "what your amount gets": executable.write,
    "payment methods": methods.write,
    "spread": spread.write,
    "depth": depth.write,
    "premium": premium.write,
    "what may come": outlook.write,
    "concentration": actors.write,
    "turnover": turnover.write,
    "health": health.write,
}

NOW = """
select side, reference_price, spread_pct, n_offers, n_eligible, snapshot_at
from marts.market_now
where fiat_code = %(fiat)s and asset_code = %(asset)s
"""

PREMIUM = """
select premium_mid_pct, rate_kind, official_rate_date
from marts.parallel_premiums
where fiat_code = %(fiat)s and asset_code = %(asset)s and premium_mid_pct is not null
order by day desc, rate_kind = 'mid_market' desc, rate_kind
limit 1
"""

CHANGE = """
with latest as (
    select buy_snapshot_at as at, mid
    from marts.market_spreads
    where fiat_code = %(fiat)s and asset_code = %(asset)s and mid is not null
    order by buy_snapshot_at desc
    limit 1
)

select spreads.mid as mid_before, latest.mid, 100 * (latest.mid / spreads.mid - 1) as change_pct
from latest
inner join marts.market_spreads as spreads
    on spreads.fiat_code = %(fiat)s and spreads.asset_code = %(asset)s and spreads.mid > 0
    and spreads.buy_snapshot_at between
        latest.at - interval '30 hours' and latest.at - interval '24 hours'
order by spreads.buy_snapshot_at desc
limit 1
"""
"""From the newest mid to that of a day before: of 24 to 30 hours, as far as it was read then."""

READINGS = """
select count(*) as n, count(*) filter (where quality_verdict = 'trusted') as n_trusted
from marts.fact_snapshots
where
    fiat_code = %(fiat)s and asset_code = %(asset)s
    and started_at > %(newest)s::timestamptz - interval '24 hours'
"""


def pair_page(marts: Marts, name: str, back: str = "") -> Markup:
    """The page of the pair of that name; in a folder it leads back to the page of all.

    Raises:
        UserError: there is no such pair in the warehouse.
    """
    pair = find_pair(marts, name)
    old = figures.duration(marts.now - pair.newest)
    lead = (
        f"What one {pair.asset} costs in {pair.fiat} on the P2P market. Newest reading: "
        f"{figures.moment(pair.newest)}, {old} before this page was made."
    )
    writers = [(title, partial(write, marts, pair)) for title, write in SECTIONS.items()]
    return page(
        f"{pair.name} on the P2P market",
        lead,
        _tiles(marts, pair),
        writers,
        marts.now,
        marts.is_simulated(),
        back=back,
        is_in_folder=bool(back),
    )


def _tiles(marts: Marts, pair: Pair) -> list[Tile]:
    return [
        *_prices(marts, pair),
        *_change(marts, pair),
        *_premium(marts, pair),
        _readings(marts, pair),
        _freshness(marts, pair),
    ]


def _prices(marts: Marts, pair: Pair) -> list[Tile]:
    try:
        sides = {row["side"]: row for row in pair.rows(marts, NOW)}
    except MissingMart:
        return []
    spreads = [row["spread_pct"] for row in sides.values() if row["spread_pct"] is not None]
    return [
        _price(f"You buy {pair.asset} at (ask)", sides.get("BUY"), "ask", pair.fiat),
        _price(f"You sell {pair.asset} at (bid)", sides.get("SELL"), "bid", pair.fiat),
        Tile("Spread", figures.percent(spreads[0]), "ask / bid - 1, of reference prices")
        if spreads
        else Tile("No spread", figures.NOTHING, "no two readings of sides that have a price"),
    ]


def _price(title: str, row: Row | None, look: str, fiat: str) -> Tile:
    if row is None:
        return Tile(title, figures.NOTHING, "never read whole", look)
    at = f"{fiat}, {row['snapshot_at']:%d %b %H:%M}"
    eligible = f"{row['n_eligible']:,} of {row['n_offers']:,} offers eligible"
    if row["reference_price"] is None:
        return Tile(
            title, figures.NOTHING, f"a thin book, too few for a price: {eligible}, {at}", look
        )
    return Tile(title, figures.price(row["reference_price"]), f"{at}; {eligible}", look)


def _change(marts: Marts, pair: Pair) -> list[Tile]:
    try:
        found = pair.rows(marts, CHANGE)
    except MissingMart:
        return []
    if not found:
        return [Tile("24-hour change", figures.NOTHING, "no mid of a day before")]
    row = found[0]
    told = f"the mid, {figures.price(row['mid'])}, was {figures.price(row['mid_before'])}"
    return [Tile("24-hour change", figures.percent(row["change_pct"], signed=True), told)]


def _premium(marts: Marts, pair: Pair) -> list[Tile]:
    try:
        found = pair.rows(marts, PREMIUM)
    except MissingMart:
        return []
    return [
        Tile(
            "Premium",
            figures.percent(row["premium_mid_pct"], 1, signed=True),
            f"mid over the {row['rate_kind']} rate of {figures.day(row['official_rate_date'])}",
        )
        for row in found
    ]


def _readings(marts: Marts, pair: Pair) -> Tile:
    row: Row = pair.rows(marts, READINGS, newest=pair.newest)[0]
    said = figures.percent(100 * row["n_trusted"] / row["n"], 0)
    look = "" if row["n_trusted"] == row["n"] else "bad"
    return Tile(
        "Trusted readings", said, f"{row['n_trusted']:,} of {row['n']:,} in its last 24 h", look
    )


def _freshness(marts: Marts, pair: Pair) -> Tile:
    if pair.trusted is None:
        return Tile("Age of the price", "none", "no reading could be trusted", "bad")
    age = marts.now - pair.trusted
    return Tile(
        "Age of the price",
        figures.duration(age),
        f"trusted reading of {pair.trusted:%d %b %H:%M} UTC",
    )
