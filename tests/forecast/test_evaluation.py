"""A model is credited with what it can do and not with luck, and knows nothing of its future."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from forecast.evaluation import evaluate
from forecast.models import CHAIN, OF_PRICES, PERSISTENCE, cutoffs_of, paths
from forecast.outlook import choices_of, look_ahead
from forecast.rules import HORIZONS, Rules
from forecast.series import HOUR, Series, series_of
from forecast.skill import pinball, skill
from forecast.states import state_probabilities, states_of
from tests.forecast.walks import LAST_HOUR, swings, trend, walk

RULES = Rules()
NOW = LAST_HOUR + HOUR
WALKS = 4


def by_key(rows: list[dict[str, Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows of an evaluation by model and horizon."""
    return {(row["model_id"], row["horizon_hours"]): row for row in rows}


@cache
def walks() -> list[dict[tuple[str, int], dict[str, Any]]]:
    """What is found on random walks of 2,000 hours."""
    return [by_key(evaluate(walk(seed, 2000), RULES).rows) for seed in range(WALKS)]


def test_on_random_walks_no_model_is_credited_more_often_than_the_test_errs() -> None:
    credited = [row["is_significant"] for found in walks() for row in found.values()]
    assert len(credited) == WALKS * len(HORIZONS) * 5
    # One in forty of those that are no baseline, and more than so many only once in a thousand.
    tried = WALKS * len(HORIZONS) * 4
    assert sum(credited) <= stats.binom.ppf(0.999, tried, 0.025)
    assert not any(
        found[PERSISTENCE, hours]["is_significant"] for found in walks() for hours in HORIZONS
    )


@pytest.mark.parametrize("model", OF_PRICES)
def test_intervals_on_random_walks_cover_what_they_say(model: str) -> None:
    rows = [found[model, hours] for found in walks() for hours in HORIZONS]
    assert np.mean([row["coverage_80_pct"] for row in rows]) == pytest.approx(80, abs=5)


def test_intervals_of_a_week_on_random_walks_cover_what_they_say() -> None:
    """Of more walks than above, since of 2,000 hours few weeks are apart."""
    models = ["persistence", "drift"]
    rows = [row for seed in range(12) for row in evaluate(walk(seed, 2000), RULES, models).rows]
    for model in models:
        covered = [
            row["coverage_80_pct"]
            for row in rows
            if (row["model_id"], row["horizon_hours"]) == (model, 168)
        ]
        assert np.mean(covered) == pytest.approx(80, abs=5), model


def test_a_trend_is_found_and_shown_with_its_skill() -> None:
    outlook = look_ahead(trend(1, 900), RULES, NOW)
    found = by_key(outlook.evaluation)
    for row in outlook.forecasts[1:3]:
        assert row["model_id"] != PERSISTENCE, row
        assert found[row["model_id"], row["horizon_hours"]]["skill_low"] > 0
        assert row["point"] > row["last_price"]
    # Of a week there are too few that do not overlap, whatever they say.
    assert outlook.forecasts[3]["model_id"] == PERSISTENCE
    assert found["drift", 168]["n_blocks"] < RULES.least_blocks
    assert not found["drift", 168]["is_significant"]


def test_states_that_tell_the_next_one_credit_the_chain() -> None:
    outlook = look_ahead(swings(2, 900), RULES, NOW)
    row, scored = outlook.forecasts[0], by_key(outlook.evaluation)[CHAIN, 1]
    assert row["states_model_id"] == CHAIN
    assert scored["skill"] > 0.2
    assert scored["skill_over_base_rates"] > 0.2
    assert scored["accuracy_pct"] > 80
    assert max(row[f"{state}_probability"] for state in ("down", "flat", "up")) > 0.6
    assert row["down_probability"] + row["flat_probability"] + row["up_probability"] == (
        pytest.approx(1)
    )


