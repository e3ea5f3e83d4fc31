"""What was really traded over the whole market, as falling quantities tell, in US dollars."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from operator import itemgetter

from report import bars, figures
from report.columns import Column, Columns, Part
from report.markup import Content, element
from report.marts import Marts, Row
from report.page import Section

MOST_DAYS = 30
LARGEST = 15

PARTS = [
    Part("surely: the order count rose as well", "third"),
    Part("inferred besides", "third hatched"),
    Part("at most, besides", "third hollow"),
]

PAIR_DAYS = """
select
    turnover.day,
    turnover.trading_pair,
    sum(turnover.fills) as fills,
    sum(turnover.lower_quantity * prices.usd)::double precision as lower,
    sum(turnover.inferred_quantity * prices.usd)::double precision as inferred,
    sum(turnover.upper_quantity * prices.usd)::double precision as upper,
    sum(turnover.listed_quantity * prices.usd)::double precision as listed
from marts.turnover_days as turnover
left join marts.usd_per_asset_days as pegs using (day, asset_code)
left join marts.usd_stablecoins as coins using (asset_code)
cross join lateral (
    select coalesce(pegs.usd_per_asset, case when coins.asset_code is not null then 1 end) as usd
) as prices
where
    prices.usd is not null
    and turnover.day > (select max(day) - %(most)s::integer from marts.turnover_days)
group by turnover.day, turnover.trading_pair
order by turnover.day, turnover.trading_pair
"""


def write(marts: Marts) -> Section:
    """Turnover by day, and the pairs that most of it was of."""
    found = marts.rows(PAIR_DAYS, most=MOST_DAYS)
    return Section(
        "Real turnover, not listed volume",
        "US dollars' worth that offers seem to have sold, by the falls of their quantity from one "
        "trusted reading to the next, both sides. At most: every fall, and what did not come "
        "back of each offer that vanished. An inference, not a record of trades, and each day as "
        f"far as it was read. The last {MOST_DAYS} days; below, the largest pairs over them.",
        [element("div", _days(found)), _pairs(found)],
        f"The last day is {figures.day(found[-1]['day'])}, UTC." if found else "",
    )


def _days(found: list[Row]) -> Content:
    days: dict[date, list[Row]] = defaultdict(list)
    for row in found:
        days[row["day"]].append(row)
    return Columns(
        "Inferred turnover by the day, US dollars",
        PARTS,
        [
            Column(
                figures.midnight(day),
                _parts(rows),
                f"of {sum(row['fills'] > 0 for row in rows):,} pairs",
            )
            for day, rows in days.items()
        ],
        timedelta(days=1),
        figures.amount,
    ).draw()


def _parts(rows: list[Row]) -> list[float]:
    lower, inferred, upper = (
        sum(row[bound] or 0.0 for row in rows) for bound in ("lower", "inferred", "upper")
    )
    return [lower, max(0.0, inferred - lower), max(0.0, upper - inferred)]


def _pairs(found: list[Row]) -> Content:
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in found:
        for column in ("lower", "inferred", "upper", "listed", "fills"):
            totals[row["trading_pair"]][column] += float(row[column] or 0)
    largest = sorted(
        ((name, told) for name, told in totals.items() if told["upper"] > 0),
        key=lambda pair: (-pair[1]["inferred"], -pair[1]["upper"], pair[0]),
    )[:LARGEST]
    if not largest:
        return element("p", "No fall of a quantity was seen.", class_="none")
    most = max(map(itemgetter("inferred"), (told for _, told in largest))) or 1.0
    rows: list[list[Content]] = [
        [
            element("b", name),
            figures.amount(told["inferred"]),
            bars.bar(told["inferred"] / most, "third"),
            figures.amount(told["lower"]),
            figures.amount(told["upper"]),
            figures.share(told["inferred"] / told["listed"] if told["listed"] else None),
            figures.count(told["fills"]),
        ]
        for name, told in largest
    ]
    heads = [
        "pair, US dollars", "inferred", "", "surely", "at most", "of listed, a day", "fills",
    ]  # fmt: skip
    return bars.table(heads, rows)
