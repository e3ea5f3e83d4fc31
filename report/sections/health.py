"""How fresh and how whole the readings of a pair are."""

from __future__ import annotations

from typing import Any

from report import bars, figures, specs
from report.figure import figure, milliseconds
from report.markup import Markup, element
from report.marts import Marts, MissingMart, Row
from report.page import Section
from report.pairs import SIDES, Pair, as_of

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
    return Section(
        "Freshness and completeness",
        "Each reading of the pair, one tick each; an empty stretch is a time in which nobody "
        "read it. Only trusted readings make prices.",
        [_strips(pair, readings), _health(marts, pair)],
        as_of(marts, pair.newest, "Last reading"),
    )


def _strips(pair: Pair, readings: list[Row]) -> Markup:
    sides = list(SIDES)
    rows: list[list[Any]] = []
    for number, side in enumerate(sides):
        mine = [row for row in readings if row["side"] == side]
        every = max(1, len(mine) // MOST_TICKS)
        rows += [
            [milliseconds(row["started_at"]), number, row["quality_verdict"], _said(row)]
            for place, row in enumerate(mine)
            if row["quality_verdict"] != "trusted" or place % every == 0
        ]
    return figure(
        f"Readings of {pair.name}",
        specs.strips(tuple(sides)),
        sides,
        ["at", "series", "verdict", "said"],
        rows,
        key=bars.key(VERDICTS),
    )


def _said(row: Row) -> str:
    read = (
        f"{figures.count(row['offers_distinct'])} of {figures.count(row['announced_total'])} offers"
    )
    reasons = f": {row['quality_reasons']}" if row["quality_reasons"] else ""
    unchanged = ", unchanged" if row["is_unchanged"] else ""
    return f"{row['quality_verdict']}{reasons}, {read}{unchanged}"


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
