"""The price: the reference of both sides over time, and how far the other notions are from it."""

from __future__ import annotations

from datetime import datetime

from report import bars, figures
from report.axes import Scale
from report.charts import Chart, Point, Series, thin
from report.markup import Content, Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import DAYS, SIDES, Pair, as_of

NOTIONS = {
    "reference_price": "reference",
    "best_raw": "best of all",
    "best_eligible": "best eligible",
    "competitive_median": "median of the best eligible",
    "naive": "naive (commonest of the best tenth)",
    "ref_q25": "at 25% of the quantity",
    "conservative_5th": "fifth best",
    "top10_median": "median of the best ten",
    "vwap_eligible": "volume-weighted, eligible",
    "vwap": "volume-weighted, all",
    "median": "median of all",
}
DRAWN = {
    "reference_price": "main",
    "best_eligible": "dashed",
    "median": "third",
    "vwap_eligible": "fourth dotted",
}

READINGS = """
select
    side, snapshot_at, withheld_reason, reference_price_kind, reference_price, best_raw,
    best_eligible, competitive_median, naive, ref_q25, conservative_5th, top10_median,
    vwap_eligible, vwap, median
from marts.market_quotes
where fiat_code = %(fiat)s and asset_code = %(asset)s and snapshot_at >= %(since)s
order by snapshot_at
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    readings = pair.rows(marts, READINGS)
    both = [
        Series(
            f"{side}: {SIDES[side]}",
            f"{SIDES[side]} main",
            _points(readings, side, "reference_price"),
        )
        for side in SIDES
    ]
    unit = f"{pair.fiat} per {pair.asset}"
    return Section(
        "Price",
        f"The reference price, {unit}: the median of the best tenth of the eligible offers, of "
        "five at least; none where fewer than five offers or three advertisers are eligible. A "
        "shaded stretch, or a red tick, is a reading that could not be trusted: its price is "
        f"withheld. The last {DAYS} days.",
        [
            Chart(f"Reference price of {pair.name} over time", both, figures.price).draw(),
            element("div", (_notions(pair, readings, side) for side in SIDES), class_="halves"),
            element(
                "h3", "One number is never the price: every notion in the last trusted reading"
            ),
            _now(marts, readings),
        ],
        as_of(marts, pair.trusted),
    )


def _points(readings: list[Row], side: str, notion: str) -> list[Point]:
    return thin(
        [
            _point(row["snapshot_at"], row, notion)
            for row in readings
            if row["side"] == side and (row[notion] is not None or row["withheld_reason"])
        ]
    )


def _point(at: datetime, row: Row, notion: str) -> Point:
    if row[notion] is None:
        return Point(at, None, row["withheld_reason"])
    kind = row["reference_price_kind"] if notion == "reference_price" else ""
    return Point(at, float(row[notion]), kind)


def _notions(pair: Pair, readings: list[Row], side: str) -> Markup:
    series = [
        Series(
            NOTIONS[notion],
            f"{SIDES[side]} {look}" if look in ("main", "dashed") else look,
            _points(readings, side, notion),
        )
        for notion, look in DRAWN.items()
    ]
    chart = Chart(f"Notions of the price of {pair.name} on {side}", series, figures.price)
    return element("div", element("h3", f"{side}: the notions beside each other"), chart.draw())


def _now(marts: Marts, readings: list[Row]) -> Content:
    last = {row["side"]: row for row in readings if row["withheld_reason"] is None}
    shown = [
        float(row[notion]) for row in last.values() for notion in NOTIONS if row[notion] is not None
    ]
    if not shown:
        return element("p", "No trusted reading in this time.", class_="none")
    scale = Scale.around(shown)
    rows = []
    for notion, name in NOTIONS.items():
        told = {side: last[side][notion] if side in last else None for side in SIDES}
        rows.append(
            [
                name,
                element("span", figures.price(told["SELL"]), class_="is-bid"),
                bars.dots(
                    (scale.at(float(value)), SIDES[side])
                    for side, value in told.items()
                    if value is not None
                ),
                element("span", figures.price(told["BUY"]), class_="is-ask"),
                marts.definition("market_quotes", notion),
            ]
        )
    ends = f"{scale.label(scale.low)} … {scale.label(scale.high)}"
    return bars.table(
        ["notion", "SELL (bid)", ends, "BUY (ask)", "how it is worked out"],
        rows,
        "texts wide-third",
    )
