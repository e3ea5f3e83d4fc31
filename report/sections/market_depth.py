"""How much is on offer near the reference prices, over the whole market, in US dollars."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from report import bars, figures
from report.columns import Column, Columns, Part
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import DAYS, SIDES
from report.sections.depth import BAND

LARGEST = 15

BOOK_DAYS = """
with book_days as (
    select
        (bands.snapshot_at at time zone 'UTC')::date as day,
        bands.fiat_code,
        bands.asset_code,
        bands.side,
        avg(bands.eligible_quantity) as eligible_quantity,
        avg(bands.quantity) as quantity
    from marts.depth_bands as bands
    where
        bands.band_pct = %(band)s
        and bands.snapshot_at > (
            select date_trunc('day', max(started_at), 'UTC') - %(before)s * interval '24 hours'
            from marts.fact_snapshots
        )
    group by day, bands.fiat_code, bands.asset_code, bands.side
)

select
    book_days.*,
    coalesce(pegs.usd_per_asset, case when coins.asset_code is not null then 1 end)
        as usd_per_asset
from book_days
left join marts.usd_per_asset_days as pegs using (day, asset_code)
left join marts.usd_stablecoins as coins using (asset_code)
order by book_days.day, book_days.fiat_code, book_days.asset_code, book_days.side
"""


def write(marts: Marts) -> Section:
    """What is near the price, by day and, of the last one, by pair."""
    books = marts.rows(BOOK_DAYS, band=BAND, before=DAYS - 1)
    return Section(
        "Depth",
        f"What eligible offers hold no farther than {BAND}% from the reference price of their "
        "book, in US dollars: the mean of the day's trusted readings, UTC, summed over the books "
        "that had one. What is listed is no turnover. An asset whose dollar price is not known "
        f"is left out. The last {DAYS} days; below, the largest pairs of the last.",
        [element("div", _days(books)), _pairs(books)],
        f"The last day is {figures.day(books[-1]['day'])}, UTC." if books else "",
    )


def _dollars(row: Row | None, quantity: str = "eligible_quantity") -> float | None:
    if row is None or row["usd_per_asset"] is None:
        return None
    return float(row[quantity] * row["usd_per_asset"])


def _days(books: list[Row]) -> Content:
    held: dict[date, dict[str, float]] = defaultdict(lambda: dict.fromkeys(SIDES, 0.0))
    known: dict[date, int] = defaultdict(int)
    for row in books:
        if (dollars := _dollars(row)) is not None:
            held[row["day"]][row["side"]] += dollars
            known[row["day"]] += 1
    return Columns(
        f"Within {BAND}% of the reference prices by the day, US dollars",
        [Part(f"{side}: {name}", name) for side, name in reversed(SIDES.items())],
        [
            Column(
                figures.midnight(day),
                [sides[side] for side in reversed(SIDES)],
                f"of {known[day]:,} books",
            )
            for day, sides in held.items()
        ],
        timedelta(days=1),
        figures.amount,
    ).draw()


def _pairs(books: list[Row]) -> Content:
    pairs: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in books:
        if row["day"] == books[-1]["day"] and row["usd_per_asset"] is not None:
            pairs[f"{row['fiat_code']}/{row['asset_code']}"][row["side"]] = row
    largest = sorted(
        pairs.items(), key=lambda pair: (-sum(_dollars(r) or 0 for r in pair[1].values()), pair[0])
    )[:LARGEST]
    most = max((_dollars(row) or 0 for _, sides in largest for row in sides.values()), default=0)
    rows: list[list[Content]] = [
        [
            element("b", name),
            figures.amount(_dollars(sides.get("SELL"), "quantity")),
            figures.amount(_dollars(sides.get("SELL"))),
            bars.bar((_dollars(sides.get("SELL")) or 0) / (most or 1), "bid", is_mirrored=True),
            bars.bar((_dollars(sides.get("BUY")) or 0) / (most or 1), "ask"),
            figures.amount(_dollars(sides.get("BUY"))),
            figures.amount(_dollars(sides.get("BUY"), "quantity")),
        ]
        for name, sides in largest
    ]
    heads = [
        "pair, US dollars", "SELL: all listed", "eligible", "", "", "BUY: eligible", "all listed",
    ]  # fmt: skip
    return bars.table(heads, rows) if rows else None
