"""One reading of one book: what its pages add up to, and how far the result can be trusted.

Complete means that every page from the first to the end was read and understood, and that hardly an
offer is missing: of the smallest total that the pages announced at most 1% was not met. The book
moves while it is read, so a few offers slide over a page edge unseen, and a book of a thousand is
no worse for it. A larger shortfall is believed when the next reading shows it again: the exchange
counts offers that it does not list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

import orjson
import pyarrow as pa  # type: ignore[import-untyped]

from load.book.drift import Shape, Watch
from load.book.offers import digest, fingerprint, new_fields, offer_number
from load.book.pagination import Pagination
from load.exchange.calls import Answer
from load.land.state import SUDDENLY_EMPTY, Book, BookState, from_microseconds, to_microseconds
from load.plan.sketch import differing, sketch

MOST_BYTES = 64_000_000
SHORT = "short_of_announced"
MISSING_PERCENT = 1
"""Of the announced offers, how many may be missing from a complete reading, rounded down."""
SAME_SHORTFALL = 0.01
"""How far two shortfalls, as shares of the announced, may differ and count as one."""
_CODEC = "lz4"
_MOST_NEW_FIELDS = 100
_MEMORY_HOURS = 24.0  # what is so old counts half: habits change
_MOST_SHARE = 0.9  # that a reading is believed to have changed: beyond, it tells no rate


@dataclass(frozen=True)
class Page:
    """One page as it lands."""

    number: int
    requested_at: datetime
    received_at: datetime
    announced_total: int | None
    offers: int
    cleaned: int
    sha256: str
    size: int
    """Bytes of the body."""
    packed: bytes
    """The body, compressed to a tenth: the largest books have 20 MB, and four are read at once."""

    @staticmethod
    def pack(body: bytes) -> bytes:
        """Make of a body what a page keeps of it."""
        return cast(bytes, pa.compress(body, codec=_CODEC, asbytes=True))

    @property
    def body(self) -> bytes:
        """The answer, verbatim but for cleaned characters."""
        return cast(bytes, pa.decompress(self.packed, self.size, codec=_CODEC, asbytes=True))


@dataclass
class Reading:
    """One row of `staging.snapshots` and the pages that go with it."""

    book: Book
    started_us: int
    finished_at: datetime
    pages: list[Page] = field(default_factory=list)
    pages_read: int = 0
    announced_total: int | None = None
    offers_seen: int = 0
    offers_distinct: int = 0
    offers_unnumbered: int = 0
    offers_missing: int = 0
    """Announced by every page, and not met."""
    shortfall: float = 0.0
    """The missing as a share of the announced, if more are missing than may be; else 0."""
    requests: int = 0
    cleaned: int = 0
    reason: str | None = None
    fingerprint: str | None = None
    sketch: str = ""
    same_as: str | None = None
    new_fields: dict[str, str] = field(default_factory=dict)
    shape: Shape = field(default_factory=Shape)

    @property
    def snapshot_id(self) -> str:
        """Unique: no two readings of a book start at one time."""
        return self.book.snapshot_id(self.started_us)

    @property
    def started_at(self) -> datetime:
        """When the reading began."""
        return from_microseconds(self.started_us)

    @property
    def is_complete(self) -> bool:
        """Whether the whole book was read."""
        return self.reason is None

    @property
    def is_unchanged(self) -> bool:
        """Whether it says what the reading before it said."""
        return self.same_as is not None

    @property
    def duplicates(self) -> int:
        """Offers met more than once."""
        return self.offers_seen - self.offers_distinct - self.offers_unnumbered

    def refuse(self, reason: str) -> None:
        """Keep the row and let the pages go: they cannot land."""
        self.pages, self.reason, self.fingerprint, self.same_as = [], reason, None, None


class OpenReading:
    """A reading under way. Its pages may come in any order, and from any thread, one at a time."""

    def __init__(
        self, book: Book, known: BookState, clock: Callable[[], datetime], watch: Watch
    ) -> None:
        """Begin to read `book`, of which `known` is known, at the time of `clock`."""
        # Strictly later than the reading before, also when the clock was set back.
        started_us = max(to_microseconds(clock()), known.read_us + 1_000)
        self.pages = Pagination()
        self.requests = 0
        self._reading = Reading(
            book, started_us, from_microseconds(started_us), shape=Shape(watch.known)
        )
        self._known, self._clock = known, clock
        self._digests: list[tuple[str, bytes]] = []
        self._numbers: set[str] = set()
        self._bytes = 0
        self._reason: str | None = None

    def believes(self, number: int, answer: Answer) -> bool:
        """Whether an answer can be what it seems: one without offers may be a passing fault."""
        if answer.data:
            return True
        if number == 1:
            return self.pages.is_end(1, answer.total) and not self._known.offers
        return self.pages.is_end(number, answer.total) or self._known.shortfall > 0

    def add(self, number: int, answer: Answer) -> None:
        """Take in a page."""
        reading = self._reading
        self.pages.answered(number, len(answer.data), answer.total)
        try:
            for item in answer.data:
                if reading.shape.add(item):  # before its digest is taken, which takes a key away
                    _note_new_fields(item, reading)
            said = [(offer_number(item), digest(item)) for item in answer.data]
        except orjson.JSONEncodeError:
            self.fail("too_deep")
            return
        numbers = [known for known, _ in said if known is not None]
        self._numbers.update(numbers)
        self._digests += [(known or "", content) for known, content in said]
        reading.pages.append(_page(number, answer))
        reading.offers_seen += len(said)
        reading.offers_unnumbered += len(said) - len(numbers)
        reading.cleaned += answer.cleaned
        self._bytes += len(answer.body)
        if self._bytes > MOST_BYTES:
            self.fail("too_large")

    def fail(self, reason: str) -> None:
        """A page cannot be had, or not be used: ask for no further one, keep what was read."""
        self._reason = self._reason or reason
        self.pages.close()

    def close(self) -> Reading:
        """What was read, and whether that is the whole book."""
        reading = self._reading
        reading.finished_at = max(self._clock(), reading.started_at)
        reading.shape.pack()
        reading.pages.sort(key=lambda page: page.number)
        reading.pages_read, reading.requests = len(reading.pages), self.requests
        reading.announced_total = reading.pages[-1].announced_total if reading.pages else None
        reading.offers_distinct = len(self._numbers)
        announced = self.pages.smallest_total or 0
        missing = announced - reading.offers_distinct - reading.offers_unnumbered
        reading.offers_missing = max(0, missing)
        reading.reason = self._reason or self._judged(announced)
        if reading.reason is None:
            self._recognise()
        return reading

    def _judged(self, announced: int) -> str | None:
        reading, known = self._reading, self._known
        if self.pages.is_too_long:
            return "too_many_pages"
        is_cut = self.pages.is_at_odds or self.pages.has_hole
        if is_cut or reading.offers_missing * 100 > announced * MISSING_PERCENT:
            reading.shortfall = reading.offers_missing / max(1, announced)
            is_seen_again = (
                0 < known.shortfall
                and abs(reading.shortfall - known.shortfall) <= SAME_SHORTFALL
                and not self.pages.has_hole
            )
            if not is_seen_again:
                return SHORT
        if not reading.offers_seen and known.offers and known.reason != SUDDENLY_EMPTY:
            return SUDDENLY_EMPTY
        return None

    def _recognise(self) -> None:
        """Let the pages go where they say what the last ones said."""
        reading, known = self._reading, self._known
        reading.fingerprint = fingerprint(self._digests)
        reading.sketch = sketch(self._digests)
        if known.fingerprint == reading.fingerprint:
            reading.same_as = reading.book.snapshot_id(known.base_us)
            reading.pages = []


def _note_new_fields(item: Mapping[str, Any], reading: Reading) -> None:
    for path, kind in new_fields(item):
        if len(reading.new_fields) < _MOST_NEW_FIELDS:
            reading.new_fields.setdefault(path, kind)


def remember(known: BookState, reading: Reading) -> None:
    """What the next reading of the book has to know of this one, once it lands."""
    if reading.is_complete:
        met = reading.offers_distinct + reading.offers_unnumbered
        if known.fingerprint:
            _learn(known, reading, met)
        known.empties = 0 if met else known.empties + 1
        known.offers, known.pages = met, reading.pages_read
        if not reading.is_unchanged:
            known.base_us = reading.started_us
        known.fingerprint, known.sketch = reading.fingerprint or "", reading.sketch
    else:
        known.forget_fingerprint()
        known.pages = max(known.pages, reading.pages_read)
    if reading.is_complete or reading.reason == SHORT:  # others do not say how much there is
        known.shortfall = round(reading.shortfall, 4)
    known.read_us, known.landed = reading.started_us, True
    known.reason = reading.reason or ""


def _learn(known: BookState, reading: Reading, met: int) -> None:
    """How much of the book has changed since the reading before, per offer and hour.

    Of what was revised twice one revision shows, so the share that changed is taken for what is
    seen of a steady trickle. An empty book is watched as if it held one offer.
    """
    hours = max(0.0, (reading.started_us - known.read_us) / 3.6e9)
    offers = max(1.0, (known.offers + met) / 2)
    changed = 0.0
    if not reading.is_unchanged:
        apart = differing(known.sketch, reading.sketch) if known.sketch else 0.0
        share = min(_MOST_SHARE, max(1.0, apart) / (2 * offers))
        changed = offers * share / (1 - share)
    fading = 0.5 ** (hours / _MEMORY_HOURS)
    known.news = round(known.news * fading + changed, 3)
    known.watched = round(known.watched * fading + offers * hours, 3)


def _page(number: int, answer: Answer) -> Page:
    return Page(
        number,
        answer.requested_at,
        answer.received_at,
        answer.total,
        len(answer.data),
        answer.cleaned,
        sha256(answer.body).hexdigest(),
        len(answer.body),
        Page.pack(answer.body),
    )
