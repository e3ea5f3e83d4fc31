"""How fresh and how whole the readings of a pair are."""

from __future__ import annotations

from report import bars, figures
from report.axes import Times
from report.markup import Markup, element
from report.marts import Marts, MissingMart, Row
from report.page import Section
from report.pairs import DAYS, SIDES, Pair, as_of

MOST_TICKS = 400

READINGS = """
select
    side, started_at, quality_verdict, quality_reasons, offers_distinct, announced_total,
    minutes_since_last, duplicates, is_unchanged
from marts.fact_snapshots
where fiat_code = %(fiat)s and asset_code = %(asset)s and started_at >= %(since)s
order by started_at
"""

HEALTH = """
select
    side, minutes_since_complete, cadence_minutes, coverage_pct, duplicates_pct, flagged_share,
    unknown_methods, new_keys, is_stale, n_readings, n_complete, n_trusted
from marts.data_health
where fiat_code = %(fiat)s and asset_code = %(asset)s
order by side
"""

VERDICTS = {
    "trusted": "trusted",
    "incomplete": "incomplete: not all of the book was read",
    "suspect": "suspect: read whole, and not believed",
}


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    readings = pair.rows(marts, READINGS)
    times = Times.around([row["started_at"] for row in readings])
    strips = [
        _strip(f"{side}", [r for r in readings if r["side"] == side], times) for side in SIDES
    ]
    return Section(
        "Freshness and completeness",
        "Each reading of the pair, one tick each; an empty stretch is a time in which nobody "
        f"read it. Only trusted readings make prices. The last {DAYS} days.",
        [bars.key(VERDICTS), strips, _health(marts, pair)],
        as_of(marts, pair.newest, "Last reading"),
    )


def _strip(name: str, readings: list[Row], times: Times) -> Markup:
    every = max(1, len(readings) // MOST_TICKS)
    return bars.strip(
        name,
        [
            (row["started_at"], row["quality_verdict"], _said(row))
            for number, row in enumerate(readings)
            if row["quality_verdict"] != "trusted" or number % every == 0
        ],
        times,
    )


def _said(row: Row) -> str:
    read = (
        f"{figures.count(row['offers_distinct'])} of {figures.count(row['announced_total'])} offers"
    )
    reasons = f": {row['quality_reasons']}" if row["quality_reasons"] else ""
    return (
        f"{row['quality_verdict']}{reasons}\n{read}{', unchanged' if row['is_unchanged'] else ''}"
    )


def _health(marts: Marts, pair: Pair) -> Markup:
    try:
        found = pair.rows(marts, HEALTH)
    except MissingMart as missing:
        return element(
            "p",
            f"The last day in numbers is left out, since {missing} in this warehouse.",
            class_="note",
        )
    heads = [
        "side", "last whole reading", "usual distance", "coverage, 24 h", "read, whole, trusted",
        "duplicates", "flagged offers", "unknown methods", "new fields", "",
    ]  # fmt: skip
    rows = [
        [
            row["side"],
            "never"
            if (age := row["minutes_since_complete"]) is None
            else f"{float(age):.0f} min behind",
            figures.NOTHING
            if row["cadence_minutes"] is None
            else f"{float(row['cadence_minutes']):.0f} min",
            figures.percent(row["coverage_pct"], 1),
            f"{row['n_readings']}, {row['n_complete']}, {row['n_trusted']}",
            figures.percent(row["duplicates_pct"], 2),
            figures.share(row["flagged_share"]),
            figures.count(row["unknown_methods"]),
            figures.count(row["new_keys"]),
            element("span", "stale", class_="is-bad") if row["is_stale"] else "fresh",
        ]
        for row in found
    ]
    return bars.table(heads, rows)
