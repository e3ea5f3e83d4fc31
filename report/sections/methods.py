"""Which payment methods a pair is traded by, and what each costs against the whole book."""

from __future__ import annotations

from datetime import UTC

from report import bars, figures
from report.charts import Chart, Point, Series
from report.markup import Content, Markup, element, stranger
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair

MOST_METHODS = 12
MOST_DAYS = 60
LOOKS = ("third main", "fourth main", "fifth main", "sixth main", "quiet dashed")

METHODS = """
select
    day, side, payment_method, offers_share, advertisers_share, quantity, premium_pct,
    executable_at_100, executable_at_100_share
from marts.payment_method_days
where
    fiat_code = %(fiat)s and asset_code = %(asset)s
    and day > %(last)s::date - %(most)s::integer
order by day, offers_share desc, payment_method
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    last = (pair.trusted or pair.newest).astimezone(UTC).date()
    found = pair.rows(marts, METHODS, most=MOST_DAYS, last=last)
    return Section(
        "Payment methods",
        "The share of the offers that take each method, what its offers cost against the whole "
        "book by reference prices (above 0 is dearer: worse for who buys, better for who sells), "
        "and the price of 100 US dollars' worth by it. An offer that takes five methods counts "
        "in five: shares do not add up to 100%.",
        [
            element("div", (_methods(found, side) for side in SIDES), class_="halves"),
            _over_time(found),
        ],
        f"The day {figures.day(found[-1]['day'])}, UTC." if found else "",
    )


def _methods(found: list[Row], side: str) -> Markup:
    mine = [row for row in found if row["side"] == side]
    shown = [row for row in mine if row["day"] == mine[-1]["day"]][:MOST_METHODS]
    most = max((float(row["offers_share"] or 0) for row in shown), default=0.0) or 1.0
    rows: list[list[Content]] = [
        [
            stranger(row["payment_method"]),
            bars.bar(float(row["offers_share"] or 0) / most, SIDES[side]),
            figures.share(row["offers_share"]),
            figures.percent(row["premium_pct"], signed=True),
            figures.price(row["executable_at_100"]),
            figures.share(row["executable_at_100_share"]),
        ]
        for row in shown
    ]
    heads = ["method", "share of the offers", "", "against the book", "100 USD at", "to be had"]
    return element("div", element("h3", f"{side}: the commonest methods"), bars.table(heads, rows))


def _over_time(found: list[Row]) -> Content:
    """The share of the commonest methods by day, where there is more than one day."""
    mine = [row for row in found if row["side"] == "BUY"]
    if len({row["day"] for row in mine}) < 2:
        return None
    last = [row["payment_method"] for row in mine if row["day"] == mine[-1]["day"]]
    series = [
        Series(
            short(name),
            look,
            [
                Point(figures.midnight(row["day"]), 100 * float(row["offers_share"]))
                for row in mine
                if row["payment_method"] == name and row["offers_share"] is not None
            ],
        )
        for name, look in zip(last, LOOKS, strict=False)
    ]
    chart = Chart(
        "Share of the BUY offers by day", series, figures.percent, from_zero=True,
        is_daily=True,
    )  # fmt: skip
    return [element("h3", "BUY: share of the offers by day, per cent"), chart.draw()]


def short(method: str) -> str:
    """The name of a method as a legend has room for it."""
    return method if len(method) < 30 else f"{method[:29]}…"
