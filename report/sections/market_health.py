"""How much of the market was read, hour by hour, and what of it could not be trusted."""

from __future__ import annotations

from datetime import timedelta

from report import bars, figures
from report.columns import Column, Columns, Part
from report.markup import Content, element
from report.marts import Marts
from report.page import Section
from report.sections.health import VERDICTS

HOURS = """
with latest as (
    select max(started_at) as newest from marts.fact_snapshots
)

select
    date_trunc('hour', snapshots.started_at at time zone 'UTC') at time zone 'UTC' as hour,
    count(*) filter (where snapshots.quality_verdict = 'trusted') as trusted,
    count(*) filter (where snapshots.quality_verdict = 'incomplete') as incomplete,
    count(*) filter (where snapshots.quality_verdict = 'suspect') as suspect
from marts.fact_snapshots as snapshots
cross join latest
where snapshots.started_at > latest.newest - interval '168 hours'
group by hour
order by hour
"""

REASONS = """
select
    trading_pair, side, quality_verdict, quality_reasons,
    count(*) as readings,
    max(started_at) as last_at
from marts.fact_snapshots
where
    quality_verdict != 'trusted'
    and started_at > (select max(started_at) - interval '24 hours' from marts.fact_snapshots)
group by trading_pair, side, quality_verdict, quality_reasons
order by readings desc, trading_pair, side
limit 20
"""


def write(marts: Marts) -> Section:
    """Readings by hour, and the books that were not trusted of late."""
    hours = [
        Column(row["hour"], [float(row[verdict]) for verdict in VERDICTS])
        for row in marts.rows(HOURS)
    ]
    parts = [Part(said, verdict) for verdict, said in VERDICTS.items()]
    chart = Columns("Readings by the hour", parts, hours, timedelta(hours=1), "{:,.0f}".format)
    return Section(
        "Freshness and completeness",
        "Readings of books by the hour they began, UTC, by what came of them. An hour without "
        "any is empty. The last 7 days.",
        [
            element("h3", "Readings by the hour"),
            chart.draw(),
            element(
                "h3",
                "What could not be trusted in the last 24 hours, and why: no price is made of it",
            ),
            _reasons(marts),
        ],
    )


def _reasons(marts: Marts) -> Content:
    rows = [
        [
            element("b", f"{row['trading_pair']} {row['side']}"),
            row["quality_verdict"],
            figures.count(row["readings"]),
            f"{row['last_at']:%d %b %H:%M}",
            row["quality_reasons"] or "",
        ]
        for row in marts.rows(REASONS)
    ]
    if not rows:
        return element("p", "Nothing: every reading was whole and believed.", class_="none")
    return bars.table(["book", "verdict", "readings", "last, UTC", "why"], rows, "texts")
