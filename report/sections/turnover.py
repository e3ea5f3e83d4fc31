"""What was really traded of a pair, as far as falling quantities tell, against what was listed."""

from __future__ import annotations

from report import bars, figures
from report.markup import Content, Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair

MOST_DAYS = 14

DAYS = """
select
    day, side, fills, inferred_quantity, lower_quantity, upper_quantity, listed_quantity,
    listed_share, fills_vwap
from marts.turnover_days
where fiat_code = %(fiat)s and asset_code = %(asset)s
order by day desc
limit 2 * %(most)s
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    found = pair.rows(marts, DAYS, most=MOST_DAYS)
    return Section(
        "Real turnover, not listed volume",
        f"{pair.asset} that offers seem to have sold, by the falls of their quantity from one "
        "trusted reading to the next. Surely: the advertiser's order count rose as well. At "
        "most: every fall, and what did not come back of each offer that vanished. An "
        f"inference, not a record of trades; the last {MOST_DAYS} days, each as far as it was "
        "read.",
        element("div", (_days(found, side) for side in SIDES), class_="halves"),
        f"The last day is {figures.day(found[0]['day'])}, UTC." if found else "",
    )


def _days(found: list[Row], side: str) -> Markup:
    shown = [row for row in found if row["side"] == side]
    most = max((float(row["inferred_quantity"]) for row in shown), default=0.0) or 1.0
    rows: list[list[Content]] = [
        [
            figures.day(row["day"]),
            figures.amount(row["inferred_quantity"]),
            bars.bar(float(row["inferred_quantity"]) / most, SIDES[side]),
            figures.amount(row["lower_quantity"]),
            figures.amount(row["upper_quantity"]),
            figures.amount(row["listed_quantity"]),
            figures.share(row["listed_share"]),
            figures.price(row["fills_vwap"]),
        ]
        for row in shown
    ]
    heads = ["day", "inferred", "", "surely", "at most", "listed", "of listed", "price"]
    return element("div", element("h3", side), bars.table(heads, rows))
