"""States of the price (down, flat, up) and their probabilities at each cut-off.

The counting is that of the mart `state_transitions`: consecutive covered hours only, `a` added to
each count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.models import CHAIN, PERSISTENCE
from forecast.rules import HORIZONS
from forecast.series import Numbers, Whole

BASE_RATES = "base_rates"
STATES = ("down", "flat", "up")
UNKNOWN = -1


def states_of(closes: Numbers, flat_pct: float) -> Whole:
    """The state of each hour by its log return; `UNKNOWN` for the first and next to a gap."""
    moves = np.concatenate([[np.nan], 100 * np.diff(np.log(closes))])
    states = np.select([moves < -flat_pct, moves > flat_pct, np.isfinite(moves)], [0, 2, 1], -1)
    return np.asarray(states, dtype=np.int64)


def transitions(states: Whole, ahead: int = 1) -> Numbers:
    """How often each state was followed by each, so many hours later."""
    counts = np.zeros((len(STATES), len(STATES)))
    before, after = states[:-ahead], states[ahead:]
    known = (before != UNKNOWN) & (after != UNKNOWN)
    np.add.at(counts, (before[known], after[known]), 1)
    return counts


def state_probabilities(
    states: Whole, cutoffs: Sequence[int], smoothing: float
) -> dict[str, Numbers]:
    """By model, cut-off and horizon: the probability of each state then; NaN where none is known.

    Persistence: the state stays with the share of times that it was the same so many hours later,
    and else is any of the others.
    """
    shape = (len(cutoffs), len(HORIZONS), len(STATES))
    found = {name: np.full(shape, np.nan) for name in (CHAIN, PERSISTENCE, BASE_RATES)}
    each = len(STATES) * smoothing
    for row, cutoff in enumerate(cutoffs):
        seen, now = states[: cutoff + 1], states[cutoff]
        if now == UNKNOWN:
            continue
        counts = transitions(seen) + smoothing
        chain = counts / counts.sum(axis=1, keepdims=True)
        totals = np.bincount(seen[seen != UNKNOWN], minlength=len(STATES)) + smoothing
        for column, horizon in enumerate(HORIZONS):
            found[CHAIN][row, column] = np.linalg.matrix_power(chain, horizon)[now]
            found[BASE_RATES][row, column] = totals / totals.sum()
            later = transitions(seen, horizon)
            stays = (later.trace() + smoothing) / (later.sum() + each)
            found[PERSISTENCE][row, column] = (1 - stays) / (len(STATES) - 1)
            found[PERSISTENCE][row, column, now] = stays
    return found
