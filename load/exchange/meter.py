"""How the exchange is to a cycle, read off its pacer and told while the cycle runs."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from typing import TypeVar

from load.exchange.calls import Exchange
from load.pace.pacer import Pacer
from load.report import CycleReport

PULSE_SECONDS = 10.0

Result = TypeVar("Result")


class Meter:
    """Counts for one cycle; its pacer may serve others before and after it."""

    def __init__(
        self,
        pacer: Pacer,
        exchange: Exchange,
        report: CycleReport,
        on_pulse: Callable[[CycleReport], None],
    ) -> None:
        """Begin to count into `report`, and tell `on_pulse` every `PULSE_SECONDS` at most."""
        self._pacer, self._exchange, self._report = pacer, exchange, report
        self._before, self._opened = replace(pacer.counts), pacer.breaker.opened
        self._on_pulse, self._due_at = on_pulse, time.monotonic() + PULSE_SECONDS

    def read(self) -> None:
        """Bring the report up to date."""
        counts, before, report = self._pacer.counts, self._before, self._report
        report.attempts = counts.attempts - before.attempts
        report.retries = counts.retries - before.retries
        report.throttled = counts.throttled - before.throttled
        report.blocked_seconds = counts.blocked_seconds - before.blocked_seconds
        report.waited_seconds = counts.waited_seconds - before.waited_seconds
        report.breaker_opened = self._pacer.breaker.opened - self._opened
        report.breaker_state = self._pacer.breaker.state
        report.requests_per_second = self._pacer.rate
        report.bytes_read = self._exchange.bytes_read
        report.outcomes, report.request_seconds = self._exchange.tally.told()

    def first_of(
        self, futures: set[Future[Result]]
    ) -> tuple[set[Future[Result]], set[Future[Result]]]:
        """Those that are done and those that are not, once one is; pulses go on meanwhile."""
        while True:
            done, waiting = wait(futures, timeout=PULSE_SECONDS, return_when=FIRST_COMPLETED)
            if time.monotonic() >= self._due_at:
                self.pulse()
            if done:
                return done, waiting

    def pulse(self) -> None:
        """Tell now how it stands."""
        self._due_at = time.monotonic() + PULSE_SECONDS
        self.read()
        self._on_pulse(self._report)
