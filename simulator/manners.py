"""How long the exchange takes for an answer, and how much haste it puts up with.

Section 4 of the API note: a call takes 190 to 360 ms; bursts of 20 to 80 pages were let through;
who is too fast is answered 429, and who goes on after that is banned (418), for two minutes at
first and at most for three days.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from simulator.chance import share
from simulator.faults import Fault

TOLERATED = 10
"""Refusals within a minute that lead to no ban."""
_MINUTE = 60.0
FIRST_BAN_SECONDS, LONGEST_BAN_SECONDS = 120.0, 3 * 86_400.0


@dataclass(frozen=True)
class Manners:
    """What a client meets.

    Attributes:
        latency: least and most seconds until an answer comes.
        per_second: how many requests a second it puts up with for long; None for any number. Five
            is what one call after the other comes to; a reader at the default pace stays below.
        burst: how many it puts up with at once.
    """

    latency: tuple[float, float] = (0.2, 0.4)
    per_second: float | None = 5.0
    burst: int = 80

    def seconds(self, seed: int, number: int) -> float:
        """How long the answer to this request takes, counted in order of arrival."""
        least, most = self.latency
        return least + (most - least) * share(seed, "latency", number) if most > 0 else 0.0


REAL = Manners()
AT_ONCE = Manners(latency=(0.0, 0.0), per_second=None)
"""For tests, which do not wait: an answer at once, to everybody."""


class Throttle:
    """Refuses who is too fast, and bans who goes on. One client is all that comes over loopback."""

    def __init__(self, manners: Manners, now: Callable[[], float] = time.monotonic) -> None:
        """Starts with the whole burst left; `now` is a clock in seconds."""
        self._manners = manners
        self._now = now
        self._left = float(manners.burst)
        self._at = now()
        self._refused: deque[float] = deque()
        self._banned_until = 0.0
        self._next_ban = FIRST_BAN_SECONDS
        self._count = 0
        self._lock = Lock()

    def refusal(self) -> Fault | None:
        """The 429 or 418 that a request which comes now is answered with, if any."""
        rate = self._manners.per_second
        if rate is None:
            return None
        with self._lock:
            now = self._now()
            if now < self._banned_until:
                return self._ban(now)
            self._left = min(float(self._manners.burst), self._left + (now - self._at) * rate)
            self._at = now
            if self._left >= 1.0:
                self._left -= 1.0
                return None
            while self._refused and self._refused[0] <= now - _MINUTE:
                self._refused.popleft()
            self._refused.append(now)
            if len(self._refused) <= TOLERATED:
                self._count += 1
                return Fault("429", share("refused", self._count))
            self._refused.clear()
            self._banned_until = now + self._next_ban
            self._next_ban = min(2 * self._next_ban, LONGEST_BAN_SECONDS)
            return self._ban(now)

    def _ban(self, now: float) -> Fault:
        # Rounded up: who waits as long as he is told to is let in again.
        return Fault("418", 0.5, {"Retry-After": str(int(self._banned_until - now) + 1)})
