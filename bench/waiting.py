"""How long the loader had nothing to do but to wait for the exchange."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import urllib3.connection

from load.book.readers import Readers
from load.exchange import catalogue
from load.land.landing import Landing


class Waiting:
    """Counts the wall seconds in which every reader waited for an answer and nothing landed.

    Time in which one thread waits and another parses, or lands, is the loader's own.
    """

    def __init__(self) -> None:
        """Start with nobody at work."""
        self.seconds = 0.0
        self._working = 0
        self._asking = 0
        self._since = time.perf_counter()
        self._lock = threading.Lock()

    def _shift(self, working: int, asking: int) -> None:
        with self._lock:
            now = time.perf_counter()
            if self._asking and self._asking == self._working:
                self.seconds += now - self._since
            self._since = now
            self._working += working
            self._asking += asking

    @contextmanager
    def working(self) -> Iterator[None]:
        """This thread has something of the cycle to do."""
        self._shift(1, 0)
        try:
            yield
        finally:
            self._shift(-1, 0)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """This thread waits for an answer."""
        self._shift(0, 1)
        try:
            yield
        finally:
            self._shift(0, -1)

    def watch(self) -> None:
        """Look over the loader's shoulder, in this process and for as long as it lives."""
        _surround(Readers, "read_page", self.working)
        _surround(catalogue, "read_fiats", self.working)
        _surround(catalogue, "read_fiat", self.working)
        _surround(Landing, "land", self.working)
        _surround(urllib3.connection.HTTPConnection, "getresponse", self.asking)


def _surround(owner: Any, name: str, context: Callable[[], Any]) -> None:
    real = getattr(owner, name)

    @wraps(real)
    def watched(*arguments: Any, **options: Any) -> Any:
        with context():
            return real(*arguments, **options)

    setattr(owner, name, watched)
