"""Where a number or a time stands on a chart, and which of them are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

_STEPS = [
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30, 90, 180, 365)),
]
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday, so that weeks begin on one
MOST_TICKS = 5
_NOTHING = 1e-12  # what no price, share or amount is told apart by


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` on a length; `at` runs from 0 at the low end to 1."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def around(cls, values: Sequence[float], *, from_zero: bool = False) -> Scale:
        """A scale with round ends that holds all of `values`."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low <= max(abs(high) * 1e-9, _NOTHING):
            room = abs(high) * 0.01 if abs(high) > _NOTHING else 1.0
            low, high = (low if from_zero and low == 0 else low - room), high + room
        step = _round_step((high - low) / 4)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(number * step for number in range(first, last + 1))
        return cls(ticks[0], ticks[-1], ticks)

    def at(self, value: float) -> float:
        """Where `value` stands, as a share of the length."""
        return (value - self.low) / (self.high - self.low)

    def label(self, value: float) -> str:
        """A tick as it is written: as many decimals as the step needs, in millions if it can be."""
        step = self.ticks[1] - self.ticks[0]
        is_large = step >= 1e4 and max(abs(self.low), abs(self.high)) >= 1e6
        unit, letter = (1e6, "M") if is_large else (1.0, "")
        if not value:
            return "0"
        return f"{value / unit:,.{_decimals(step / unit)}f}{letter}"


def _decimals(step: float) -> int:
    """How many decimals tell a round step, which may be 2.5, and its multiples."""
    power = math.floor(math.log10(step) + 1e-9)
    return max(0, -power + (round(step / 10.0**power, 6) == 2.5))


def _round_step(rough: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)


class Tick(NamedTuple):
    """A round time, what is written below it, and below that what it is a part of."""

    at: datetime
    name: str
    whole: str


@dataclass(frozen=True)
class Times:
    """Times from `start` to `end` on a length."""

    start: datetime
    end: datetime
    least: timedelta = _STEPS[0]

    @classmethod
    def around(cls, times: Sequence[datetime], *, is_daily: bool = False) -> Times:
        """From the first to the last of `times`; a single one stands in the middle."""
        start, end = min(times), max(times)
        if is_daily:
            half = timedelta(hours=12)
            return cls(start - half, end + half, timedelta(days=1))
        if end - start < timedelta(minutes=1):
            return cls(start - timedelta(minutes=30), end + timedelta(minutes=30))
        return cls(start, end)

    def at(self, time: datetime) -> float:
        """Where `time` stands, as a share of the length."""
        return (time - self.start) / (self.end - self.start)

    def ticks(self) -> list[Tick]:
        """Round times, the clock or the day of each, and below it the day or the year they are of.

        That is written where it begins and at the first; not at both where they are neighbours,
        whose words would run into each other.
        """
        span = self.end - self.start
        steps = [step for step in _STEPS if step >= self.least]
        step = next((step for step in steps if span / step <= MOST_TICKS), steps[-1])
        upper, lower = ("%d %b", "%Y") if step >= timedelta(days=1) else ("%H:%M", "%d %b")
        first = math.ceil((self.start - _EPOCH) / step)
        last = math.floor((self.end - _EPOCH) / step)
        times = [_EPOCH + number * step for number in range(first, last + 1)]
        wholes = [f"{time:{lower}}" for time in times]
        begins = [True, *(one != other for one, other in pairwise(wholes))]
        begins[:1] = [not any(begins[1:2])] if times else []
        return [
            Tick(time, f"{time:{upper}}", whole if is_first else "")
            for time, whole, is_first in zip(times, wholes, begins, strict=False)
        ]
