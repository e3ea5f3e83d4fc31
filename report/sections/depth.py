"""How much is on offer near the reference price of a pair."""

from __future__ import annotations

from report import bars, figures
from report.charts import Chart, Point, Series, thin
from report.markup import Content, Markup, element
from report.marts import Marts
from report.page import Section
from report.pairs import SIDES, Pair, as_of

BAND = 1
"""Per cent around the reference price: the band that is drawn over time."""

BANDS = """
with latest as (
    select distinct on (side) side, snapshot_id
    from marts.market_quotes
    where fiat_code = %(fiat)s and asset_code = %(asset)s and not is_withheld
    order by side, snapshot_at desc
)

select bands.side, bands.band_pct, bands.quantity, bands.eligible_quantity, bands.offers
from marts.depth_bands as bands
where bands.snapshot_id in (select snapshot_id from latest)
order by bands.band_pct
"""

OVER_TIME = """
select quotes.side, quotes.snapshot_at, quotes.withheld_reason, bands.eligible_quantity
from marts.market_quotes as quotes
left join (
    select * from marts.depth_bands
    where
        fiat_code = %(fiat)s and asset_code = %(asset)s and snapshot_at >= %(since)s
        and band_pct = %(band)s
) as bands using (snapshot_id)
where
    quotes.fiat_code = %(fiat)s and quotes.asset_code = %(asset)s
    and quotes.snapshot_at >= %(since)s
order by quotes.snapshot_at
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    bands = _bands(marts, pair)
    found = pair.rows(marts, OVER_TIME, band=BAND)
    series = [
        Series(
            f"{side}: {name}",
            f"{name} main",
            thin(
                [
                    Point(
                        row["snapshot_at"],
                        None
                        if row["eligible_quantity"] is None
                        else float(row["eligible_quantity"]),
                        row["withheld_reason"] or "",
                    )
                    for row in found
                    if row["side"] == side
                ]
            ),
        )
        for side, name in SIDES.items()
    ]
    chart = Chart(f"Depth of {pair.name} over time", series, figures.amount, from_zero=True)
    return Section(
        "Depth",
        f"{pair.asset} that eligible offers hold no farther from the reference price than so many "
        "per cent, on both its sides; a wider band holds the narrower ones. What is listed is no "
        "turnover, and an offer's limits can keep much of it from you.",
        [
            bands,
            element("h3", f"Within {BAND}% of the reference price, {pair.asset}"),
            chart.draw(),
        ],
        as_of(marts, pair.trusted),
    )


def _bands(marts: Marts, pair: Pair) -> Markup:
    found = pair.rows(marts, BANDS)
    most = max((row["quantity"] for row in found), default=0) or 1
    told = {(row["side"], row["band_pct"]): row for row in found}
    rows: list[list[Content]] = []
    for band in sorted({row["band_pct"] for row in found}):
        sell, buy = told.get(("SELL", band)), told.get(("BUY", band))
        rows.append(
            [
                f"{band:g}%",
                *(_told(sell)),
                bars.bar(float(sell["eligible_quantity"] / most), "bid", is_mirrored=True)
                if sell
                else "",
                bars.bar(float(buy["eligible_quantity"] / most), "ask") if buy else "",
                *reversed(_told(buy)),
            ]
        )
    heads = [
        "within", "SELL: all listed", "eligible", "", "", "BUY: eligible", "all listed",
    ]  # fmt: skip
    if not rows:
        return element("p", "No trusted reading with a reference price.", class_="none")
    return bars.table(heads, rows, "mirrored")


def _told(row: dict[str, object] | None) -> list[Content]:
    if row is None:
        return [figures.NOTHING, figures.NOTHING]
    return [figures.amount(row["quantity"]), figures.amount(row["eligible_quantity"])]
