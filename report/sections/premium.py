"""What a dollar costs on the P2P market above the official rate, and by whose rate of when."""

from __future__ import annotations

from report import bars, figures
from report.charts import Chart, Point, Series
from report.markup import Content, Markup, element, stranger
from report.marts import Marts, Row
from report.page import Section
from report.pairs import Pair

MOST_DAYS = 180
OPEN_RATES = "open.er-api.com"
ATTRIBUTION = "Rates By Exchange Rate API (www.exchangerate-api.com)."
"""What the source of the daily rates asks of whoever shows them."""

PREMIUMS = """
select
    day, rate_kind, rate_source, official_rate, official_rate_date, is_official_carried_forward,
    withheld_rate, usd_per_asset, peg_kind, p2p_mid, shadow_rate, premium_mid_pct,
    premium_buy_pct, premium_sell_pct
from marts.parallel_premiums
where
    fiat_code = %(fiat)s and asset_code = %(asset)s
    and day > (
        select max(day) - %(most)s::integer
        from marts.parallel_premiums
        where fiat_code = %(fiat)s and asset_code = %(asset)s
    )
order by day, rate_kind
"""

LOOKS = ("fourth main", "fifth main", "sixth", "quiet dashed")


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    found = pair.rows(marts, PREMIUMS, most=MOST_DAYS)
    kinds = sorted({row["rate_kind"] for row in found if row["rate_kind"] is not None})
    lead = (
        f"What a US dollar costs in {pair.fiat} by way of {pair.asset} (the day's median mid, "
        f"divided by what one {pair.asset} is worth in dollars) above the official rate. Where a "
        "day brought no official rate, the last one is carried forward and its own date is told."
    )
    if not kinds:
        nothing = f"No official rate of {pair.fiat} is known, and so no premium: null, not 0."
        return Section("Premium over the official rate", lead, element("p", nothing, class_="none"))
    newest = {row["rate_kind"]: row for row in found}
    sources = {row["rate_source"] for row in found}
    return Section(
        "Premium over the official rate",
        lead,
        [
            element(
                "div", _rates(pair, found, kinds), _premiums(pair, found, kinds), class_="halves"
            ),
            _now(pair, [newest[kind] for kind in kinds]),
            element("p", ATTRIBUTION, class_="note") if OPEN_RATES in sources else None,
        ],
        f"By day; the last is {figures.day(found[-1]['day'])}.",
    )


def _rates(pair: Pair, found: list[Row], kinds: list[str]) -> Markup:
    p2p = {row["day"]: row["shadow_rate"] for row in found if row["shadow_rate"] is not None}
    series = [
        Series(
            "P2P",
            "third main",
            [Point(figures.midnight(d), float(rate)) for d, rate in p2p.items()],
        ),
        *(
            Series(
                f"official, {kind}",
                look,
                [
                    Point(figures.midnight(row["day"]), float(row["official_rate"]), _since(row))
                    for row in found
                    if row["rate_kind"] == kind and row["official_rate"] is not None
                ],
            )
            for kind, look in zip(kinds, LOOKS, strict=False)
        ),
    ]
    chart = Chart(f"A dollar in {pair.fiat}", series, figures.price, is_daily=True)
    return element("div", element("h3", f"A dollar in {pair.fiat}"), chart.draw())


def _premiums(pair: Pair, found: list[Row], kinds: list[str]) -> Markup:
    series = [
        Series(
            f"over {kind}",
            look,
            [
                Point(figures.midnight(row["day"]), float(row["premium_mid_pct"]), _since(row))
                for row in found
                if row["rate_kind"] == kind and row["premium_mid_pct"] is not None
            ],
        )
        for kind, look in zip(kinds, LOOKS, strict=False)
    ]
    title = "Premium of the mid, per cent"
    chart = Chart(f"{title}, {pair.name}", series, figures.percent, baseline=0.0, is_daily=True)
    return element("div", element("h3", title), chart.draw())


def _since(row: Row) -> str:
    carried = "carried forward, " if row["is_official_carried_forward"] else ""
    return f"{carried}rate of {figures.day(row['official_rate_date'])}"


def _now(pair: Pair, rows: list[Row]) -> Markup:
    heads = [
        "official rate", "source", "rate of", "per dollar", f"USD per {pair.asset}", "P2P dollar",
        "mid", "who buys pays", "who sells gets",
    ]  # fmt: skip
    told: list[list[Content]] = [
        [
            stranger(row["rate_kind"]),
            stranger(row["rate_source"]),
            [
                figures.day(row["official_rate_date"]),
                ", carried forward" if row["is_official_carried_forward"] else "",
            ],
            figures.price(row["official_rate"]),
            f"{figures.price(row['usd_per_asset'])} ({row['peg_kind'] or 'unknown'})",
            figures.price(row["shadow_rate"]),
            figures.percent(row["premium_mid_pct"], signed=True),
            figures.percent(row["premium_buy_pct"], signed=True),
            figures.percent(row["premium_sell_pct"], signed=True),
        ]
        for row in rows
    ]
    return bars.table(heads, told)
