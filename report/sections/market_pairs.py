"""All pairs in one table: price, spread, premium, completeness and age."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from report import bars, figures
from report.bars import Sorted
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES
from report.sections.premium import ATTRIBUTION, OPEN_RATES

LEAST_CONFIDENCE = 0.5
"""Below it a price is shown dimmed."""

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

CHANGES = """
with latest as (
    select distinct on (fiat_code, asset_code)
        fiat_code, asset_code, buy_snapshot_at as at, mid
    from marts.market_spreads
    where mid is not null
    order by fiat_code, asset_code, buy_snapshot_at desc
)

select latest.fiat_code, latest.asset_code, 100 * (latest.mid / before.mid - 1) as change_pct
from latest
cross join lateral (
    select spreads.mid
    from marts.market_spreads as spreads
    where
        spreads.fiat_code = latest.fiat_code and spreads.asset_code = latest.asset_code
        and spreads.mid > 0
        and spreads.buy_snapshot_at between
            latest.at - interval '30 hours' and latest.at - interval '24 hours'
    order by spreads.buy_snapshot_at desc
    limit 1
) as before
"""
"""From the newest mid to that of a day before: of 24 to 30 hours, as far as it was read then."""

PREMIUMS = """
select distinct on (fiat_code, asset_code)
    fiat_code, asset_code, premium_mid_pct, rate_kind, rate_source, official_rate_date
from marts.parallel_premiums
where premium_mid_pct is not null
order by fiat_code, asset_code, day desc, rate_kind = 'mid_market' desc, rate_kind
"""


def write(marts: Marts, address: Callable[[str], str] | None = None) -> Section:
    """The table of pairs, the largest first; each a link where it has an `address`."""
    pairs = marts.rows(PAIRS)
    changes = {
        (row["fiat_code"], row["asset_code"]): row["change_pct"] for row in marts.rows(CHANGES)
    }
    premiums, beside = _premiums(marts)
    heads = [
        "pair", "ask", "bid", "24 h change", "spread", "premium", "confidence", "offers, BUY",
        "offers, SELL", "trusted readings", "age of the price",
    ]  # fmt: skip
    return Section(
        "Pairs",
        "Reference prices in fiat per unit of the asset: the middle of the best offers that can "
        "be taken. A thin book, of too few such offers, has none. The change is that of the mid, "
        "halfway between ask and bid, against a day before. The spread is ask / bid - 1, red "
        "where the sides are crossed. Confidence, from 0 to 1, falls with few offers, few "
        "advertisers and readings that are not whole; it is that of the side that has less, and "
        f"under {LEAST_CONFIDENCE} a row is dimmed. Offers are the most that one reading of the "
        f"last 24 hours showed. {beside}",
        bars.table(
            heads,
            [_row(marts, row, changes, premiums, address) for row in pairs],
            name="pairs-table",
            dimmed=[(row["confidence"] or 0) < LEAST_CONFIDENCE for row in pairs],
        ),
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
    marts: Marts,
    row: Row,
    changes: dict[tuple[str, str], Decimal],
    premiums: dict[tuple[str, str], Row],
    address: Callable[[str], str] | None,
) -> list[Content | Sorted]:
    key = (row["fiat_code"], row["asset_code"])
    premium = premiums[key]["premium_mid_pct"] if key in premiums else None
    age = None if row["trusted_at"] is None else marts.now - row["trusted_at"]
    trusted = 100 * row["trusted"] / row["readings"]
    name = element("b", row["trading_pair"])
    shown = (row["ask"], row["bid"])
    return [
        element("a", name, href=address(row["trading_pair"])) if address else name,
        *(
            Sorted(element("span", _price(price, row), class_=f"is-{look}"), price)
            for price, look in zip(shown, SIDES.values(), strict=True)
        ),
        Sorted(figures.percent(changes.get(key), signed=True), changes.get(key)),
        Sorted(_spread(row), row["spread_pct"]),
        Sorted(figures.percent(premium, signed=True), premium),
        Sorted(
            figures.NOTHING if row["confidence"] is None else f"{float(row['confidence']):.2f}",
            row["confidence"],
        ),
        Sorted(figures.count(row["buy_offers"]), row["buy_offers"]),
        Sorted(figures.count(row["sell_offers"]), row["sell_offers"]),
        Sorted(
            element("span", figures.percent(trusted, 0), class_=None if trusted > 95 else "is-bad"),
            trusted,
        ),
        Sorted(figures.duration(age), None if age is None else age.total_seconds()),
    ]


def _price(price: Decimal | None, row: Row) -> str:
    """A price, or that the book is too thin for one."""
    if price is None and row["confidence"] is not None:
        return "thin"
    return figures.price(price)


def _spread(row: Row) -> Content:
    shown = figures.percent(row["spread_pct"])
    crossed = row["is_crossed"] and shown.startswith("-")
    return element("span", shown, class_="is-bad" if crossed else None)
