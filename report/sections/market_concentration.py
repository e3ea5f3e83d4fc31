"""How few stand behind the offers of the market's books, over time."""

from __future__ import annotations

from report import figures
from report.charts import Chart, Point, Series
from report.markup import Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES

MOST_DAYS = 180
FEWEST = 10
"""Advertisers of a book, below which it is concentrated whoever they are."""

MEASURES = {
    "hhi": ("HHI, 0 (many alike) to 10,000 (one alone)", "{:,.0f}"),
    "cr4": ("Share of the four largest, per cent", "{:.1f}%"),
}

DAYS = """
select
    day,
    side,
    count(*) as books,
    percentile_cont(0.5) within group (order by hhi) as hhi,
    percentile_cont(0.5) within group (order by cr4) as cr4
from marts.market_concentration_days
where
    n_advertisers >= %(fewest)s
    and day > (select max(day) - %(most)s::integer from marts.market_concentration_days)
group by day, side
order by day, side
"""


def write(marts: Marts) -> Section:
    """Concentration by day, in the middle of the books of each side."""
    found = marts.rows(DAYS, fewest=FEWEST, most=MOST_DAYS)
    return Section(
        "Who trades, and concentration",
        "Shares of the tradable quantity by advertiser over each day's trusted readings: half of "
        f"the books of a side are below the line. Books of under {FEWEST} advertisers are left "
        f"out. Up to {MOST_DAYS} days; the largest books of now are below.",
        element(
            "div",
            (_over_time(found, measure, *said) for measure, said in MEASURES.items()),
            class_="halves",
        ),
        f"The last day is {figures.day(found[-1]['day'])}, UTC." if found else "",
    )


def _over_time(found: list[Row], measure: str, title: str, shape: str) -> Markup:
    series = [
        Series(
            side,
            f"{look} main",
            [
                Point(figures.midnight(row["day"]), float(row[measure]), f"{row['books']:,} books")
                for row in found
                if row["side"] == side and row[measure] is not None
            ],
        )
        for side, look in SIDES.items()
    ]
    chart = Chart(f"{title}, by the day", series, shape.format, from_zero=True, is_daily=True)
    return element("div", element("h3", title), chart.draw())
