"""How a market's time passes while it is read.

The real one moves all the time. A server that somebody watches follows the clock on the wall; a
test, which does not wait, has every page of the search take what it takes at the default pace.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

SECONDS_A_SEARCH = 0.5
"""At the loader's default pace, two requests a second."""

Clock = Callable[[str], float]
"""The seconds of market time that pass before a request to this endpoint is answered."""


def by_request(seconds: float = SECONDS_A_SEARCH) -> Clock:
    """Each page of the search moves the market by so many seconds, however fast they come."""
    return lambda endpoint: seconds if endpoint == "search" else 0.0


def by_wall_clock(now: Callable[[], float] = time.monotonic) -> Clock:
    """The market keeps pace with `now`, in seconds, from here on."""
    lock = Lock()
    seen = now()

    def passed(_: str) -> float:
        nonlocal seen
        with lock:
            before, seen = seen, now()
            return seen - before

    return passed


def still() -> Clock:
    """Nothing happens while the market is read: it moves by `advance` alone."""
    return lambda _: 0.0
