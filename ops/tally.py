"""What became of requests, by outcome and by how long they took: sums that add up over cycles."""

import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

UNDERSTOOD = "understood"
# Upper bounds in seconds; no attempt takes longer than the last but one, by the `Limits` of
# `load.exchange.client`, and there is one bucket more beyond them.
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_BY_NAME = frozenset(
    {"http_403", "http_418", "http_429", "http_451", "timeout", "connection", "cut", "too_large"}
    | {"not_json", "too_deep", "number_out_of_range", "wrong_shape", "not_successful"}
)
_OTHERS = ("challenge", "http_5xx", "http_other", "code", "stopped", "other")
OUTCOMES = (UNDERSTOOD, *sorted(_BY_NAME), *_OTHERS)


def outcome_of(reason: str) -> str:
    """The outcome that a reason to fail counts as: one of a few, whatever the exchange makes up."""
    if reason in _BY_NAME:
        return reason
    if reason.startswith("http_5"):
        return "http_5xx"
    if reason.startswith("http_"):
        return "http_other"
    if reason.startswith("challenge_"):
        return "challenge"
    return "code" if reason.startswith("code_") else "other"


@dataclass
class Tally:
    """The requests of one cycle. Safe for threads."""

    outcomes: Counter[str] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    """How many took at most as long as each of `BOUNDS` and longer than the one before."""
    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, outcome: str, seconds: float) -> None:
        """Count a request that took so many seconds."""
        with self._lock:
            self.outcomes[outcome] += 1
            self.buckets[bisect_left(BOUNDS, seconds)] += 1
            self.seconds += seconds

    def told(self) -> tuple[dict[str, int], dict[str, float | list[int]]]:
        """The outcomes, and how long they took as `ops.runs` keeps it: sum and buckets."""
        with self._lock:
            took: dict[str, float | list[int]] = {
                "sum": round(self.seconds, 6),
                "buckets": list(self.buckets),
            }
            return dict(self.outcomes), took
