"""The price: the reference of both sides over time, and how far the other notions are from it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from report import bars, figures, specs
from report.charts import Chart, Point, Series, thin
from report.figure import figure
from report.markup import Content, Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair, as_of

NOTIONS = {
    "reference_price": (
        "reference",
        "what a usual order gets: the middle of the best offers that can be taken; none in a thin "
        "book",
    ),
    "best_raw": ("best of all", "the best price that anybody shows, bait included"),
    "best_eligible": ("best eligible", "the best price of an offer that can be taken"),
    "competitive_median": (
        "median of the best eligible",
        "the middle of the best tenth of the offers that can be taken, of five at least",
    ),
    "naive": ("naive", "the price that most of the best tenth of the offers ask"),
    "ref_q25": (
        "at 25% of the quantity",
        "the price at which a quarter of all that is on offer is bought, the best first",
    ),
    "conservative_5th": ("fifth best", "a price that four better offers can vanish without moving"),
    "top10_median": ("median of the best ten", "the middle of the ten best prices, bait included"),
    "vwap_eligible": (
        "volume-weighted, eligible",
        "the mean over the offers that can be taken; a large one counts for more",
    ),
    "vwap": ("volume-weighted, all", "the same mean over every listed offer, bait included"),
    "median": ("median of all", "half of the listed offers ask less, half ask more"),
}
"""Each notion of the price: its name, and what it is in plain words."""

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
        "withheld.",
        [
            Chart(f"Reference price of {pair.name} over time", both, figures.price).draw(),
            element("div", (_notions(pair, readings, side) for side in SIDES), class_="halves"),
            element(
                "h3", "One number is never the price: every notion in the last trusted reading"
            ),
            _now(marts, pair, readings),
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
            NOTIONS[notion][0],
            f"{SIDES[side]} {look}" if look in ("main", "dashed") else look,
            _points(readings, side, notion),
        )
        for notion, look in DRAWN.items()
    ]
    chart = Chart(f"Notions of the price of {pair.name} on {side}", series, figures.price)
    return element("div", element("h3", f"{side}: the notions beside each other"), chart.draw())


def _now(marts: Marts, pair: Pair, readings: list[Row]) -> Content:
    last = {row["side"]: row for row in readings if row["withheld_reason"] is None}
    if not last:
        return element("p", "No trusted reading in this time.", class_="none")
    told = {
        notion: {side: last[side][notion] if side in last else None for side in SIDES}
        for notion in NOTIONS
    }
    rows = [
        [
            name,
            element("span", figures.price(told[notion]["SELL"]), class_="is-bid"),
            element("span", figures.price(told[notion]["BUY"]), class_="is-ask"),
            [
                element("span", plain, class_="plain"),
                element("br"),
                marts.definition("market_quotes", notion),
            ],
        ]
        for notion, (name, plain) in NOTIONS.items()
    ]
    heads = ["notion", "SELL (bid)", "BUY (ask)", "in plain words, and how it is computed"]
    return [_dots(pair, told), bars.table(heads, rows, "texts")]


def _dots(pair: Pair, told: dict[str, dict[str, Decimal | None]]) -> Content:
    names = [name for name, _ in NOTIONS.values()]
    rows = [
        [place, number, float(value), figures.price(value)]
        for place, prices in enumerate(told.values())
        for number, side in enumerate(SIDES)
        if (value := prices[side]) is not None
    ]
    if not rows:
        return None
    return figure(
        f"Every notion of the price of {pair.name}",
        specs.dots(tuple(names), tuple(SIDES.values())),
        [f"{side} ({look})" for side, look in SIDES.items()],
        ["row", "series", "value", "said"],
        rows,
        heads=names,
        is_timed=False,
        key=element(
            "ul",
            (
                element("li", element("i", class_=f"dot {look}"), f"{side} ({look})")
                for side, look in SIDES.items()
            ),
            class_="legend",
        ),
    )