def test_what_comes_after_a_cut_off_changes_nothing_that_was_said_at_it() -> None:
    calm = walk(3, 700)
    closes = calm.closes.copy()
    cutoffs = cutoffs_of(len(closes), RULES)
    cutoff = cutoffs[-3]
    closes[cutoff + 1 :] *= 3
    jumped = Series(closes, calm.last_hour)
    before, after = (paths(one.logs, RULES, OF_PRICES, len(cutoffs)) for one in (calm, jumped))
    for model in OF_PRICES:
        for part in ("point", "low", "high"):
            said, again = getattr(before[model], part), getattr(after[model], part)
            assert np.array_equal(said[:-2], again[:-2]), (model, part)
            assert not np.array_equal(said[-1], again[-1]), (model, part)
    chances = [
        state_probabilities(states_of(one.closes, 0.1), cutoffs, 1.0) for one in (calm, jumped)
    ]
    for name in chances[0]:
        assert np.array_equal(chances[0][name][:-2], chances[1][name][:-2], equal_nan=True)


def test_hours_without_a_close_are_counted_and_never_scored() -> None:
    whole = walk(5, 700)
    closes = whole.closes.copy()
    gaps = np.random.default_rng(5).random(700) < 0.1
    gaps[[0, -1]] = False
    closes[gaps] = np.nan
    row = by_key(evaluate(Series(closes, LAST_HOUR), RULES).rows)[PERSISTENCE, 1]
    cutoffs = np.array(cutoffs_of(700, RULES)[:-1])
    scored = cutoffs[~gaps[cutoffs] & ~gaps[cutoffs + 1]]
    assert row["n_filled_hours"] == gaps.sum()
    assert row["n_hours"] == 700 - gaps.sum()
    assert row["n"] == len(scored) < len(cutoffs)
    steps = np.abs(whole.closes[scored + 1] - whole.closes[scored])
    assert row["mae"] == pytest.approx(steps.mean())
    assert row["skill"] == 0


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (series_of([]), "too_little_history"),
        (walk(6, RULES.forecast_least_hours - 1), "too_little_history"),
        (Series(walk(6, 600).closes, LAST_HOUR - 7 * HOUR), "too_old"),
    ],
)
def test_without_enough_hours_there_is_a_reason_and_no_forecast(
    series: Series, reason: str
) -> None:
    outlook = look_ahead(series, RULES, NOW)
    assert outlook.evaluation == []
    assert [(row["horizon_hours"], row["reason"]) for row in outlook.forecasts] == [
        (hours, reason) for hours in HORIZONS
    ]


def test_a_series_of_many_gaps_is_not_forecast() -> None:
    closes = walk(7, 1000).closes
    closes[::4] = np.nan
    closes[-1] = 100
    assert Series(closes, LAST_HOUR).reason_against(RULES, NOW) == "too_many_gaps"


def test_a_price_that_never_moves_is_forecast_to_stay() -> None:
    outlook = look_ahead(Series(np.full(600, 36.5), LAST_HOUR), RULES, NOW)
    for row in outlook.forecasts:
        assert (row["model_id"], row["point"]) == (PERSISTENCE, pytest.approx(36.5))
        assert row["low_80"] <= row["point"] <= row["high_80"]
    assert by_key(outlook.evaluation)["auto_ets", 1]["skill"] is None


def test_an_earlier_evaluation_gives_the_forecast_that_a_new_one_would() -> None:
    series = trend(8, 700)
    first = look_ahead(series, RULES, NOW)
    again = look_ahead(series, RULES, NOW, choices_of(first.evaluation))
    assert again.evaluation == []
    assert again.forecasts == first.forecasts
    assert choices_of([]) is None


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    drawn = np.random.default_rng(0).normal(0, 1, 200_000)
    for share in (0.1, 0.5, 0.9):
        losses = {
            said: pinball(drawn, np.full_like(drawn, said), share).mean()
            for said in stats.norm.ppf([share - 0.05, share, share + 0.05])
        }
        assert min(losses, key=losses.__getitem__) == stats.norm.ppf(share)


def test_skill_is_the_share_of_the_loss_that_is_saved_and_blocks_count_once() -> None:
    cutoffs = np.arange(0, 130, 13)
    theirs, ours = np.full(10, 2.0), np.full(10, 1.5)
    found = skill(ours, theirs, cutoffs, 13)
    assert (found.value, found.low, found.high, found.n_blocks) == (0.25, 0.25, 0.25, 10)
    assert found.is_significant(8)
    assert not found.is_significant(11)
    assert skill(ours, theirs, cutoffs, 65).n_blocks == 2
    assert skill(ours, np.zeros(10), cutoffs, 13).value is None
