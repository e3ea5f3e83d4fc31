"""Walk-forward evaluation of every model on one pair, and what to show of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from forecast.intervals import logs_later, widened
from forecast.models import CHAIN, OF_PRICES, PERSISTENCE, Paths, cutoffs_of, paths
from forecast.rules import HIGH, HORIZONS, LOW, MIDDLE, Rules
from forecast.series import Numbers, Series, Whole
from forecast.skill import Skill, pinball, skill
from forecast.states import BASE_RATES, UNKNOWN, state_probabilities, states_of


@dataclass(frozen=True)
class Choice:
    """What is shown for a pair and horizon, and by how much its interval is widened."""

    model: str = PERSISTENCE
    states_model: str = PERSISTENCE
    interval_factor: float = 1.0


@dataclass(frozen=True)
class Evaluation:
    """What came of one pair: a row a model and horizon, and the choices made by them."""

    rows: list[dict[str, Any]]
    choices: dict[int, Choice]


def evaluate(series: Series, rules: Rules, models: Sequence[str] = OF_PRICES) -> Evaluation:
    """Have every model predict from each cut-off, and hold that against what came.

    Only cut-offs and hours that are covered are scored.
    """
    cutoffs = cutoffs_of(len(series.closes), rules)
    said = paths(series.logs, rules, models, len(cutoffs))
    states = states_of(series.closes, rules.flat_hour_pct)
    chances = state_probabilities(states, cutoffs, rules.state_smoothing)
    rows, choices = [], {}
    for column, horizon in enumerate(HORIZONS):
        scored = _prices(series, np.array(cutoffs), said, horizon, rules)
        at = {name: chance[:, column] for name, chance in chances.items()}
        of_states = _states(states, np.array(cutoffs), at, horizon, rules)
        scored[PERSISTENCE] |= of_states.pop(PERSISTENCE)
        scored |= of_states
        about = {
            "horizon_hours": horizon,
            "first_cutoff_at": series.hour(cutoffs[0] + 1),
            "last_cutoff_at": series.hour(cutoffs[-1] + 1),
            "n_hours": series.n_hours,
            "n_filled_hours": series.n_filled,
        }
        rows += [about | {"model_id": name} | row for name, row in scored.items()]
        choices[horizon] = choose(scored)
    return Evaluation(rows, choices)


def choose(scored: Mapping[str, Mapping[str, Any]]) -> Choice:
    """Of the models with significant skill the one whose skill is surest; else persistence."""
    able = [name for name in OF_PRICES if name in scored and scored[name]["is_significant"]]
    best = max(able, key=lambda name: float(scored[name]["skill_low"]), default=PERSISTENCE)
    return Choice(
        best,
        CHAIN if scored[CHAIN]["is_significant"] else PERSISTENCE,
        float(scored[best]["interval_factor"]),
    )


def _prices(
    series: Series,
    cutoffs: Whole,
    said: Mapping[str, Paths],
    horizon: int,
    rules: Rules,
) -> dict[str, dict[str, Any]]:
    """The scores of the models of the price at one horizon; losses in fiat per asset."""
    now, actual = series.closes[cutoffs], _later(series.closes, cutoffs, horizon)
    is_scored = np.isfinite(now) & np.isfinite(actual)
    truth, at = actual[is_scored], cutoffs[is_scored]
    scale = _usual_steps(series, at, rules)
    came = logs_later(np.log(series.closes), cutoffs)
    factors = {name: widened(path, came, cutoffs, horizon, rules) for name, path in said.items()}
    losses: dict[str, dict[str, Numbers]] = {}
    for name, path in said.items():
        factor = factors[name]
        point = path.point[:, horizon - 1]
        low, middle, high = (
            _price(point + factor * (end - point), is_scored, truth)
            for end in (path.low[:, horizon - 1], point, path.high[:, horizon - 1])
        )
        error = np.abs(truth - middle)
        pinballs = [
            pinball(truth, quantile, share)
            for quantile, share in ((low, LOW), (middle, MIDDLE), (high, HIGH))
        ]
        crps: Numbers = 2 * np.mean(pinballs, axis=0)
        losses[name] = {
            "mae": error,
            "mase": np.divide(error, scale, out=np.full_like(error, np.nan), where=scale > 0),
            "pinball_10": pinballs[0],
            "pinball_50": pinballs[1],
            "pinball_90": pinballs[2],
            "crps": crps,
            "coverage_80_pct": np.where((low <= truth) & (truth <= high), 100.0, 0.0),
        }
    base = losses[PERSISTENCE]
    return {
        name: {
            **_means(loss),
            **_means(base, "_persistence"),
            "n": len(truth),
            "interval_factor": float(factors[name][-1]),
            "is_conformal": bool(factors[name][-1] != 1.0),
            **_skills(skill(loss["crps"], base["crps"], at, _block(horizon, rules)), rules),
        }
        for name, loss in losses.items()
    }


def _price(logs: Numbers, is_scored: npt.NDArray[np.bool_], truth: Numbers) -> Numbers:
    """The prices of logarithms; that of a price that never moved is the very same again."""
    prices = np.exp(logs[is_scored])
    return np.where(np.isclose(prices, truth, rtol=1e-12, atol=0), truth, prices)


def _states(
    states: Whole, cutoffs: Whole, chances: Mapping[str, Numbers], horizon: int, rules: Rules
) -> dict[str, dict[str, Any]]:
    """The scores of the chain and of persistence on the states at one horizon."""
    later = _later(np.where(states == UNKNOWN, np.nan, states), cutoffs, horizon)
    is_scored = np.isfinite(later) & np.isfinite(chances[CHAIN]).all(axis=1)
    truth, at = later[is_scored].astype(int), cutoffs[is_scored]
    losses = {
        name: {
            "log_loss": -np.log(chance[is_scored][np.arange(len(truth)), truth]),
            "accuracy_pct": 100.0 * (chance[is_scored].argmax(axis=1) == truth),
        }
        for name, chance in chances.items()
    }
    block = _block(horizon, rules)
    found = {}
    for name in (PERSISTENCE, CHAIN):
        row: dict[str, Any] = {
            "n_states": len(truth),
            **_means(losses[name]),
            **_means(losses[PERSISTENCE], "_persistence"),
            **_means(losses[BASE_RATES], "_base_rates"),
        }
        if name == CHAIN:
            loss = losses[CHAIN]["log_loss"]
            over_persistence, over_rates = (
                skill(loss, losses[other]["log_loss"], at, block)
                for other in (PERSISTENCE, BASE_RATES)
            )
            row |= {"n": len(truth), **_skills(over_persistence, rules)}
            row["skill_over_base_rates"] = over_rates.value
            # To beat a stubborn baseline is little where the mere shares do as well.
            row["is_significant"] &= over_rates.is_significant(rules.least_blocks)
        found[name] = row
    return found


def _skills(found: Skill, rules: Rules) -> dict[str, Any]:
    return {
        "skill": found.value,
        "skill_low": found.low,
        "skill_high": found.high,
        "n_blocks": found.n_blocks,
        "is_significant": found.is_significant(rules.least_blocks),
    }


def _block(horizon: int, rules: Rules) -> int:
    return max(horizon, rules.evaluation_step_hours)


def _means(losses: Mapping[str, Numbers], ending: str = "") -> dict[str, float | None]:
    return {
        name + ending: float(np.nanmean(loss)) if np.isfinite(loss).any() else None
        for name, loss in losses.items()
    }


def _later(values: Numbers, cutoffs: Whole, horizon: int) -> Numbers:
    """The value so many hours after each cut-off; NaN beyond the end."""
    beyond = np.concatenate([values, np.full(max(HORIZONS), np.nan)])
    return np.asarray(beyond[cutoffs + horizon])


def _usual_steps(series: Series, cutoffs: Whole, rules: Rules) -> Numbers:
    """By cut-off: the mean absolute step from hour to hour in the fit, which scales the MASE."""
    steps = np.abs(np.diff(series.closes))
    return np.array(
        [
            np.nanmean(steps[max(0, cutoff - rules.forecast_fit_hours + 1) : cutoff])
            for cutoff in cutoffs
        ]
    )
