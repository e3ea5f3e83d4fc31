"""What is shown of one pair: price, interval and states at each horizon, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from forecast.evaluation import Choice, choose, evaluate
from forecast.models import PERSISTENCE, Paths, paths
from forecast.rules import HORIZONS, Rules
from forecast.series import HOUR, Series
from forecast.states import state_probabilities, states_of

Row = dict[str, Any]


@dataclass(frozen=True)
class Outlook:
    """The rows of one pair, without its name."""

    forecasts: list[Row]
    evaluation: list[Row] = field(default_factory=list)
    """Empty where an earlier one was good enough."""


def look_ahead(
    series: Series, rules: Rules, now: datetime, known: Mapping[int, Choice] | None = None
) -> Outlook:
    """Forecast a pair; `known` are the choices of an evaluation that is recent enough."""
    counted = {"n_hours": series.n_hours, "n_filled_hours": series.n_filled}
    reason = series.reason_against(rules, now)
    if reason:
        return Outlook(
            [{"horizon_hours": horizon, "reason": reason, **counted} for horizon in HORIZONS]
        )
    evaluation: list[Row] = []
    if known is None:
        found = evaluate(series, rules)
        known, evaluation = found.choices, found.rows
    names = sorted({PERSISTENCE, *(choice.model for choice in known.values())})
    said = paths(series.logs, rules, names)
    states = states_of(series.closes, rules.flat_hour_pct)
    chances = state_probabilities(states, [len(states) - 1], rules.state_smoothing)
    origin = series.last_hour + HOUR
    rows = []
    for column, horizon in enumerate(HORIZONS):
        choice = known[horizon]
        down, flat, up = (
            None if np.isnan(chance) else float(chance)
            for chance in chances[choice.states_model][0, column]
        )
        rows.append(
            {
                "horizon_hours": horizon,
                **counted,
                "model_id": choice.model,
                "states_model_id": choice.states_model,
                "last_price": float(series.closes[-1]),
                **_prices(said[choice.model], horizon, choice.interval_factor),
                "down_probability": down,
                "flat_probability": flat,
                "up_probability": up,
                "interval_factor": choice.interval_factor,
                "origin_at": origin,
                "target_at": origin + HOUR * horizon,
            }
        )
    return Outlook(rows, evaluation)


def choices_of(rows: Iterable[Mapping[str, Any]]) -> dict[int, Choice] | None:
    """The choices by the rows of one evaluation of a pair; None where some are missing."""
    scored: dict[int, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        scored.setdefault(row["horizon_hours"], {})[row["model_id"]] = row
    try:
        return {horizon: choose(scored[horizon]) for horizon in HORIZONS}
    except KeyError:  # of another version, with other models
        return None


def _prices(said: Paths, horizon: int, factor: float) -> dict[str, float]:
    point, low, high = (float(path[0, horizon - 1]) for path in (said.point, said.low, said.high))
    return {
        "point": float(np.exp(point)),
        "low_80": float(np.exp(point + factor * (low - point))),
        "high_80": float(np.exp(point + factor * (high - point))),
    }
