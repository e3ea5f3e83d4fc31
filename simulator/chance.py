"""Randomness that repeats: every generator of the simulator comes from here, from a seed."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def seeded(*parts: object) -> random.Random:
    """A generator of its own for this seed and purpose.

    Purposes do not share one stream, so that a market of one fiat has the books that the same
    fiat has in the whole market.
    """
    return random.Random("|".join(map(str, parts)))  # noqa: S311 - a simulation, not a secret


def share(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone: the same in whatever order it is asked.

    For decisions taken while requests run side by side, where a shared stream would depend on
    which thread came first.
    """
    text = "|".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


def pick(rates: Iterable[tuple[T, float]], at: float) -> T | None:
    """The one of these whose stretch of the line holds `at`, when their rates are laid end to end.

    None when `at` lies beyond them all.
    """
    for each, rate in rates:
        at -= rate
        if at < 0.0:
            return each
    return None


def quantile(curve: Sequence[tuple[float, float]], u: float) -> float:
    """The value of a distribution given as points (probability, value), straight between them."""
    at = bisect_right(curve, (u, float("inf")))
    if at == 0:
        return curve[0][1]
    if at == len(curve):
        return curve[-1][1]
    (u0, v0), (u1, v1) = curve[at - 1], curve[at]
    return v0 + (v1 - v0) * (u - u0) / (u1 - u0)
