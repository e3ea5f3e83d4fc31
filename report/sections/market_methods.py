"""Which payment methods the market is traded by, and what each costs against its books."""

from __future__ import annotations

from report import bars, figures
from report.markup import Content, stranger
from report.marts import Marts
from report.page import Section

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


def write(marts: Marts) -> Section:
    """The commonest methods over all books."""
    found = marts.rows(METHODS, most=MOST_METHODS)
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
        "five counts in five. Against the book: what the method's offers cost above the whole "
        "book's by the same notion, in the middle of its books of the last day (above 0 is "
        "dearer: worse for who buys, better for who sells). To be had: in how many of its "
        "readings of that day it could fill 100 US dollars.",
        bars.table(heads, rows),
    )
