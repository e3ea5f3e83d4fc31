"""What all that run on one egress address have in common: turns, blocks, the rate, the breaker.

A `Limiter` decides, and never waits. `LocalLimiter` is one process's; `load.pace.shared` has the
one that processes share. Both follow the same rules, with the constants that stand here.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

THROTTLED = frozenset({"http_429", "http_418"})
_FORBIDDEN_PREFIXES = ("http_403", "http_451", "challenge_")
# An answer that is merely wrong (a code, a shape) shows a server that lives.
_SICK_PREFIXES = ("http_5", "timeout", "connection")

BURST = 4  # requests at once, of one process: as many as are under way together
SLOWEST = 0.1  # requests a second, however often the exchange says "too fast"
FIRST_BLOCK_SECONDS = 5.0
LONGEST_BLOCK_SECONDS = 300.0
BAN_SECONDS = 120.0  # 418 bans start at two minutes, and no cycle waits for a longer block
CREEP = 0.02  # share of the full rate that each success gives back
POLL_SECONDS = 0.25  # a probe's outcome is worth waiting for


def is_forbidden(reason: str) -> bool:
    """Whether a failure says that this address is not to ask: asking again makes it worse."""
    return reason.startswith(_FORBIDDEN_PREFIXES)


def is_sick(reason: str) -> bool:
    """Whether a failure tells of a server that does not live."""
    return reason.startswith(_SICK_PREFIXES)


@dataclass(frozen=True)
class Turn:
    """What `Limiter.reserve` says.

    `hold` above 0 is for how many seconds nothing may go out, and no turn was taken. Otherwise the
    turn comes in `wait` seconds, at the time `at` of the limiter's own clock. `changes` counts the
    blocks and openings so far: a turn that was reserved before one of them is void. `why` is the
    reason of the last of them; `is_barred` says that `hold` is too long for a cycle to wait.
    """

    hold: float
    wait: float
    changes: int
    is_probe: bool = False
    is_alone: bool = False
    at: float = 0.0
    why: str = ""
    is_barred: bool = False


@dataclass(frozen=True)
class Blow:
    """What a failure led to: the seconds that the block grew by, and if the breaker opened."""

    blocked_seconds: float = 0.0
    opened: bool = False


class BreakerState(Protocol):
    """What there is to tell of a breaker."""

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""

    @property
    def opened(self) -> int:
        """How often it opened."""


class Limiter(Protocol):
    """The one gate. `turn` is that of the attempt that ended; None counts as an attempt of now."""

    @property
    def rate(self) -> float:
        """Requests a second that are given at present."""

    @property
    def breaker(self) -> BreakerState:
        """The breaker as it was last seen."""

    def reserve(self) -> Turn:
        """Take the next turn, first come, first served, or learn how long nothing may go out."""

    def is_valid(self, turn: Turn) -> bool:
        """Whether an attempt may go out on `turn`, which has come."""

    def succeeded(self, turn: Turn | None) -> None:
        """An attempt was answered and understood."""

    def failed(self, turn: Turn | None, reason: str, retry_after: float | None) -> Blow:
        """An attempt failed; `retry_after` is what the exchange asked for, in seconds."""

    def abandoned(self, turn: Turn | None) -> None:
        """An attempt ended without an outcome."""


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
    LASTING_SECONDS = 40.0  # what the next opening would last after three in a row
    PROBE_SECONDS = 120.0  # a probe without an outcome for so long is lost: its process was killed

    def __init__(self) -> None:
        """Start closed."""
        self.state = "closed"
        self.opened = 0
        self.is_forbidden = False
        """It was being forbidden that opened it last."""
        self.open_for = self.FIRST_OPEN_SECONDS
        """Seconds of the next opening."""
        self._outcomes: deque[bool] = deque(maxlen=self.WINDOW)
        self._open_until = 0.0
        self._probe_until = 0.0

    def hold(self, now: float) -> float:
        """Seconds until an attempt may ask again; 0 lets it go out, as the probe if need be."""
        if self.state == "closed":
            return 0.0
        if self.state == "half-open" and now < self._probe_until:
            return POLL_SECONDS
        if self.state == "open" and now < self._open_until:
            return self._open_until - now
        self.state = "half-open"
        self._probe_until = now + self.PROBE_SECONDS
        return 0.0

    def succeeded(self) -> None:
        """An attempt was answered; one from before the breaker opened changes nothing."""
        if self.state == "open":
            return
        if self.state == "half-open":
            self._outcomes.clear()
            self.open_for = self.FIRST_OPEN_SECONDS
        self.state = "closed"
        self._outcomes.append(True)

    def failed(self, now: float, *, at_once: bool) -> bool:
        """An attempt failed; returns whether that opened the breaker."""
        if self.state == "open":
            return False
        self._outcomes.append(False)
        share = self._outcomes.count(False) / len(self._outcomes)
        if (
            at_once
            or self.state == "half-open"
            or (len(self._outcomes) >= self.AT_LEAST and share >= self.SHARE)
        ):
            self.state, self.opened = "open", self.opened + 1
            self._open_until = now + self.open_for
            self.open_for = min(self.open_for * 2, self.LONGEST_OPEN_SECONDS)
            self.is_forbidden = at_once
            self._outcomes.clear()
            return True
        return False

    @property
    def is_lasting(self) -> bool:
        """Open for being forbidden three times in a row, the last two by its probes."""
        is_long = self.open_for >= self.LASTING_SECONDS
        return self.state == "open" and self.is_forbidden and is_long

    def open_left(self, now: float) -> float:
        """Seconds until the next attempt may probe."""
        return max(0.0, self._open_until - now) if self.state == "open" else 0.0

    def reopen(self, now: float, seconds: float, open_for: float) -> None:
        """Be open for so long yet, as another's breaker was that was forbidden."""
        self.state, self.is_forbidden = "open", True
        self.open_for, self._open_until = open_for, now + seconds

    def abandoned(self) -> None:
        """A probe ended without an outcome: the next attempt is the probe."""
        if self.state == "half-open":
            self.state = "open"


