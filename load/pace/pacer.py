"""When a request may go out: the waiting and the counting around a limiter, and the back-off.

Every attempt pays, retries too. All waits go through one `Timekeeper`, so a stop ends them at once
and a test never sleeps. What decides is a `Limiter`: the process's own, or a shared.
"""

import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from load.pace.bans import FILE, LastingLimiter
from load.pace.limiter import BURST, THROTTLED, BreakerState, Limiter, LocalLimiter, Turn
from warehouse.settings import Settings

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The caller asked to stop, or the cycle is over: there is no answer, and no failure either."""


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


@dataclass(frozen=True)
class Bar:
    """Why nothing goes out any more in this cycle, and until when, on the clock of the pacer."""

    reason: str
    until: float


@dataclass
class Counts:
    """What the pacer saw, for the report."""

    attempts: int = 0
    retries: int = 0
    throttled: int = 0
    blocked_seconds: float = 0.0
    waited_seconds: float = 0.0
    """Seconds that attempts waited for their turn, added up over those that waited side by side."""


class Pacer:
    """The one gate that every attempt of a process goes through. Safe for threads."""

    BACK_OFF_SECONDS = 0.5
    LONGEST_BACK_OFF_SECONDS = 20.0
    LONGEST_NAP_SECONDS = 1.0  # then it is looked whether the pacer was closed meanwhile

    def __init__(
        self,
        rate: float,
        *,
        burst: int = BURST,
        time: Timekeeper | None = None,
        chance: random.Random | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        """Allow `rate` requests a second and a few at once, or what `limiter` allows.

        `deadline`, on the clock of `time`, is when a cycle gives up waiting. `time` and `chance`
        are for tests.
        """
        self.time = time or RealTime()
        self.counts = Counts()
        self.deadline = float("inf")
        self.bar: Bar | None = None
        """Set once the exchange keeps us out for longer than the cycle waits."""
        self._limiter = limiter or LocalLimiter(rate, min(burst, BURST), self.time.now)
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._lock = threading.Lock()
        self._own = threading.local()

    @property
    def rate(self) -> float:
        """Requests a second that the limiter gives at present."""
        return self._limiter.rate

    @property
    def breaker(self) -> BreakerState:
        """The circuit breaker, as it was last seen."""
        return self._limiter.breaker

    def open(self, seconds: float) -> None:
        """Begin a cycle, which gives up waiting after so many seconds."""
        self.deadline, self.bar = self.time.now() + seconds, None

    def close(self) -> None:
        """Let no further attempt out: every thread that waits gets `Stopped` within a second."""
        self.deadline = float("-inf")

    def admit(self, stop: threading.Event) -> None:
        """Wait for a turn.

        Raises:
            Stopped: `stop` is set, the turn would come after the deadline, or the exchange keeps
                us out: then nobody else gets one either.
        """
        asked = self.time.now()
        while True:
            self._wait(0, stop)  # who is stopped takes no turn away from others
            turn = self._limiter.reserve()
            held_until = self.time.now() + turn.hold
            if turn.is_barred or (turn.hold > 0 and held_until > self.deadline):
                self.bar = Bar(turn.why, held_until)
                self.close()
            admitted = False
            try:
                self._wait(max(turn.hold, turn.wait), stop)
                admitted = turn.hold <= 0 and (turn.wait <= 0 or self._limiter.is_valid(turn))
            finally:
                if turn.is_probe and not admitted:
                    self._limiter.abandoned(turn)
            if admitted:
                self._own.turn = turn
                with self._lock:
                    self.counts.attempts += 1
                    self.counts.waited_seconds += self.time.now() - asked
                return

    def back_off(self, failures: int, stop: threading.Event) -> None:
        """Wait before the try after `failures` failed ones: exponential, with full jitter."""
        with self._lock:
            self.counts.retries += 1
            longest = min(self.LONGEST_BACK_OFF_SECONDS, self.BACK_OFF_SECONDS * 2**failures)
            seconds = self._chance.uniform(0, longest)
        self._wait(seconds, stop)

    def succeeded(self) -> None:
        """This thread's attempt was answered and understood."""
        self._limiter.succeeded(self._take_turn())

    def failed(self, reason: str, retry_after: float | None = None) -> None:
        """This thread's attempt failed; `retry_after` is what the exchange asked for, seconds."""
        blow = self._limiter.failed(self._take_turn(), reason, retry_after)
        with self._lock:
            self.counts.throttled += reason in THROTTLED
            self.counts.blocked_seconds += blow.blocked_seconds
        if reason in THROTTLED:
            log.warning(
                "throttled by the exchange",
                extra={
                    "reason": reason,
                    "blocked_seconds": blow.blocked_seconds,
                    "rate": self.rate,
                },
            )
        if blow.opened:
            log.warning("circuit breaker open", extra={"reason": reason})

    def abandoned(self) -> None:
        """This thread's attempt ended without an outcome."""
        self._limiter.abandoned(self._take_turn())

    def _take_turn(self) -> Turn | None:
        turn: Turn | None = getattr(self._own, "turn", None)
        self._own.turn = None
        return turn

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        until = self.time.now() + seconds
        if stop.is_set() or until > self.deadline:
            raise Stopped
        while (left := until - self.time.now()) > 0:
            self.time.wait(min(left, self.LONGEST_NAP_SECONDS), stop)
            if stop.is_set() or until > self.deadline:
                raise Stopped


def pacer_of(settings: Settings) -> Pacer:
    """The pacer that the settings ask for: with `REDIS_URL` it shares its limiter with others.

    Raises:
        UserError: that Redis does not answer.
    """
    rate, redis_url = settings.requests_per_second, settings.redis_url
    exchange = urlsplit(settings.api_url).netloc.rpartition("@")[2]
    if redis_url is None:
        return Pacer(rate, limiter=LastingLimiter(rate, settings.home / FILE, exchange))
    from load.pace.shared import SharedLimiter  # its client takes 0.3 s to import

    return Pacer(rate, limiter=SharedLimiter(redis_url.get_secret_value(), exchange, rate))
