"""Walks of trades: what they seem to leave at once, and what they would have a reading later."""

from __future__ import annotations

from report import bars, figures, ranges
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import DAYS

INDICATIVE = "Indicative, not executable; public field reports put the net edge near 0.09%."
SHAPES = {
    "one_book": "one pair, both sides",
    "spot": "one fiat, two coins and the spot market",
    "two_fiats": "two fiats, two coins",
    "official": "two fiats, back at official rates",
}
SHORT = {"one_book": "one pair", "spot": "spot", "two_fiats": "two fiats", "official": "official"}
MOMENTS = {"at once": "quiet", "a reading later": "third"}
SHOWN = 10

SPREAD = """
with nets as (
    select shape, 'at once' as moment, net_pct
    from marts.arbitrage_cycles
    where
        is_credited
        and as_of > (select max(as_of) from marts.arbitrage_cycles) - %(days)s * interval '24 hours'
    union all
    select shape, 'a reading later', hindsight_net_pct
    from marts.arbitrage_outcomes
    where
        is_credited
        and as_of > (select max(as_of) from marts.arbitrage_cycles) - %(days)s * interval '24 hours'
)

select
    shape, moment, count(*) as walks,
    100.0 * count(net_pct) / count(*) as filled_pct,
    percentile_cont(0.1) within group (order by net_pct) as p10,
    percentile_cont(0.5) within group (order by net_pct) as p50,
    percentile_cont(0.9) within group (order by net_pct) as p90,
    100.0 * count(*) filter (where net_pct > 0) / count(*) as above_zero_pct
from nets
group by shape, moment
order by array_position(%(shapes)s::text[], shape), moment = 'a reading later'
"""

BEST = """
select
    shape, fiat_code, asset_code, second_fiat_code, second_asset_code, ticket_usd, net_pct,
    capacity_usd, n_eligible, confidence, oldest_leg_minutes, is_one_method, as_of
from marts.arbitrage_cycles
where
    is_credited
    and not uses_official_fx
    and as_of = (select max(as_of) from marts.arbitrage_cycles)
order by net_pct desc, ticket_usd, fiat_code
limit %(shown)s
"""


def write(marts: Marts) -> Section:
    """How the nets of both moments are distributed, and the best walks of the last cycle."""
    spread = marts.rows(SPREAD, days=DAYS, shapes=list(SHAPES))
    best = marts.rows(BEST, shown=SHOWN)
    lead = (
        f"{INDICATIVE} What would be left of the money after a closed walk of trades, less fees, "
        "if every leg could be had as it was read (at once), and by the next reading of each of "
        "its books (a reading later): the honest edge. Only walks that are credited: fresh, of "
        "enough offers, and not too good to be true. They are the best of their cycle, so the "
        "first number flatters. A walk is closed before it counts: whoever trades it takes the "
        "risk of each leg."
    )
    if not spread:
        nothing = "No walk of trades could be made of the last snapshots."
        return Section("Walks of trades", lead, element("p", nothing, class_="none"))
    return Section(
        "Walks of trades",
        lead,
        [
            element("div", _chart(spread)),
            bars.table(
                [
                    "shape",
                    "net",
                    "walks",
                    "still filled",
                    "a tenth is below",
                    "half is below",
                    "nine tenths are below",
                    "above 0",
                ],
                [_distribution(row) for row in spread],
            ),
            element("h3", "The best of the last cycle"),
            bars.table(
                [
                    "walk",
                    "for",
                    "net",
                    "room for",
                    "offers a leg",
                    "confidence",
                    "oldest leg",
                    "one way to pay",
                ],
                [_walk(row) for row in best],
            )
            if best
            else element("p", "None that is credited.", class_="none"),
        ],
        f"Over the last {DAYS} days; the last cycle is {figures.moment(best[0]['as_of'])}."
        if best
        else f"Over the last {DAYS} days.",
    )


def _chart(spread: list[Row]) -> Content:
    """The tenth, the middle and nine tenths of the nets of each shape, at both moments."""
    found = [
        ranges.Range(
            f"{SHORT.get(row['shape'], row['shape'])}, {row['moment']}",
            row["moment"],
            float(row["p50"]),
            float(row["p10"]),
            float(row["p90"]),
            f"half below {figures.percent(row['p50'], 3, signed=True)}, a tenth below "
            f"{figures.percent(row['p10'], 3, signed=True)}, nine tenths below "
            f"{figures.percent(row['p90'], 3, signed=True)}",
        )
        for row in spread
        if row["p50"] is not None
    ]
    return ranges.draw("Net of walks of trades, per cent", MOMENTS, found, baseline=0.0)


def _distribution(row: Row) -> list[Content]:
    return [
        SHAPES.get(row["shape"], row["shape"]),
        row["moment"],
        figures.count(row["walks"]),
        figures.percent(row["filled_pct"], 0),
        *(figures.percent(row[at], 3, signed=True) for at in ("p10", "p50", "p90")),
        figures.percent(row["above_zero_pct"], 0),
    ]


def _walk(row: Row) -> list[Content]:
    passed = ["fiat_code", "asset_code", "second_fiat_code", "second_asset_code", "fiat_code"]
    one_method = {True: "yes", False: "no", None: "–"}[row["is_one_method"]]
    return [
        element("b", " > ".join(row[name] for name in passed if row[name] is not None)),
        f"{figures.amount(row['ticket_usd'])} USD",
        figures.percent(row["net_pct"], 3, signed=True),
        f"{figures.amount(row['capacity_usd'])} USD",
        figures.count(row["n_eligible"]),
        figures.price(row["confidence"]),
        f"{figures.price(row['oldest_leg_minutes'])} min",
        one_method,
    ]
