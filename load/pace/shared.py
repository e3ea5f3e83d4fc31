"""The limiter that all share who run on one egress address: its state and its clock are Redis's.

A reservation is one script: who asks first has the next turn, and learns how long to wait for
it; nobody polls. The rules are those of `load.pace.limiter`, written once more in Lua: deciding
has to happen where the state is (a test holds the two to each other). When Redis stops answering,
each process goes on alone, at its part of the rate; see docs/adr/0005-requests.md.
"""

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from load.pace import limiter
from load.pace.limiter import THROTTLED, Blow, Breaker, LocalLimiter, Turn, is_forbidden, is_sick
from load.text import printable
from warehouse.errors import UserError

log = logging.getLogger(__name__)

# At ten a second a larger burst would make it more than twelve in some second.
BURST = 2
ANSWER_SECONDS = 1.0
ASK_AGAIN_SECONDS = 10.0
PEER_SECONDS = 600
KEEP_SECONDS = 8 * 86_400  # longer than the longest block that the exchange can ask for

# The time in seconds. Not the clients' clocks: those differ, and each difference is a burst.
SERVER_CLOCK = "local t = redis.call('TIME'); local clock = t[1] + t[2] / 1e6"

_READ = f"""
local s = {{full_at = 0, share = 1, blocked = 0, next_block = {limiter.FIRST_BLOCK_SECONDS},
    changes = 0, state = 'closed', opened = 0, open_for = {Breaker.FIRST_OPEN_SECONDS},
    open_until = 0, probe_until = 0, outcomes = '', last = 0, skew = 0, forbidden = 0, why = ''}}
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do s[stored[i]] = tonumber(stored[i + 1]) or stored[i + 1] end
s.skew = math.max(s.skew, s.last - clock) -- the server's clock was set back: ours stands still
local now = clock + s.skew
s.last = now
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
"""

_RESERVE = f"""
local hold, wait, at, is_probe = s.blocked - now, 0, 0, 0
local is_barred = hold > {limiter.BAN_SECONDS} and 1 or 0
if hold <= 0 and s.state ~= 'closed' then
    local is_lasting = s.forbidden == 1 and s.open_for >= {Breaker.LASTING_SECONDS}
    is_barred = s.state == 'open' and now < s.open_until and is_lasting and 1 or 0
    hold = s.state == 'open' and s.open_until - now
        or now < s.probe_until and {limiter.POLL_SECONDS} or 0
    if hold <= 0 then
        s.state, s.changes, is_probe = 'half-open', s.changes + 1, 1
        s.probe_until = now + {Breaker.PROBE_SECONDS}
    end
end
if hold <= 0 then
    local step = 1 / (rate * s.share)
    s.full_at = math.max(s.full_at, now) + step
    wait = math.max(0, s.full_at - burst * step - now)
    at = now + wait
end
redis.call('ZADD', KEYS[2], now, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - {PEER_SECONDS})
redis.call('EXPIRE', KEYS[2], {PEER_SECONDS})
local said = {{math.max(hold, 0), wait, is_probe, at, redis.call('ZCARD', KEYS[2]), is_barred}}
"""

_OUTCOME = f"""
local kind, seen, seconds, share = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local why, is_late = ARGV[7], seen >= 0 and seen ~= s.changes
local grown, opened = 0, 0
local function block()
    local ends = now + seconds
    if seconds > 0 and ends > s.blocked then
        grown, s.blocked, s.changes = ends - math.max(now, s.blocked), ends, s.changes + 1
        s.why = why
        s.full_at = math.max(s.full_at, ends + (burst - 1) / (rate * s.share))
    end
end
local function abandon()
    if s.state == 'half-open' then s.state = 'open' end
end
local function answered()
    if s.state == 'open' or is_late and s.state == 'half-open' then return end
    if s.state == 'half-open' then
        s.outcomes, s.open_for = '', {Breaker.FIRST_OPEN_SECONDS}
    end
    s.state, s.outcomes = 'closed', string.sub(s.outcomes .. 's', -{Breaker.WINDOW})
end
local function failed()
    if s.state == 'open' or is_late and s.state == 'half-open' then return end
    s.outcomes = string.sub(s.outcomes .. 'f', -{Breaker.WINDOW})
    local _, failures = string.gsub(s.outcomes, 'f', '')
    if kind == 'forbidden' or s.state == 'half-open' or #s.outcomes >= {Breaker.AT_LEAST}
        and failures / #s.outcomes >= {Breaker.SHARE} then
        s.state, s.outcomes, opened = 'open', '', 1
        s.opened, s.changes, s.why = s.opened + 1, s.changes + 1, why
        s.open_until = now + s.open_for
        s.open_for = math.min(s.open_for * 2, {Breaker.LONGEST_OPEN_SECONDS})
        s.forbidden = kind == 'forbidden' and 1 or 0
    end
end
if kind == 'understood' then
    answered()
    if not is_late then
        s.share = math.min(1, s.share + {limiter.CREEP})
        if s.share >= 1 then s.next_block = {limiter.FIRST_BLOCK_SECONDS} end
    end
elseif kind == 'answered' then
    answered()
elseif kind == 'throttled' or kind == 'banned' then
    local is_first = not is_late and now >= s.blocked
    if seconds <= 0 then
        seconds = math.max(is_first and s.next_block or 0,
            kind == 'banned' and {limiter.BAN_SECONDS} or 0)
        if is_first then s.next_block = math.min(seconds * 2, {limiter.LONGEST_BLOCK_SECONDS}) end
    end
    if is_first then s.share = math.max(math.min(1, {limiter.SLOWEST} / rate), s.share / 2) end
    abandon()
    block()
elseif kind == 'forbidden' or kind == 'sick' then
    block()
    failed()
elseif kind == 'abandoned' then
    if not is_late then abandon() end
elseif kind == 'slow down' then
    s.share = math.min(s.share, share)
    block()
end
local said = {{grown, opened}}
"""

