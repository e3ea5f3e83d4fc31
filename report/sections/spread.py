"""The spread between the two sides of a pair, over time."""

from __future__ import annotations

import math

from report import figures
from report.charts import Chart, Point, Series, thin
from report.markup import element
from report.marts import Marts
from report.page import Section
from report.pairs import Pair, as_of

LINES = {
    "spread_pct": ("reference (ask / bid - 1)", "third main"),
    "net_spread_pct": ("net of the maker's fees", "third dashed"),
    "spread_best_eligible_pct": ("between the best eligible offers", "third dotted"),
}

SPREADS = """
select
    buy_snapshot_at, reference_price_kind, seconds_between, is_crossed, spread_pct,
    net_spread_pct, spread_best_eligible_pct
from marts.market_spreads
where fiat_code = %(fiat)s and asset_code = %(asset)s and buy_snapshot_at >= %(since)s
order by buy_snapshot_at
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    spreads = pair.rows(marts, SPREADS)
    if not spreads:
        nothing = "No two trusted readings of its sides were near enough to each other."
        return Section("Spread", nothing, None)
    series = [
        Series(
            name,
            look,
            thin(
                [
                    Point(
                        row["buy_snapshot_at"],
                        float(row[column]),
                        row["reference_price_kind"] or "",
                    )
                    for row in spreads
                    if row[column] is not None
                ]
            ),
        )
        for column, (name, look) in LINES.items()
    ]
    crossed = sum(bool(row["is_crossed"]) for row in spreads)
    apart = math.ceil(max(row["seconds_between"] for row in spreads))
    chart = Chart(f"Spread of {pair.name} over time", series, figures.percent, baseline=0.0)
    return Section(
        "Spread",
        "Per cent that an ask is above a bid, by reference prices, from the two readings of "
        f"the sides that are nearest to each other (at most {apart} s apart). Below 0 the "
        f"sides are crossed: {crossed} of {len(spreads)} times.",
        element("div", chart.draw()),
        as_of(marts, spreads[-1]["buy_snapshot_at"], "Last spread"),
    )
