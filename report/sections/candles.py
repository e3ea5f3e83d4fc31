"""The history of a pair's reference price, by day or by hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from report import figures
from report.axes import Scale, Times
from report.columns import FEWEST
from report.frame import HEIGHT, across, framed, grid, height_of
from report.markup import Content, Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair

MOST = {"day": 120, "hour": 72}
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
        until = shown[-1]["period_start"] + step
        times = Times(min(shown[0]["period_start"], until - FEWEST * step), until)
        scale = Scale.around([float(row[end]) for row in shown for end in ("low", "high")])
        plot = element(
            "svg",
            grid(scale, times),
            [_candle(row, scale, times, step, SIDES[side]) for row in shown],
            class_="plot",
            height=HEIGHT,
            role="img",
            aria_label=f"Candles of the reference price of {pair.name}, {side}",
        )
        body = element("div", framed(plot, scale, times), class_="chart")
    return element("div", element("h3", f"{side}: {SIDES[side]}"), body)


def _candle(row: Row, scale: Scale, times: Times, step: timedelta, look: str) -> Markup:
    start: datetime = row["period_start"]
    middle = across(times.at(start + step / 2))
    top, bottom = (height_of(scale, float(row[end])) for end in ("high", "low"))
    first, last = (height_of(scale, float(row[end])) for end in ("open", "close"))
    coverage = float(row["coverage_pct"] or 0)
    hollow = "" if coverage >= WHOLE else " hollow"
    told = [
        figures.moment(start),
        *(f"{end}: {figures.price(row[end])}" for end in ("open", "high", "low", "close")),
        f"mean by time: {figures.price(row['time_weighted_mean'])}",
        f"{row['n_snapshots']} readings, {coverage:.0f}% of those expected, "
        f"longest gap {float(row['longest_gap_minutes']):.0f} min",
    ]
    width = (times.at(start + step) - times.at(start)) * 0.6
    return element(
        "g",
        element("line", class_=f"wick {look}", x1=middle, x2=middle, y1=top, y2=bottom),
        element(
            "rect",
            class_=f"candle {look}{hollow}",
            x=across(times.at(start + step / 2) - width / 2),
            y=min(first, last) - 0.75,
            width=across(width),
            height=abs(first - last) + 1.5,
        ),
        element(
            "rect",
            class_="hit",
            x=across(times.at(start)),
            y=0,
            width=across(times.at(start + step) - times.at(start)),
            height=HEIGHT,
            data_tip="\n".join(told),
        ),
    )
