"""What the price of a pair may do next: states that follow one another, and forecasts."""

from __future__ import annotations

from datetime import timedelta

from report import bars, figures, ranges
from report.markup import Content, Markup, element
from report.marts import Marts, Row
from report.page import Section
from report.pairs import Pair

FEWEST = 20
"""Transitions from a state, below which its probabilities are little more than a guess."""

NOW, AHEAD = "the last price", "the forecast, and what is to hold it in 80 of 100 cases"
LOOKS = {NOW: "quiet", AHEAD: "third"}

TRANSITIONS = """
select
    period, state, next_state, n_from_state, n_transitions, probability, probability_error,
    stationary_share, expected_dwell
from marts.state_transitions
where fiat_code = %(fiat)s and asset_code = %(asset)s and side = 'MID'
order by period desc, state, next_state
"""

FORECASTS = """
select
    horizon_hours, reason, model_id, states_model_id, n_hours, last_price, point, low_80, high_80,
    down_probability, flat_probability, up_probability, skill, skill_low, skill_high,
    coverage_80_pct, has_skill, has_states_skill, origin_at, target_at, made_at
from marts.price_forecasts
where
    fiat_code = %(fiat)s and asset_code = %(asset)s
    and made_at = (
        select max(made_at) from marts.price_forecasts
        where fiat_code = %(fiat)s and asset_code = %(asset)s
    )
order by horizon_hours
"""

REASONS = {
    "too_little_history": "too little history",
    "too_many_gaps": "too many hours without a price",
    "too_old": "no price of the last hours",
}


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    transitions = pair.rows(marts, TRANSITIONS)
    forecasts = pair.rows(marts, FORECASTS)
    made = forecasts[0]["made_at"] if forecasts else None
    return Section(
        "What may come",
        "Forecasts of the middle price, each beside its skill: how much smaller its losses were "
        "than those of no change, with the 95% interval of that. A model is shown only where it "
        "is better by more than luck; else it is persistence, which says that the price stays. "
        "Below, how often a fall, a pause or a rise of the middle price was followed by which.",
        [
            element("div", element("h3", "Forecasts"), _forecasts(pair, forecasts)),
            element("div", element("h3", "States"), _states(transitions)),
        ],
        f"Forecast made: {figures.moment(made)}." if made else "",
    )


def _forecasts(pair: Pair, found: list[Row]) -> Content:
    if not found:
        return element("p", "No forecast was made yet: `p2p forecast`.", class_="none")
    if reason := found[0]["reason"]:
        hours = f"{found[0]['n_hours']:,} covered hours"
        said = f"No forecast: {REASONS.get(reason, reason)} ({hours})."
        return element("p", said, class_="none")
    heads = [
        "ahead", "until, UTC", "price", "80% from", "to", "model", "skill", "covered of 80%",
        "down", "flat", "up", "states by",
    ]  # fmt: skip
    return [_chart(pair, found), bars.table(heads, [_forecast(row) for row in found])]


def _chart(pair: Pair, found: list[Row]) -> Content:
    """By hours ahead: the price now, and the forecast with its interval."""
    drawn = []
    for row in found:
        now, point, low, high = (
            float(row[name]) for name in ("last_price", "point", "low_80", "high_80")
        )
        ahead = _ahead(row["horizon_hours"])
        said = f"{figures.price(point)}, 80% from {figures.price(low)} to {figures.price(high)}"
        drawn += [
            ranges.Range(ahead, NOW, now, now, now, figures.price(now)),
            ranges.Range(ahead, AHEAD, point, low, high, said),
        ]
    return ranges.draw(f"Forecasts of the price of {pair.name}", LOOKS, drawn)


def _forecast(row: Row) -> list[Content]:
    return [
        _ahead(row["horizon_hours"]),
        f"{row['target_at']:%d %b %H:%M}",
        element("b", figures.price(row["point"])),
        figures.price(row["low_80"]),
        figures.price(row["high_80"]),
        _model(row["model_id"], row["has_skill"]),
        _skill(row),
        figures.percent(row["coverage_80_pct"], 0),
        figures.share(row["down_probability"]),
        figures.share(row["flat_probability"]),
        figures.share(row["up_probability"]),
        _model(row["states_model_id"], row["has_states_skill"]),
    ]


def _model(name: str, has_skill: bool | None) -> Markup:
    shown = name.replace("_", " ")
    return element("span", shown if has_skill else f"{shown} (no skill)", class_="wrap")


def _skill(row: Row) -> Content:
    if row["skill"] is None or not row["has_skill"]:
        return figures.NOTHING
    low, high = figures.share(row["skill_low"]), figures.share(row["skill_high"])
    return element("span", f"{figures.share(row['skill'])} ({low} to {high})", class_="wrap")


def _states(found: list[Row]) -> Content:
    if not found:
        nothing = "No two hours or days in a row whose moves are known."
        return element("p", nothing, class_="none")
    heads = ["period", "state", "seen", "then down", "flat", "up", "share of time", "stays for"]
    rows = [found[place : place + 3] for place in range(0, len(found), 3)]
    return [
        bars.table(heads, [_state(row) for row in rows]),
        element(
            "p",
            "± is the standard error. A state seen "
            f"fewer than {FEWEST} times tells little: its probabilities lie near a third each.",
            class_="note",
        ),
    ]


def _state(cells: list[Row]) -> list[Content]:
    first = cells[0]
    stays = f"{float(first['expected_dwell']):.1f} {first['period']}s"
    return [
        first["period"],
        element("b", first["state"]),
        _seen(first["n_from_state"]),
        *(
            f"{figures.share(cell['probability'])} ± {figures.share(cell['probability_error'])}"
            for cell in cells
        ),
        figures.share(first["stationary_share"]),
        stays,
    ]


def _seen(count: int) -> Markup | str:
    return figures.count(count) if count >= FEWEST else element("span", f"{count} (few)")


def _ahead(hours: int) -> str:
    return f"{hours} h" if hours < 48 else figures.duration(timedelta(hours=hours))
