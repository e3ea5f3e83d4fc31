"""How wide an interval has to be: the model's own where it covers, a conformal one where not."""

from __future__ import annotations

import numpy as np

from forecast.models import Paths
from forecast.rules import LONGEST, NOMINAL, Rules
from forecast.series import Numbers, Whole


def factor_of(scores: Numbers, n_blocks: int, rules: Rules) -> float:
    """The factor that widens the model's own half width; 1 with too few errors.

    `scores` are earlier errors in half widths. A split conformal quantile of them (Vovk et al.
    2005) covers as often as it says whatever the model. It is a little higher than the share that
    it is to cover, the fewer errors there are: those that overlap in time count once a block.
    """
    known = scores[np.isfinite(scores)]
    if len(known) < rules.least_cutoffs:
        return 1.0
    if abs((known <= 1).mean() - NOMINAL) * 100 <= rules.interval_tolerance_pct:
        return 1.0
    share = NOMINAL * (1 + 1 / min(n_blocks, len(known)))
    place = min(len(known), int(np.ceil(len(known) * share)))
    return float(np.sort(known)[place - 1])


def widened(said: Paths, actual: Numbers, cutoffs: Whole, horizon: int, rules: Rules) -> Numbers:
    """The factor at each cut-off, by the errors that were known by then: none of its own future.

    `actual` has the logarithms that came true, a row a cut-off, a column an hour ahead, NaN where
    none is known. The errors of the longest horizon up to this one are taken that had its time
    `least_interval_blocks` times: what is too narrow for three days is so for a week.
    """
    half = (said.high - said.low) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.abs(actual - said.point) / half
    factors = np.ones(len(cutoffs))
    for row, cutoff in enumerate(cutoffs):
        hours = int(cutoff - cutoffs[0])
        if seen := min(horizon, hours // rules.least_interval_blocks):
            known = scores[cutoffs + seen <= cutoff, seen - 1]
            factors[row] = factor_of(known, hours // seen, rules)
    return factors


def logs_later(logs: Numbers, cutoffs: Whole) -> Numbers:
    """What `widened` takes for `actual`, of a series with NaN where it is not covered."""
    beyond = np.concatenate([logs, np.full(LONGEST, np.nan)])
    return np.asarray(beyond[cutoffs[:, None] + np.arange(1, LONGEST + 1)])
