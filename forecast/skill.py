"""Losses, and whether those of a model are smaller than a baseline's by more than luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.rules import CONFIDENCE
from forecast.series import Numbers, Whole


@dataclass(frozen=True)
class Skill:
    """1 - loss / loss of the baseline, with its confidence interval."""

    value: float | None
    low: float | None
    high: float | None
    n_blocks: int

    def is_significant(self, least_blocks: int) -> bool:
        """Whether there is skill beyond the luck of the draw."""
        return self.n_blocks >= least_blocks and self.low is not None and self.low > 0


def pinball(actual: Numbers, said: Numbers, share: float) -> Numbers:
    """The loss of a quantile: `share` for each unit above it, the rest for each below."""
    above = actual - said
    return np.asarray(np.maximum(share * above, (share - 1) * above))


def skill(loss: Numbers, baseline: Numbers, cutoffs: Whole, block_hours: int) -> Skill:
    """The test of Diebold and Mariano (1995) over blocks of cut-offs, by Student's t.

    Losses of forecasts that overlap in time are alike, so their means over blocks of so many hours
    are compared, and those count as independent. The interval is that of the ratio.
    """
    _, blocks = np.unique(cutoffs // block_hours, return_inverse=True)
    counts = np.bincount(blocks)
    n_blocks = len(counts)
    if not n_blocks or not baseline.sum() > 0:
        return Skill(None, None, None, n_blocks)
    ours, theirs = (np.bincount(blocks, each) / counts for each in (loss, baseline))
    value = float(1 - ours.mean() / theirs.mean())
    if n_blocks < 2:
        return Skill(value, None, None, n_blocks)
    from scipy import stats  # type: ignore[import-untyped]

    rest = (1 - value) * theirs - ours
    error = rest.std(ddof=1) / np.sqrt(n_blocks) / theirs.mean()
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n_blocks - 1) * error)
    return Skill(value, value - reach, value + reach, n_blocks)
