"""One reading of one book: page by page to its end, and how far the result can be trusted.

Complete means that every page from the first to the end was read and understood, and that at least
as many offers were met as the smallest total that the pages announced: a book that shrinks while it
is read is whole, one that lost an offer over a page edge is not.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

import orjson
import pyarrow as pa  # type: ignore[import-untyped]

from load.drift import Shape, Watch
from load.exchange import ROWS, Answer, CallFailed, Exchange, Unreachable
from load.offers import digest, fingerprint, new_fields, offer_number
from load.sketch import differing, sketch
from load.state import SUDDENLY_EMPTY, Book, BookState, from_microseconds, to_microseconds

MOST_PAGES = 500
MOST_BYTES = 64_000_000
ASKED_AGAIN = 2
"""How often an empty page is asked again where something else was expected."""
SHORT = "short_of_announced"
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


class _Tally:
    """What the pages of one reading add up to."""

    def __init__(self) -> None:
        self.digests: list[tuple[str, bytes]] = []
        self.numbers: set[str] = set()
        self.unnumbered = 0
        self.smallest_total: int | None = None
        self.bytes = 0

    def add(self, answer: Answer, total: int | None, reading: Reading) -> None:
        for item in answer.data:
            if reading.shape.add(item):  # before its digest is taken, which takes a key away
                self._note_new_fields(item, reading)
        said = [(offer_number(item), digest(item)) for item in answer.data]
        for number, _ in said:
            if number is None:
                self.unnumbered += 1
            else:
                self.numbers.add(number)
        self.digests += [(number or "", content) for number, content in said]
        if total is not None:
            smallest = self.smallest_total
            self.smallest_total = total if smallest is None else min(smallest, total)
        self.bytes += len(answer.body)

    @staticmethod
    def _note_new_fields(item: Mapping[str, Any], reading: Reading) -> None:
        for path, kind in new_fields(item):
            if len(reading.new_fields) < _MOST_NEW_FIELDS:
                reading.new_fields.setdefault(path, kind)

    @property
    def is_short(self) -> bool:
        met = len(self.numbers) + self.unnumbered
        return self.smallest_total is not None and met < self.smallest_total


def read_book(
    exchange: Exchange,
    book: Book,
    known: BookState,
    clock: Callable[[], datetime],
    stop: threading.Event,
    watch: Watch,
) -> Reading:
    """Read `book` to its end, or to the first page that cannot be had.

    Raises:
        Unreachable: the exchange has not answered anything in this cycle.
        Stopped: the cycle stops; a book that was cut short counts as not read.
    """
    # Strictly later than the reading before, also when the clock was set back.
    started_us = max(to_microseconds(clock()), known.read_us + 1_000)
    reading = Reading(book, started_us, from_microseconds(started_us), shape=Shape(watch.known))
    tally = _Tally()
    try:
        reading.reason = _read_pages(exchange, reading, tally, known, stop)
    except Unreachable:
        raise
    except CallFailed as failure:
        reading.requests += failure.attempts
        reading.reason = failure.reason
    except orjson.JSONEncodeError:
        reading.reason = "too_deep"
    reading.finished_at = max(clock(), reading.started_at)
    reading.shape.pack()
    reading.pages_read = len(reading.pages)
    reading.offers_distinct, reading.offers_unnumbered = len(tally.numbers), tally.unnumbered
    if reading.reason is None:
        _judge(reading, tally, known)
    return reading


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


def _read_pages(
    exchange: Exchange, reading: Reading, tally: _Tally, known: BookState, stop: threading.Event
) -> str | None:
    """Read on until the end; returns why that is not the book's end, if it is not."""
    for number in range(1, MOST_PAGES + 1):
        answer = _ask(exchange, reading, number, known, stop)
        items = len(answer.data)
        total = answer.total if _fits(answer, number) else None
        is_end = _is_end(answer, number, reading)
        tally.add(answer, total, reading)
        reading.pages.append(_page(number, answer))
        reading.offers_seen += items
        reading.cleaned += answer.cleaned
        reading.announced_total = answer.total
        if not items:
            return None if is_end else SHORT
        if items < ROWS or (total is not None and number * ROWS >= total):
            return None
        if tally.bytes > MOST_BYTES:
            return "too_large"
    return "too_many_pages"


def _ask(
    exchange: Exchange, reading: Reading, number: int, known: BookState, stop: threading.Event
) -> Answer:
    """One page; an empty one is asked again where more was promised."""
    for again in range(ASKED_AGAIN + 1):
        answer = exchange.search(*reading.book, number, stop)
        reading.requests += answer.attempts
        is_believed = answer.data or (
            _is_end(answer, number, reading) and not (number == 1 and known.offers)
        )
        if is_believed or again == ASKED_AGAIN:
            break
        exchange.pacer.back_off(again + 1, stop)
    return answer


def _fits(answer: Answer, number: int) -> bool:
    """Whether the total can be that of the book which this page was taken from.

    Now and then an answer is empty where it should not be, and may announce 0 then: such a total
    must not make a book look whole that was cut off.
    """
    if answer.total is None:
        return False
    before = (number - 1) * ROWS
    if answer.data:
        return answer.total >= before + len(answer.data)
    return max(before - ROWS, -1) < answer.total <= before


def _is_end(answer: Answer, number: int, reading: Reading) -> bool:
    """Whether an empty page is past the end of its book: the page before was still within."""
    if answer.total is None:
        return reading.announced_total is None
    return _fits(answer, number)


def _judge(reading: Reading, tally: _Tally, known: BookState) -> None:
    if tally.is_short:
        reading.reason = SHORT
    elif not reading.offers_seen and known.offers and known.reason != SUDDENLY_EMPTY:
        reading.reason = SUDDENLY_EMPTY
    else:
        reading.fingerprint = fingerprint(tally.digests)
        reading.sketch = sketch(tally.digests)
        if known.fingerprint == reading.fingerprint:
            reading.same_as = reading.book.snapshot_id(known.base_us)
            reading.pages = []


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
