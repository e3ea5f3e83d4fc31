"""The spread of the whole market over time: that of the middle pair, and of those around it."""

from __future__ import annotations

from report import figures
from report.charts import Chart, Point, Series, thin
from report.markup import element
from report.marts import Marts
from report.page import Section
from report.pairs import DAYS

QUANTILES = {
    "median": ("half of the pairs are below", "third main"),
    "lower": ("a quarter are", "third dashed"),
    "upper": ("three quarters are", "third dotted"),
}

HOURS = """
with pair_hours as (
    select
        trading_pair,
        date_trunc('hour', buy_snapshot_at, 'UTC') as hour,
        percentile_cont(0.5) within group (order by spread_pct) as spread_pct
    from marts.market_spreads
    where
        spread_pct is not null
        and buy_snapshot_at > (
            select max(started_at) - %(days)s * interval '24 hours' from marts.fact_snapshots
        )
    group by trading_pair, hour
)

select
    hour,
    count(*) as pairs,
    percentile_cont(0.25) within group (order by spread_pct) as lower,
    percentile_cont(0.5) within group (order by spread_pct) as median,
    percentile_cont(0.75) within group (order by spread_pct) as upper
from pair_hours
group by hour
order by hour
"""


def write(marts: Marts) -> Section:
    """The spreads of all pairs by the hour."""
    hours = marts.rows(HOURS, days=DAYS)
    series = [
        Series(
            name,
            look,
            thin(
                [
                    Point(row["hour"], float(row[quantile]), f"{row['pairs']:,} pairs")
                    for row in hours
                ]
            ),
        )
        for quantile, (name, look) in QUANTILES.items()
    ]
    chart = Chart("Spread of the pairs by the hour", series, figures.percent, baseline=0.0)
    return Section(
        "Spread",
        "Ask / bid - 1 by reference prices, per cent: what each pair had in the middle of the "
        "hour's readings, and where the pairs that were read in the hour lie between each other. "
        f"Below 0 the sides are crossed. The last {DAYS} days.",
        element("div", chart.draw()),
    )
