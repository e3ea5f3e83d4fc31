"""What a cycle tells: while it runs, and at its end."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from load.book.drift import Drift
from load.book.reading import Reading


@dataclass(frozen=True)
class Progress:
    """How far a cycle is."""

    books_done: int
    books_total: int
    pages: int
    offers: int
    message: str


@dataclass
class CycleReport:
    """What a cycle did."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None = None
    is_simulated: bool | None = None
    """Whether a simulated exchange gave what has landed; None while nothing has."""
    resumed: bool = False
    """It went on with an interrupted cycle: what that one had landed was not read again."""
    stopped: bool = False
    """It was asked to stop before it had read all it planned."""
    books_listed: int = 0
    books_planned: int = 0
    books_read: int = 0
    books_complete: int = 0
    books_unchanged: int = 0
    books_cut_short: int = 0
    """Planned, and left for the next cycle: stopped, or the interval was over."""
    incomplete_reasons: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    pages_landed: int = 0
    offers: int = 0
    cleaned_characters: int = 0
    unlisted: list[str] = field(default_factory=list)
    """Fiats asked for that the exchange lists no book of."""
    dropped_codes: int = 0
    """Fiats, assets and methods of the catalogue whose code is none."""
    new_fields: list[str] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    catalogue_readings: int = 0
    catalogue_incomplete: int = 0
    beside: dict[str, str] = field(default_factory=dict)
    """What came of `official_rates` and `spot_prices`: see `load.rates.beside.Beside.outcomes`."""
    attempts: int = 0
    retries: int = 0
    throttled: int = 0
    blocked_seconds: float = 0.0
    waited_seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Requests by `ops.tally.OUTCOMES`."""
    request_seconds: dict[str, float | list[int]] = field(default_factory=dict)
    """How long they took: `sum`, and `buckets` by `ops.tally.BOUNDS`."""
    breaker_opened: int = 0
    breaker_state: str = "closed"
    requests_per_second: float = 0.0
    """What the limiter gives at the end: less than the setting after being throttled."""
    bytes_read: int = 0
    load_ids: list[str] = field(default_factory=list)
    recovered: str = "nothing"
    """What was found of an earlier run: `nothing`, `finished`, `aborted` or `dropped` packages."""
    books_corrected: int = 0
    """Books whose state did not agree with the warehouse."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By step: recover, catalogue, read (landing included), land."""

    def add(self, reading: Reading) -> None:
        """Count a reading that has landed."""
        self.books_read += 1
        self.books_complete += reading.is_complete
        self.books_unchanged += reading.is_unchanged
        if reading.reason:
            self.incomplete_reasons[reading.reason] += 1
        self.pages += reading.pages_read
        self.pages_landed += len(reading.pages)
        self.offers += reading.offers_distinct + reading.offers_unnumbered
        self.cleaned_characters += reading.cleaned
