"""The hours of one pair as a regular series, with what is missing counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from forecast.rules import Rules

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
HOUR = timedelta(hours=1)

TOO_LITTLE, TOO_OLD, TOO_MANY_GAPS = "too_little_history", "too_old", "too_many_gaps"
"""Why nothing is forecast for a pair."""


@dataclass(frozen=True)
class Series:
    """The closes of a pair by the hour, from its first covered hour to its last."""

    closes: Numbers
    """Fiat per asset; NaN where the hour is not covered."""
    last_hour: datetime
    """Start of the last covered hour."""

    @property
    def n_hours(self) -> int:
        """How many hours are covered."""
        return int(np.isfinite(self.closes).sum())

    @property
    def n_filled(self) -> int:
        """How many are not, and have the close before them in the fit; they are never scored."""
        return len(self.closes) - self.n_hours

    @property
    def logs(self) -> Numbers:
        """What the models are fitted to: logarithms, gaps filled forward."""
        places = np.where(np.isfinite(self.closes), np.arange(len(self.closes)), 0)
        return np.asarray(np.log(self.closes[np.maximum.accumulate(places)]))

    def hour(self, place: int) -> datetime:
        """Start of the hour at a place in the series; after its end too."""
        return self.last_hour + HOUR * (place - len(self.closes) + 1)

    def reason_against(self, rules: Rules, now: datetime) -> str | None:
        """Why it is not to be forecast, if so."""
        if self.n_hours < rules.forecast_least_hours:
            return TOO_LITTLE
        if now - (self.last_hour + HOUR) > HOUR * rules.forecast_latest_hours:
            return TOO_OLD
        if 100 * self.n_filled > rules.forecast_most_filled_pct * len(self.closes):
            return TOO_MANY_GAPS
        return None


def series_of(hours: Sequence[tuple[datetime, Any]]) -> Series:
    """The series of covered hours and their closes, in order of time; of none an empty one."""
    if not hours:
        return Series(np.empty(0), datetime.min.replace(tzinfo=UTC))
    first = hours[0][0]
    places = [(hour - first) // HOUR for hour, _ in hours]
    closes = np.full(places[-1] + 1, np.nan)
    closes[places] = [float(close) for _, close in hours]
    return Series(closes, hours[-1][0])
