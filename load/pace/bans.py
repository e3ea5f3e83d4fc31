"""What the exchange asked of this address, kept in `P2P_HOME` for the next process.

Without it each new run would ask again in the middle of a ban, which prolongs it. With Redis the
state is kept there, for all that share the address; see docs/adr/0005-requests.md.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from load.pace.limiter import BURST, Blow, LocalLimiter, Turn, is_forbidden
from warehouse.files import whole_file

log = logging.getLogger(__name__)

FILE = "exchange.json"


class LastingLimiter(LocalLimiter):
    """The limiter of one process, which begins as that of the process before it ended."""

    def __init__(
        self,
        rate: float,
        file: Path,
        exchange: str,
        *,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take over what `file` says of `exchange`, a host; `clock` is the wall's, in seconds."""
        super().__init__(rate, BURST, now)
        self._file, self._exchange, self._clock = file, exchange, clock
        self._is_kept = False
        # What cannot be read, or says something else, is a fresh start.
        with suppress(OSError, ValueError, TypeError, KeyError):
            self._take_over(json.loads(file.read_bytes()))

    def succeeded(self, turn: Turn | None) -> None:
        """An attempt was understood: what the exchange had asked is over."""
        super().succeeded(turn)
        if self._is_kept and self.breaker.state == "closed" and not self.blocked_for():
            self._is_kept = False
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def failed(self, turn: Turn | None, reason: str, retry_after: float | None) -> Blow:
        """An attempt failed: a block, and being forbidden, are kept."""
        blow = super().failed(turn, reason, retry_after)
        if blow.blocked_seconds or (blow.opened and is_forbidden(reason)):
            self._keep()
        return blow

    def _keep(self) -> None:
        with self._lock:
            now, is_forbidden = self._now(), self.breaker.is_forbidden
            kept = {
                "exchange": self._exchange,
                "reason": self.why,
                "noted_at": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
                "blocked_seconds": self.blocked_for(),
                "open_seconds": self.breaker.open_left(now) if is_forbidden else 0.0,
                "next_open_seconds": self.breaker.open_for if is_forbidden else 0.0,
                "rate_share": self.rate / self.full_rate,
            }
            self._is_kept = True
            try:
                with whole_file(self._file) as stream:
                    os.fchmod(stream.fileno(), 0o600)
                    stream.write(json.dumps(kept, indent=1).encode())
            except OSError as error:
                log.warning("a ban cannot be saved for the next run", extra={"why": str(error)})

    def _take_over(self, kept: dict[str, object]) -> None:
        """Begin as it was kept; nothing lasts longer than it did when it was noted.

        So a clock that was ahead then, and is set right, leaves no ban of days behind.
        """
        if kept["exchange"] != self._exchange:
            return
        numbers = ("blocked_seconds", "open_seconds", "next_open_seconds", "rate_share")
        blocked, open_left, next_open, share = (float(str(kept[name])) for name in numbers)
        passed = max(0.0, self._clock() - datetime.fromisoformat(str(kept["noted_at"])).timestamp())
        self.slow_down(share, blocked - passed, str(kept["reason"]))
        if next_open:
            self.breaker.reopen(self._now(), open_left - passed, next_open)
        self.why, self._is_kept = str(kept["reason"]), True
