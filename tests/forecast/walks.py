"""Prices made up by a known rule, an hour each."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from forecast.series import Series

LAST_HOUR = datetime(2026, 11, 30, 23, tzinfo=UTC)


def walk(seed: int, hours: int, step: float = 0.002) -> Series:
    """A random walk of the logarithm: tomorrow is as today, whatever was yesterday."""
    steps = np.random.default_rng(seed).normal(0, step, hours)
    return Series(100 * np.exp(np.cumsum(steps)), LAST_HOUR)


def trend(seed: int, hours: int, step: float = 0.002, rise: float = 0.004) -> Series:
    """The same with a rise that any model of a trend must find."""
    steps = np.random.default_rng(seed).normal(rise, step, hours)
    return Series(100 * np.exp(np.cumsum(steps)), LAST_HOUR)


def swings(seed: int, hours: int) -> Series:
    """A chain of states that mostly go round: down, flat, up, and down again."""
    strays = np.random.default_rng(seed).random(hours) < 0.06
    states = np.cumsum(np.where(strays, 2, 1)) % 3
    return Series(100 * np.exp(np.cumsum(0.01 * (states - 1))), LAST_HOUR)