_WRITE = f"""
local fields = {{}}
for name, value in pairs(s) do
    fields[#fields + 1] = name
    fields[#fields + 1] = type(value) == 'number' and string.format('%.17g', value) or value
end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('EXPIRE', KEYS[1], {KEEP_SECONDS})
local rest = s.state == 'open' and math.max(0, s.open_until - now) or 0
for _, value in ipairs({{s.changes, s.share, math.max(s.blocked - now, rest)}}) do
    said[#said + 1] = value
end
for i, value in ipairs(said) do said[i] = string.format('%.17g', value) end
said[#said + 1], said[#said + 2] = s.state, s.why
return said
"""


@dataclass
class SharedBreaker:
    """The breaker that all share: its state as last seen, and how often this process opened it."""

    state: str = "closed"
    opened: int = 0


class SharedLimiter:
    """The limiter of all processes that name the same Redis and exchange. Safe for threads."""

    def __init__(
        self,
        url: str,
        exchange: str,
        rate: float,
        *,
        now: Callable[[], float] = time.monotonic,
        clock: str = SERVER_CLOCK,
    ) -> None:
        """Share `rate` requests a second towards `exchange`, a host, over the Redis at `url`.

        `now` is this process's clock, for when it is alone; `clock` is for tests.

        Raises:
            UserError: Redis does not answer, or not as it should.
        """
        self._full_rate, self._now = rate, now
        self._keys = [f"p2p:pacing:{{{exchange}}}", f"p2p:pacing:{{{exchange}}}:peers"]
        self._name = f"{platform.node()}:{os.getpid()}"
        self._lock = threading.Lock()
        self._shared_breaker = SharedBreaker()
        self._share, self._peers, self._blocked_until, self._why = 1.0, 1, 0.0, ""
        self._alone: LocalLimiter | None = None
        self._ask_at = 0.0
        try:
            # One try more, at once: a connection that was idle may be gone. A turn that is taken
            # twice by it is one too few for us, never one too many for the exchange.
            self._redis = Redis.from_url(
                url,
                socket_connect_timeout=ANSWER_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 1),
                decode_responses=True,
            )
            self._reservation = self._redis.register_script(clock + _READ + _RESERVE + _WRITE)
            self._outcome = self._redis.register_script(clock + _READ + _OUTCOME + _WRITE)
            self._learn(self._outcome(self._keys, [rate, BURST, "look", -1, 0, 1, ""])[2:])
        except (RedisError, OSError, TypeError, ValueError) as error:
            raise UserError(
                f"REDIS_URL: no pace can be shared over this Redis ({_first_line(error)}): start "
                "it or correct the address, or unset REDIS_URL for a pace of this process's own."
            ) from None

    @property
    def rate(self) -> float:
        """Requests a second that all get together, or this process while it is alone."""
        alone = self._alone
        return alone.rate if alone else self._full_rate * self._share

    @property
    def breaker(self) -> limiter.BreakerState:
        """The breaker as it was last seen."""
        alone = self._alone
        return alone.breaker if alone else self._shared_breaker

    def reserve(self) -> Turn:
        """Take the next turn of all, or learn how long nothing may go out."""
        said = self._ask(lambda: self._reservation(self._keys, [*self._terms, self._name]))
        if said is None:
            return self._reserve_alone()
        hold, wait, is_probe, at, peers, is_barred = map(float, said[:6])
        with self._lock:
            self._peers = int(peers)
            self._learn(said[6:])
        why = self._why if hold > 0 else ""
        return Turn(hold, wait, int(said[6]), is_probe > 0, at=at, why=why, is_barred=is_barred > 0)

    def is_valid(self, turn: Turn) -> bool:
        """Whether nobody was blocked, and nothing opened, since `turn` was reserved."""
        if turn.is_alone:
            alone = self._alone
            return alone is not None and alone.is_valid(turn)
        changes = self._ask(lambda: [str(self._redis.hget(self._keys[0], "changes"))])
        return changes == [str(turn.changes)]

    def succeeded(self, turn: Turn | None) -> None:
        """An attempt was answered and understood: all creep back towards the full rate."""
        if not self._tell("understood", turn) and self._alone:
            self._alone.succeeded(_own(turn))

    def failed(self, turn: Turn | None, reason: str, retry_after: float | None) -> Blow:
        """An attempt failed: throttle all, open the breaker for all, or note a living server."""
        if reason in THROTTLED:
            kind = "banned" if reason == "http_418" else "throttled"
        elif is_forbidden(reason):
            kind = "forbidden"
        else:
            kind = "sick" if is_sick(reason) else "answered"
        said = self._tell(kind, turn, retry_after or 0.0, reason)
        if said:
            opened = said[1] == "1"
            with self._lock:
                self._shared_breaker.opened += opened
            return Blow(float(said[0]), opened)
        alone = self._alone
        return alone.failed(_own(turn), reason, retry_after) if alone else Blow()

    def abandoned(self, turn: Turn | None) -> None:
        """An attempt ended without an outcome."""
        if not self._tell("abandoned", turn) and self._alone:
            self._alone.abandoned(_own(turn))

    @property
    def _terms(self) -> list[float]:
        return [self._full_rate, BURST]

    def _reserve_alone(self) -> Turn:
        alone = self._alone
        if alone is None:  # Redis came back this very moment
            return Turn(limiter.POLL_SECONDS, 0.0, -1, is_alone=True)
        return replace(alone.reserve(), is_alone=True)

    def _tell(
        self, kind: str, turn: Turn | None, seconds: float = 0.0, why: str = ""
    ) -> Sequence[str] | None:
        seen = -1 if turn is None or turn.is_alone else turn.changes
        said = self._ask(
            lambda: self._outcome(self._keys, [*self._terms, kind, seen, seconds, 1.0, why])
        )
        if said is not None:
            with self._lock:
                self._learn(said[2:])
        return said

    def _learn(self, said: Sequence[str]) -> None:
        self._share, self._blocked_until = float(said[1]), self._now() + float(said[2])
        self._shared_breaker.state, self._why = said[3:5]

    def _ask(self, question: Callable[[], Sequence[str]]) -> Sequence[str] | None:
        """What Redis says; None when it does not answer, or did not shortly before."""
        with self._lock:
            alone = self._alone
            if alone:
                if self._now() < self._ask_at:
                    return None
                self._ask_at = self._now() + ASK_AGAIN_SECONDS  # one thread tries, nobody waits
        try:
            if alone:
                self._come_back(alone)
            return question()
        except (RedisError, OSError) as error:
            with self._lock:
                self._go_on_alone(error)
            return None

    def _come_back(self, alone: LocalLimiter) -> None:
        """Tell all what was learnt alone, before anything is asked."""
        share, why = alone.rate / alone.full_rate, alone.why
        self._outcome(self._keys, [*self._terms, "slow down", -1, alone.blocked_for(), share, why])
        with self._lock:
            self._alone, self._shared_breaker.opened = None, alone.breaker.opened
        log.warning("pacing is shared again")

    def _go_on_alone(self, error: Exception) -> None:
        self._ask_at = self._now() + ASK_AGAIN_SECONDS
        if self._alone:
            return
        self._alone = LocalLimiter(self._full_rate / self._peers, 1, self._now)
        self._alone.breaker.opened = self._shared_breaker.opened
        self._alone.slow_down(self._share, self._blocked_until - self._now(), self._why)
        log.warning(
            "Redis does not answer: pacing alone, at this process's part of the rate",
            extra={"reason": _first_line(error), "peers": self._peers, "rate": self._alone.rate},
        )


def _own(turn: Turn | None) -> Turn | None:
    """The turn, if the process took it from a limiter of its own."""
    return turn if turn is not None and turn.is_alone else None


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])[:200] or type(error).__name__
