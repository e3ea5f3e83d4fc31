"""Which payment methods the market is traded by, and what each costs against its books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from report import bars, figures
from report.charts import Chart, Point, Series
from report.markup import Content, Markup, element, stranger
from report.marts import Marts, Row
from report.page import Section
from report.sections.methods import LOOKS, MOST_DAYS, short

MOST_METHODS = 20

METHODS = """
with standing as (
    select offer_version_key, adv_no, user_no, fiat_code
    from marts.fact_offers
    where valid_to is null
),

offered as (
    select
        methods.identifier as payment_method,
        count(*) as offers,
        count(distinct coalesce(standing.user_no, standing.adv_no)) as advertisers,
        count(distinct standing.fiat_code) as fiats
    from standing
    inner join marts.fact_offer_payment_methods as methods using (offer_version_key)
    group by methods.identifier
),

priced as (
    select
        payment_method,
        percentile_cont(0.5) within group (order by premium_pct) filter (where side = 'BUY')
            as buy_premium_pct,
        percentile_cont(0.5) within group (order by premium_pct) filter (where side = 'SELL')
            as sell_premium_pct,
        sum(executable_at_100_share * n_snapshots) / nullif(
            sum(n_snapshots) filter (where executable_at_100_share is not null), 0
        ) as executable_share
    from marts.payment_method_days
    where
        day = (
            select (max(started_at) at time zone 'UTC')::date
            from marts.fact_snapshots
            where quality_verdict = 'trusted'
        )
    group by payment_method
)

select
    offered.*, priced.buy_premium_pct, priced.sell_premium_pct, priced.executable_share,
    (select count(*) from standing) as standing
from offered
left join priced using (payment_method)
order by offered.offers desc, offered.payment_method
limit %(most)s
"""

OVER_TIME = """
with days as (
    select
        day, fiat_code, asset_code, side, payment_method, offers_share, market_offers, premium_pct
    from marts.payment_method_days
    where
        day > (
            select (max(started_at) at time zone 'UTC')::date - %(most)s::integer
            from marts.fact_snapshots
        )
),

markets as (
    select day, count(*) as books, sum(market_offers) as offers
    from (
        select distinct day, fiat_code, asset_code, side, market_offers
        from days
    ) as books
    group by day
),

methods as (
    select
        day,
        payment_method,
        sum(offers_share * market_offers) as offers,
        count(premium_pct) filter (where side = 'BUY') as priced_books,
        percentile_cont(0.5) within group (order by premium_pct) filter (where side = 'BUY')
            as premium_pct
    from days
    where payment_method = any(%(methods)s)
    group by day, payment_method
)

select
    markets.day,
    asked.payment_method,
    markets.books,
    coalesce(methods.offers, 0) / markets.offers as share,
    methods.priced_books,
    methods.premium_pct
from markets
cross join unnest(%(methods)s::text[]) as asked (payment_method)
left join methods using (day, payment_method)
order by markets.day
"""
"""A method that none of a day's books had has a share of 0 of that day, and costs nothing known."""


def write(marts: Marts) -> Section:
    """The commonest methods over all books, and over time."""
    found = marts.rows(METHODS, most=MOST_METHODS)
    names = [row["payment_method"] for row in found]
    past = marts.rows(OVER_TIME, methods=names, most=MOST_DAYS)
    by_method = {name: [row for row in past if row["payment_method"] == name] for name in names}
    most = max((row["offers"] for row in found), default=1)
    rows: list[list[Content]] = [
        [
            stranger(row["payment_method"]),
            figures.count(row["offers"]),
            bars.bar(row["offers"] / most, "quiet"),
            figures.share(row["offers"] / row["standing"]),
            figures.count(row["advertisers"]),
            figures.count(row["fiats"]),
            figures.percent(row["buy_premium_pct"], signed=True),
            figures.percent(row["sell_premium_pct"], signed=True),
            figures.share(row["executable_share"]),
        ]
        for row in found
    ]
    heads = [
        "method", "offers", "", "of all", "advertisers", "fiats", "BUY: against the book",
        "SELL: against the book", "100 USD to be had",
    ]  # fmt: skip
    return Section(
        "Payment methods",
        f"The {MOST_METHODS} methods that most of the standing offers take; an offer that takes "
        f"five counts in five. Drawn: the {len(LOOKS)} commonest by day, over up to {MOST_DAYS} "
        "days. Against the book: what the "
        "method's offers cost above the whole book's by reference prices, in the middle of its "
        "books of the last day (above 0 is dearer: worse for who buys, better for who sells). To "
        "be had: in how many of its readings of that day it could fill 100 US dollars.",
        [_charts(by_method), bars.table(heads, rows)],
        f"By day; the last is {figures.day(past[-1]['day'])}, UTC." if past else "",
    )


def _shares(past: Sequence[Row]) -> list[Point]:
    return [
        Point(figures.midnight(row["day"]), 100 * float(row["share"]), f"{row['books']:,} books")
        for row in past
    ]


def _premiums(past: Sequence[Row]) -> list[Point]:
    return [
        Point(
            figures.midnight(row["day"]),
            float(row["premium_pct"]),
            f"{row['priced_books']:,} books",
        )
        for row in past
        if row["premium_pct"] is not None
    ]


def _charts(by_method: dict[str, list[Row]]) -> Content:
    """The commonest methods by day, where there is more than one day."""
    drawn = list(zip(by_method.items(), LOOKS, strict=False))
    days: set[date] = {row["day"] for (_, past), _ in drawn for row in past}
    if len(days) < 2:
        return None
    shares = [Series(short(name), look, _shares(past)) for (name, past), look in drawn]
    premiums = [Series(short(name), look, _premiums(past)) for (name, past), look in drawn]
    return element(
        "div",
        _half(
            "Share of the offers of all books by day, per cent",
            Chart(
                "Share of the offers by day", shares, figures.percent, from_zero=True, is_daily=True
            ),
        ),
        _half(
            "BUY: against the book by day, per cent",
            Chart(
                "Against the book by day", premiums, figures.percent, baseline=0.0, is_daily=True
            ),
        ),
        class_="halves",
    )


def _half(title: str, chart: Chart) -> Markup:
    return element("div", element("h3", title), chart.draw())
