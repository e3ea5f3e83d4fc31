"""What is forecast, and the thresholds by which it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

HORIZONS = (1, 6, 24, 168)
"""How far ahead, in hours."""
LONGEST = max(HORIZONS)
NOMINAL = 0.8
"""What the interval from `LOW` to `HIGH` is to cover."""
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
CONFIDENCE = 0.95
"""Of the interval of a skill: a model has skill where all of it lies above 0."""


@dataclass(frozen=True)
class Rules:
    """The thresholds; their names are those of the seed `forecast_rules`, which explains them."""

    flat_hour_pct: float = 0.1
    state_smoothing: float = 1.0
    forecast_least_hours: int = 504
    forecast_most_filled_pct: float = 20.0
    forecast_latest_hours: int = 6
    forecast_fit_hours: int = 336
    evaluation_hours: int = 1512
    evaluation_step_hours: int = 13
    evaluation_every_hours: int = 24
    least_blocks: int = 8
    least_interval_blocks: int = 3
    least_cutoffs: int = 20
    interval_tolerance_pct: float = 5.0

    @classmethod
    def of(cls, thresholds: Mapping[str, Any]) -> Rules:
        """The rules by the thresholds of the seed.

        Raises:
            KeyError: one is missing.
        """
        said: dict[str, Any] = {
            field.name: (int if field.type == "int" else float)(thresholds[field.name])
            for field in fields(cls)
        }
        return cls(**said)

    @property
    def hours_read(self) -> int:
        """How far back a series is looked at, in hours."""
        return self.forecast_fit_hours + self.evaluation_hours
