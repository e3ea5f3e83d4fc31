"""The history of a pair's reference price, by day or by hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from report import figures, specs
from report.figure import figure, milliseconds
from report.markup import Content, Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair

MOST = {"day": 400, "hour": 120}
"""So many days are drawn, or so many hours while there are fewer than five days."""
FEWEST_DAYS = 5
WHOLE = 80.0
"""Per cent of the expected readings, below which a candle is hollow."""


CANDLES = """
select
    period, side, period_start, open, high, low, close, time_weighted_mean, n_snapshots,
    coverage_pct, longest_gap_minutes
from marts.price_candles
where
    fiat_code = %(fiat)s and asset_code = %(asset)s and price_notion = 'reference_price'
    and period_start >= %(newest)s::timestamptz - interval '2880 hours'
order by period_start
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    found = pair.rows(marts, CANDLES, newest=pair.newest)
    days = {row["period_start"] for row in found if row["period"] == "day"}
    period = "day" if len(days) >= FEWEST_DAYS else "hour"
    step = timedelta(days=1) if period == "day" else timedelta(hours=1)
    until = max((row["period_start"] for row in found), default=pair.newest) + step
    shown = [
        row
        for row in found
        if row["period"] == period and row["period_start"] >= until - step * MOST[period]
    ]
    return Section(
        f"History by {period}",
        f"The reference price, {pair.fiat} per {pair.asset}: each candle from the lowest to the "
        f"highest trusted reading of its {period} (UTC), the box from the first to the last. A "
        f"hollow one rests on under {WHOLE:.0f}% of the readings that its {period} should have; "
        "where there is none, there was no reading that could be trusted.",
        element("div", (_side(pair, shown, side, step) for side in SIDES), class_="halves"),
    )


def _side(pair: Pair, found: list[Row], side: str, step: timedelta) -> Markup:
    shown = [row for row in found if row["side"] == side]
    if not shown:
        body: Content = element("p", "No price that could be trusted.", class_="none")
    else:
        body = figure(
            f"Candles of the reference price of {pair.name}, {side}",
            specs.candles(SIDES[side]),
            [side],
            [
                "at", "from", "until", "series", "open", "high", "low", "value", "hollow", "said",
                "note",
            ],
            [_candle(row, step) for row in shown],
            is_daily=step >= timedelta(days=1),
            step=step // timedelta(milliseconds=1),
        )  # fmt: skip
    return element("div", element("h3", f"{side}: {SIDES[side]}"), body)


def _candle(row: Row, step: timedelta) -> list[Any]:
    start: datetime = row["period_start"]
    coverage = float(row["coverage_pct"] or 0)
    told = [
        *(f"{end} {figures.price(row[end])}" for end in ("open", "high", "low", "close")),
        f"mean by time {figures.price(row['time_weighted_mean'])}",
    ]
    note = (
        f"{row['n_snapshots']} readings, {coverage:.0f}% of those expected, "
        f"longest gap {float(row['longest_gap_minutes']):.0f} min"
    )
    return [
        milliseconds(start + step / 2),
        milliseconds(start + step * 0.2),
        milliseconds(start + step * 0.8),
        0,
        *(float(row[end]) for end in ("open", "high", "low", "close")),
        int(coverage < WHOLE),
        ", ".join(told),
        note,
    ]
