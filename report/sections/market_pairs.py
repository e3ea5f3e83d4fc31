"""All pairs in one table: price, spread, premium, completeness and age."""

from __future__ import annotations

from collections import defaultdict

from report import bars, figures
from report.charts import Point
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.sections.premium import ATTRIBUTION, OPEN_RATES

MOST_PAIRS = 250

PAIRS = """
with latest as (
    select max(started_at) as newest from marts.fact_snapshots
),

readings as (
    select
        snapshots.fiat_code,
        snapshots.asset_code,
        snapshots.trading_pair,
        count(*) as readings,
        count(*) filter (where snapshots.quality_verdict = 'trusted') as trusted,
        max(snapshots.started_at) filter (where snapshots.quality_verdict = 'trusted')
            as trusted_at,
        max(snapshots.offers_distinct) filter (where snapshots.side = 'BUY') as buy_offers,
        max(snapshots.offers_distinct) filter (where snapshots.side = 'SELL') as sell_offers
    from marts.fact_snapshots as snapshots
    cross join latest
    where snapshots.started_at > latest.newest - interval '24 hours'
    group by snapshots.fiat_code, snapshots.asset_code, snapshots.trading_pair
),

prices as (
    select
        fiat_code,
        asset_code,
        max(reference_price) filter (where side = 'BUY') as ask,
        max(reference_price) filter (where side = 'SELL') as bid,
        coalesce(
            max(spread_pct) filter (where side = 'BUY'),
            max(spread_pct) filter (where side = 'SELL')
        ) as spread_pct,
        bool_or(is_crossed) as is_crossed,
        min(confidence) as confidence
    from marts.market_now
    group by fiat_code, asset_code
)

select
    readings.*,
    prices.ask,
    prices.bid,
    prices.spread_pct,
    prices.is_crossed,
    prices.confidence,
    coalesce(readings.buy_offers, 0) + coalesce(readings.sell_offers, 0) as offers
from readings
left join prices using (fiat_code, asset_code)
order by offers desc, readings.trading_pair
"""

MIDS = """
select distinct on (trading_pair, date_trunc('hour', buy_snapshot_at))
    trading_pair, buy_snapshot_at as at, mid
from marts.market_spreads
where
    mid is not null and buy_snapshot_at > (
        select max(started_at) - interval '24 hours' from marts.fact_snapshots
    )
order by trading_pair, date_trunc('hour', buy_snapshot_at), buy_snapshot_at desc
"""

PREMIUMS = """
select distinct on (fiat_code, asset_code)
    fiat_code, asset_code, premium_mid_pct, rate_kind, rate_source, official_rate_date
from marts.parallel_premiums
where premium_mid_pct is not null
order by fiat_code, asset_code, day desc, rate_kind = 'mid_market' desc, rate_kind
"""


def write(marts: Marts) -> Section:
    """The table of pairs, the largest first."""
    pairs = marts.rows(PAIRS)
    mids: dict[str, list[Point]] = defaultdict(list)
    for row in marts.rows(MIDS):
        mids[row["trading_pair"]].append(Point(row["at"], float(row["mid"])))
    premiums, beside = _premiums(marts)
    rest = len(pairs) - MOST_PAIRS
    note = f"The {MOST_PAIRS} largest; {rest:,} more are in market_spreads. " if rest > 0 else ""
    heads = [
        "pair", "ask", "bid", "confidence", "mid, 24 h", "spread", "premium", "offers, BUY / SELL",
        "trusted readings", "age of the price",
    ]  # fmt: skip
    return Section(
        "Pairs",
        "Reference prices in fiat per unit of the asset, none where too few offers make one; the "
        "spread is ask / bid - 1, red where the sides are crossed; confidence that of the side "
        "that has less. Offers are the most that one reading of "
        f"the last 24 hours showed. {note}{beside}",
        bars.table(heads, [_row(marts, row, mids, premiums) for row in pairs[:MOST_PAIRS]]),
        f"Ages as of {figures.moment(marts.now)}, when this page was made.",
    )


def _premiums(marts: Marts) -> tuple[dict[tuple[str, str], Row], str]:
    found = marts.rows(PREMIUMS)
    if not found:
        return {}, "No official rate is known yet, and so no premium."
    newest = max(row["official_rate_date"] for row in found)
    sources = sorted({row["rate_source"] for row in found if row["rate_source"]})
    asked = f" {ATTRIBUTION}" if OPEN_RATES in sources else ""
    return (
        {(row["fiat_code"], row["asset_code"]): row for row in found},
        f"The premium is that of the mid over the official rate ({', '.join(sources)}, newest "
        f"of {figures.day(newest)}).{asked}",
    )


def _row(
    marts: Marts, row: Row, mids: dict[str, list[Point]], premiums: dict[tuple[str, str], Row]
) -> list[Content]:
    premium = premiums.get((row["fiat_code"], row["asset_code"]))
    age = None if row["trusted_at"] is None else marts.now - row["trusted_at"]
    trusted = 100 * row["trusted"] / row["readings"]
    return [
        element("b", row["trading_pair"]),
        element("span", figures.price(row["ask"]), class_="is-ask"),
        element("span", figures.price(row["bid"]), class_="is-bid"),
        figures.NOTHING if row["confidence"] is None else f"{float(row['confidence']):.2f}",
        bars.spark(mids.get(row["trading_pair"], [])),
        _spread(row),
        figures.percent(premium["premium_mid_pct"] if premium else None, signed=True),
        f"{figures.count(row['buy_offers'])} / {figures.count(row['sell_offers'])}",
        element("span", figures.percent(trusted, 0), class_=None if trusted > 95 else "is-bad"),
        figures.duration(age),
    ]


def _spread(row: Row) -> Content:
    shown = figures.percent(row["spread_pct"])
    crossed = row["is_crossed"] and shown.startswith("-")
    return element("span", shown, class_="is-bad" if crossed else None)
