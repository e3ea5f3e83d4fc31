"""When a request may go out: token bucket, back-off, throttle, circuit breaker.

Every attempt pays, retries too. All waits go through one `Timekeeper`, so a stop ends them at once
and a test never sleeps. What stands behind `Bucket` can be shared between processes later: the
pacer only asks it for the seconds until the reserved turn.
"""

import logging
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

THROTTLED = frozenset({"http_429", "http_418"})
FORBIDDEN = frozenset({"http_403", "http_451"})
# An answer that is merely wrong (a code, a shape) shows a server that lives.
_SICK_PREFIXES = ("http_5", "timeout", "connection")


class Stopped(Exception):
    """The caller asked to stop, or the time given to the cycle is used up: no attempt was made."""


class Timekeeper(Protocol):
    """Where time comes from, in seconds, and how it is waited for."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return after `seconds`, or at once when `stop` is set."""


class RealTime:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Sleep, but wake at once for `stop`."""
        stop.wait(seconds)


class Bucket:
    """A token bucket that hands out turns (GCRA): first come, first served, no polling."""

    def __init__(self, rate: float, burst: int) -> None:
        """Start full: `burst` turns at once, then `rate` a second."""
        self.rate = rate
        self._burst = burst
        self._full_at = 0.0

    def reserve(self, now: float) -> float:
        """Take the next turn; returns the seconds until it comes."""
        step = 1 / self.rate
        self._full_at = max(self._full_at, now) + step
        return max(0.0, self._full_at - self._burst * step - now)

    def drain(self, until: float) -> None:
        """Leave exactly one turn at `until`, so that a block does not end in a burst."""
        self._full_at = max(self._full_at, until + (self._burst - 1) / self.rate)


class Breaker:
    """Closed, open or half-open, by the share of failures over the last attempts.

    Open means that nothing goes out; after a while one attempt is let through (half-open), and its
    outcome closes the breaker or opens it for twice as long. The limits are set so that half of
    all answers failing by chance does not open it, and a dead exchange does within some seconds.
    """

    WINDOW = 40
    AT_LEAST = 20
    SHARE = 0.75
    FIRST_OPEN_SECONDS = 5.0
    LONGEST_OPEN_SECONDS = 600.0

    def __init__(self) -> None:
        """Start closed."""
        self.state = "closed"
        self.opened = 0
        self._outcomes: deque[bool] = deque(maxlen=self.WINDOW)
        self._open_for = self.FIRST_OPEN_SECONDS
        self._open_until = 0.0

    def hold(self, now: float) -> float:
        """Seconds until an attempt may ask again; 0 lets it go out, as the probe if need be."""
        if self.state == "closed":
            return 0.0
        if self.state == "half-open":
            return 0.25  # a probe is under way: its outcome is worth waiting for
        if now < self._open_until:
            return self._open_until - now
        self.state = "half-open"
        return 0.0

    def succeeded(self) -> None:
        """An attempt was answered; one from before the breaker opened changes nothing."""
        if self.state == "open":
            return
        if self.state == "half-open":
            self._outcomes.clear()
            self._open_for = self.FIRST_OPEN_SECONDS
        self.state = "closed"
        self._outcomes.append(True)

    def failed(self, now: float, *, at_once: bool) -> bool:
        """An attempt failed; returns whether that opened the breaker."""
        self._outcomes.append(False)
        share = self._outcomes.count(False) / len(self._outcomes)
        if self.state == "open":
            return False
        if (
            at_once
            or self.state == "half-open"
            or (len(self._outcomes) >= self.AT_LEAST and share >= self.SHARE)
        ):
            self.state, self.opened = "open", self.opened + 1
            self._open_until = now + self._open_for
            self._open_for = min(self._open_for * 2, self.LONGEST_OPEN_SECONDS)
            self._outcomes.clear()
            return True
        return False

    def abandoned(self) -> None:
        """A probe ended without an outcome: the next attempt is the probe."""
        if self.state == "half-open":
            self.state = "open"


@dataclass
class Counts:
    """What the pacer saw, for the report."""

    attempts: int = 0
    retries: int = 0
    throttled: int = 0
    blocked_seconds: float = 0.0


class Pacer:
    """The one gate that every attempt of a process goes through. Safe for threads."""

    SLOWEST = 0.1  # requests a second, however often the exchange says "too fast"
    FIRST_BLOCK_SECONDS = 5.0
    LONGEST_BLOCK_SECONDS = 300.0
    BAN_SECONDS = 120.0  # 418 bans start at two minutes
    CREEP = 0.02  # share of the full rate that each success gives back
    BACK_OFF_SECONDS = 0.5
    LONGEST_BACK_OFF_SECONDS = 20.0
    LONGEST_NAP_SECONDS = 1.0  # then it is looked whether the pacer was closed meanwhile

    def __init__(
        self,
        rate: float,
        *,
        burst: int = 4,
        time: Timekeeper | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """Allow `rate` requests a second and at most 4 at once; `time` and `chance` are for tests.

        `deadline`, on the clock of `time`, is when a cycle gives up waiting.
        """
        self.time = time or RealTime()
        self.breaker = Breaker()
        self.counts = Counts()
        self.deadline = float("inf")
        self._full_rate = rate
        self._bucket = Bucket(rate, min(burst, 4))
        self._blocked_until = 0.0
        self._next_block = self.FIRST_BLOCK_SECONDS
        self._changes = 0  # blocks and openings so far: a turn reserved before one is void
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """Requests a second that the bucket gives at present."""
        return self._bucket.rate

    def close(self) -> None:
        """Let no further attempt out: every thread that waits gets `Stopped` within a second."""
        self.deadline = float("-inf")

    def admit(self, stop: threading.Event) -> None:
        """Wait for a turn.

        Raises:
            Stopped: `stop` is set, or the turn would come after the deadline.
        """
        while True:
            with self._lock:
                now = self.time.now()
                hold = self._blocked_until - now
                if hold <= 0:
                    hold = self.breaker.hold(now)
                seen = self._changes
                turn = self._bucket.reserve(now) if hold <= 0 else 0.0
                probing = hold <= 0 and self.breaker.state == "half-open"
            admitted = False
            try:
                self._wait(max(hold, turn), stop)
                with self._lock:
                    admitted = hold <= 0 and seen == self._changes
                    self.counts.attempts += admitted
            finally:
                if probing and not admitted:
                    self.abandoned()
            if admitted:
                return

    def back_off(self, failures: int, stop: threading.Event) -> None:
        """Wait before the try after `failures` failed ones: exponential, with full jitter."""
        with self._lock:
            self.counts.retries += 1
            longest = min(self.LONGEST_BACK_OFF_SECONDS, self.BACK_OFF_SECONDS * 2**failures)
            seconds = self._chance.uniform(0, longest)
        self._wait(seconds, stop)

    def succeeded(self) -> None:
        """An attempt was answered and understood: creep back towards the full rate."""
        with self._lock:
            self.breaker.succeeded()
            self._bucket.rate = min(
                self._full_rate, self._bucket.rate + self.CREEP * self._full_rate
            )
            if self._bucket.rate >= self._full_rate:
                self._next_block = self.FIRST_BLOCK_SECONDS

    def failed(self, reason: str, retry_after: float | None = None) -> None:
        """An attempt failed for `reason`; `retry_after` is what the exchange asked for, seconds."""
        with self._lock:
            now = self.time.now()
            if reason in THROTTLED:
                self._throttle(now, reason, retry_after)
                self.breaker.abandoned()
            elif reason in FORBIDDEN or reason.startswith(_SICK_PREFIXES):
                if retry_after:
                    self._block(now, retry_after)
                if self.breaker.failed(now, at_once=reason in FORBIDDEN):
                    self._changes += 1
                    log.warning("circuit breaker open", extra={"reason": reason})
            else:
                self.breaker.succeeded()

    def abandoned(self) -> None:
        """An admitted attempt ended without an outcome."""
        with self._lock:
            self.breaker.abandoned()

    def _throttle(self, now: float, reason: str, retry_after: float | None) -> None:
        self.counts.throttled += 1
        if retry_after is None:
            retry_after = max(self._next_block, self.BAN_SECONDS if reason == "http_418" else 0.0)
            self._next_block = min(retry_after * 2, self.LONGEST_BLOCK_SECONDS)
        if now >= self._blocked_until:  # the four in flight are throttled together: halve once
            self._bucket.rate = max(self.SLOWEST, self._bucket.rate / 2)
        self._block(now, retry_after)
        log.warning(
            "throttled by the exchange",
            extra={"reason": reason, "blocked_seconds": retry_after, "rate": self._bucket.rate},
        )

    def _block(self, now: float, seconds: float) -> None:
        until = now + seconds
        if until > self._blocked_until:
            self.counts.blocked_seconds += until - max(now, self._blocked_until)
            self._blocked_until = until
            self._bucket.drain(until)
            self._changes += 1

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        until = self.time.now() + seconds
        if stop.is_set() or until > self.deadline:
            raise Stopped
        while (left := until - self.time.now()) > 0:
            self.time.wait(min(left, self.LONGEST_NAP_SECONDS), stop)
            if stop.is_set() or until > self.deadline:
                raise Stopped
