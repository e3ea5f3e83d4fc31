"""Who stands behind the offers of a pair, and how concentrated that is."""

from __future__ import annotations

from decimal import Decimal

from report import bars, figures
from report.charts import Chart, Point, Series, thin
from report.markup import Markup, element, stranger
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair, as_of

LARGEST = 8

READINGS = """
select side, snapshot_at, withheld_reason, hhi, cr4, gini, merchant_share, n_advertisers
from marts.market_quotes
where fiat_code = %(fiat)s and asset_code = %(asset)s and snapshot_at >= %(since)s
order by snapshot_at
"""

ADVERTISERS = """
with latest as (
    select snapshot_id
    from marts.market_quotes
    where fiat_code = %(fiat)s and asset_code = %(asset)s and side = %(side)s and not is_withheld
    order by snapshot_at desc
    limit 1
)

select
    max(advertisers.nickname) as nickname,
    count(*) as offers,
    sum(offers.tradable_quantity) as quantity,
    sum(sum(offers.tradable_quantity)) over () as total,
    min(offers.price) as lowest,
    max(offers.price) as highest,
    max(statistics.month_order_count) as orders,
    max(statistics.month_finish_rate) as completed
from marts.fact_offer_snapshots as offers
left join marts.dim_advertisers as advertisers
    on advertisers.user_no = offers.user_no and advertisers.valid_from <= offers.snapshot_at
    and (advertisers.valid_to > offers.snapshot_at or advertisers.valid_to is null)
left join marts.fact_advertiser_statistics as statistics
    on statistics.user_no = offers.user_no and statistics.valid_from <= offers.snapshot_at
    and (statistics.valid_to > offers.snapshot_at or statistics.valid_to is null)
where offers.snapshot_id = (select snapshot_id from latest)
group by coalesce(offers.user_no, offers.adv_no)
order by quantity desc, nickname
limit %(most)s
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    readings = pair.rows(marts, READINGS)
    charts = [
        _over_time(pair, readings, "hhi", "HHI, 0 (many alike) to 10,000 (one alone)", "{:,.0f}"),
        _over_time(pair, readings, "cr4", "Share of the four largest, per cent", "{:.1f}%"),
    ]
    return Section(
        "Who trades, and concentration",
        "Shares of the tradable quantity by advertiser, one advertiser being one user number "
        "however many ads it has. HHI is the sum of the squared shares; "
        "below, the largest of the last trusted reading of each side.",
        [
            element("div", charts, class_="halves"),
            element("div", (_largest(marts, pair, side) for side in SIDES), class_="halves"),
        ],
        as_of(marts, pair.trusted),
    )


def _over_time(pair: Pair, readings: list[Row], column: str, title: str, shape: str) -> Markup:
    series = [
        Series(
            side,
            f"{look} main",
            thin(
                [
                    Point(
                        row["snapshot_at"],
                        None if row[column] is None else float(row[column]),
                        row["withheld_reason"] or "",
                    )
                    for row in readings
                    if row["side"] == side and (row[column] is not None or row["withheld_reason"])
                ]
            ),
        )
        for side, look in SIDES.items()
    ]
    chart = Chart(f"{title}, {pair.name}", series, shape.format, from_zero=True)
    return element("div", element("h3", title), chart.draw())


def _largest(marts: Marts, pair: Pair, side: str) -> Markup:
    found = pair.rows(marts, ADVERTISERS, side=side, most=LARGEST)
    most = max((row["quantity"] for row in found), default=0) or 1
    rows = []
    for row in found:
        part = row["quantity"] / row["total"] if row["total"] else Decimal(0)
        best = row["lowest"] if side == "BUY" else row["highest"]
        rows.append(
            [
                stranger(row["nickname"]),
                bars.bar(float(row["quantity"] / most), SIDES[side]),
                figures.share(part),
                figures.count(row["offers"]),
                figures.price(best),
                figures.count(row["orders"]),
                figures.share(row["completed"]),
            ]
        )
    heads = [
        "advertiser",
        f"{pair.asset} on offer",
        "share",
        "ads",
        "best price",
        "orders, 30 d",
        "completed",
    ]
    return element(
        "div", element("h3", f"{side}: the largest advertisers"), bars.table(heads, rows)
    )
