"""What a dollar costs above the official rate: by day over all fiats, and where it is farthest."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from statistics import median

from report import bars, figures
from report.charts import Chart, Point, Series
from report.markup import Content, element, stranger
from report.marts import Marts, Row
from report.page import Section
from report.sections.premium import ATTRIBUTION, MOST_DAYS, OPEN_RATES

SHOWN = 20
DRAWN = 4
LOOKS = ("fourth", "fifth", "sixth", "quiet dashed")

PREMIUMS = """
with offered as (
    select fiat_code, asset_code, max(offers_distinct) as offers
    from marts.fact_snapshots
    where started_at > (select max(started_at) - interval '24 hours' from marts.fact_snapshots)
    group by fiat_code, asset_code
),

largest as (
    select distinct on (fiat_code) fiat_code, asset_code
    from offered
    order by fiat_code, offers desc, asset_code
)

select distinct on (premiums.day, premiums.fiat_code)
    premiums.day, premiums.trading_pair, premiums.rate_source, premiums.official_rate,
    premiums.official_rate_date, premiums.is_official_carried_forward, premiums.shadow_rate,
    premiums.premium_mid_pct, premiums.premium_buy_pct, premiums.premium_sell_pct
from marts.parallel_premiums as premiums
inner join largest using (fiat_code, asset_code)
where
    premiums.premium_mid_pct is not null
    and premiums.day > (select max(day) - %(most)s::integer from marts.parallel_premiums)
order by
    premiums.day, premiums.fiat_code, premiums.rate_kind = 'mid_market' desc, premiums.rate_kind
"""


def write(marts: Marts) -> Section:
    """The premium by day, and the pairs that are farthest from their official rate."""
    found = marts.rows(PREMIUMS, most=MOST_DAYS)
    lead = (
        "What a US dollar costs in each fiat above its official rate, the mid-market rate where "
        "there is one: by way of the fiat's pair with the most offers, the day's median mid "
        "divided by what the asset is worth in dollars. "
    )
    if not found:
        nothing = "No official rate is known, and so no premium: null, not 0."
        return Section("Premium over the official rate", lead, element("p", nothing, class_="none"))
    past: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        past[row["trading_pair"]].append(row)
    last_day = found[-1]["day"]
    farthest = sorted(
        (rows for rows in past.values() if rows[-1]["day"] == last_day),
        key=lambda rows: (-abs(rows[-1]["premium_mid_pct"]), rows[-1]["trading_pair"]),
    )[:SHOWN]
    sources = {row["rate_source"] for row in found}
    return Section(
        "Premium over the official rate",
        f"{lead}Drawn are the middle of all fiats and the {DRAWN} farthest from 0; below, the "
        f"{SHOWN} farthest, as of the last day and over up to {MOST_DAYS}.",
        [
            element("div", _chart(found, farthest[:DRAWN])),
            _table(farthest),
            element("p", ATTRIBUTION, class_="note") if OPEN_RATES in sources else None,
        ],
        f"By day; the last is {figures.day(last_day)}.",
    )


def _chart(found: list[Row], drawn: list[list[Row]]) -> Content:
    days: dict[date, list[float]] = defaultdict(list)
    for row in found:
        days[row["day"]].append(float(row["premium_mid_pct"]))
    middle = [
        Point(figures.midnight(day), median(premiums), f"{len(premiums):,} fiats")
        for day, premiums in days.items()
    ]
    series = [
        Series("half of the fiats are below", "third main", middle),
        *(
            Series(rows[-1]["trading_pair"], look, _points(rows))
            for rows, look in zip(drawn, LOOKS, strict=False)
        ),
    ]
    title = "Premium of the mid by the day, per cent"
    return Chart(title, series, figures.percent, baseline=0.0, is_daily=True).draw()


def _points(rows: list[Row]) -> list[Point]:
    return [Point(figures.midnight(row["day"]), float(row["premium_mid_pct"])) for row in rows]


def _table(farthest: list[list[Row]]) -> Content:
    heads = [
        "pair", "premium, mid", "who buys pays", "who sells gets", "P2P dollar",
        "official", "rate of", "source",
    ]  # fmt: skip
    return bars.table(heads, [_row(rows) for rows in farthest])


def _row(rows: list[Row]) -> list[Content]:
    row = rows[-1]
    return [
        element("b", row["trading_pair"]),
        figures.percent(row["premium_mid_pct"], signed=True),
        figures.percent(row["premium_buy_pct"], signed=True),
        figures.percent(row["premium_sell_pct"], signed=True),
        figures.price(row["shadow_rate"]),
        figures.price(row["official_rate"]),
        [
            figures.day(row["official_rate_date"]),
            ", carried forward" if row["is_official_carried_forward"] else "",
        ],
        stranger(row["rate_source"]),
    ]