class LocalLimiter:
    """The limiter of one process. Safe for threads."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float]) -> None:
        """Allow `rate` requests a second, and `burst` at once; `now` is a clock in seconds."""
        self.breaker = Breaker()
        self.full_rate = rate
        self._bucket = Bucket(rate, burst)
        self._now = now
        self._blocked_until = 0.0
        self._next_block = FIRST_BLOCK_SECONDS
        self.why = ""
        """The reason of the last block or opening."""
        self._changes = 0
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """Requests a second that are given at present."""
        return self._bucket.rate

    def blocked_for(self) -> float:
        """Seconds for which everyone is blocked still."""
        return max(0.0, self._blocked_until - self._now())

    def slow_down(self, share: float, blocked_seconds: float, why: str) -> None:
        """Take over a share of the full rate, and a block, from another limiter."""
        with self._lock:
            self._bucket.rate = min(self._bucket.rate, share * self.full_rate)
            self._block(self._now(), blocked_seconds, why)

    def reserve(self) -> Turn:
        """Take the next turn, or learn how long nothing may go out."""
        with self._lock:
            now = self._now()
            hold = self._blocked_until - now
            is_barred = hold > BAN_SECONDS
            if hold <= 0:
                hold = self.breaker.hold(now)
                is_barred = self.breaker.is_lasting
            if hold > 0:
                return Turn(hold, 0.0, self._changes, why=self.why, is_barred=is_barred)
            is_probe = self.breaker.state == "half-open"
            self._changes += is_probe
            wait = self._bucket.reserve(now)
            return Turn(0.0, wait, self._changes, is_probe, at=now + wait)

    def is_valid(self, turn: Turn) -> bool:
        """Whether nothing was blocked or opened since `turn` was reserved."""
        return turn.changes == self._changes

    def succeeded(self, turn: Turn | None) -> None:
        """An attempt was answered and understood: creep back towards the full rate."""
        with self._lock:
            is_late = self._is_late(turn)
            self._answered(is_late)
            if is_late:
                return
            self._bucket.rate = min(self.full_rate, self._bucket.rate + CREEP * self.full_rate)
            if self._bucket.rate >= self.full_rate:
                self._next_block = FIRST_BLOCK_SECONDS

    def failed(self, turn: Turn | None, reason: str, retry_after: float | None) -> Blow:
        """An attempt failed: throttle, open the breaker, or note a server that lives."""
        with self._lock:
            now, is_late = self._now(), self._is_late(turn)
            if reason in THROTTLED:
                return Blow(self._throttle(now, reason, retry_after, is_late))
            if is_forbidden(reason) or is_sick(reason):
                blocked = self._block(now, retry_after or 0.0, reason)
                if is_late and self.breaker.state == "half-open":
                    return Blow(blocked)  # only the probe says how the exchange is now
                opened = self.breaker.failed(now, at_once=is_forbidden(reason))
                if opened:
                    self._changes, self.why = self._changes + 1, reason
                return Blow(blocked, opened)
            self._answered(is_late)
            return Blow()

    def abandoned(self, turn: Turn | None) -> None:
        """An attempt ended without an outcome."""
        with self._lock:
            if not self._is_late(turn):
                self.breaker.abandoned()

    def _is_late(self, turn: Turn | None) -> bool:
        """Whether an attempt went out before the last block or opening."""
        return turn is not None and turn.changes != self._changes

    def _answered(self, is_late: bool) -> None:
        if not (is_late and self.breaker.state == "half-open"):
            self.breaker.succeeded()

    def _throttle(self, now: float, reason: str, retry_after: float | None, is_late: bool) -> float:
        # All that are in flight are throttled together: that counts once.
        is_first = not is_late and now >= self._blocked_until
        if not retry_after:
            retry_after = max(
                self._next_block if is_first else 0.0, BAN_SECONDS if reason == "http_418" else 0.0
            )
            if is_first:
                self._next_block = min(retry_after * 2, LONGEST_BLOCK_SECONDS)
        if is_first:
            slowest = min(SLOWEST, self.full_rate)
            self._bucket.rate = max(slowest, self._bucket.rate / 2)
        self.breaker.abandoned()
        return self._block(now, retry_after, reason)

    def _block(self, now: float, seconds: float, why: str) -> float:
        """Block everyone; returns by how many seconds the block grew."""
        until = now + seconds
        if seconds <= 0 or until <= self._blocked_until:
            return 0.0
        grown = until - max(now, self._blocked_until)
        self._blocked_until, self.why = until, why
        self._bucket.drain(until)
        self._changes += 1
        return grown
