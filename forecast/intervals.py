"""How wide an interval has to be: the model's own where it covers, a conformal one where not."""

from __future__ import annotations

import numpy as np

from forecast.models import Paths
from forecast.rules import NOMINAL, Rules
from forecast.series import Numbers, Whole


def factor_of(scores: Numbers, hours: int, horizon: int, rules: Rules) -> float | None:
    """The factor that widens the model's own half width; None with too few errors.

    `scores` are earlier errors in half widths, over so many hours. A split conformal quantile of
    them (Vovk et al. 2005) covers as often as it says whatever the model, once there are enough
    that do not overlap.
    """
    known = scores[np.isfinite(scores)]
    if len(known) < rules.least_cutoffs or hours < rules.least_blocks * horizon:
        return None
    if abs((known <= 1).mean() - NOMINAL) * 100 <= rules.interval_tolerance_pct:
        return 1.0
    place = min(len(known), int(np.ceil((len(known) + 1) * NOMINAL)))
    return float(np.sort(known)[place - 1])


def widened(
    said: Paths, actual: Numbers, cutoffs: Whole, horizon: int, shorter: Numbers, rules: Rules
) -> Numbers:
    """The factor at each cut-off, by the errors that were known by then: none of its own future.

    `actual` has the logarithm that came true for each cut-off, NaN where none is known. `shorter`
    has the factors of the next shorter horizon, which hold where too little is known of this one:
    what is too narrow for a day is so for a week.
    """
    column = horizon - 1
    half = (said.high - said.low)[:, column] / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.abs(actual - said.point[:, column]) / half
    factors = shorter.copy()
    for row, cutoff in enumerate(cutoffs):
        known = cutoffs + horizon <= cutoff
        hours = int(cutoff - cutoffs[0])
        if (factor := factor_of(scores[known], hours, horizon, rules)) is not None:
            factors[row] = factor
    return factors
