"""Which books to read now: a pure choice from what is known and what may be spent.

A request is the coin: reading a book costs as many as it has pages. Where everything fits into the
budget everything is read; where not, what is read is where a reading is likeliest to find news.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from load.state import Book, BookState, from_microseconds

SHARE = 0.9
"""Of the requests that an interval allows: the rest is for retries and the catalogue."""
UNKNOWN_PAGES = 2
RAREST_EMPTY_SECONDS = 24 * 3600.0
_PRIOR_CHANGES, _PRIOR_COMPARED = 1.0, 2.0
_FLOOR = 0.05


@dataclass(frozen=True)
class Plan:
    """What a cycle will read, best first."""

    books: list[Book]
    requests: int
    """What that is expected to cost."""
    left_out: int
    """Listed books that the budget does not reach, or that are empty and not due."""


def budget(requests_per_second: float, interval_minutes: float) -> int:
    """The requests that one cycle may plan for."""
    return max(1, int(requests_per_second * interval_minutes * 60 * SHARE))


def due_books(
    books: Sequence[Book],
    known: Mapping[Book, BookState],
    requests: int,
    now: datetime,
    interval_seconds: float,
) -> Plan:
    """The books worth reading now, best first, within `requests`.

    Never read first; then by the news that a request is likely to bring (`_value`). When all of
    them fit, as for a handful of pairs asked for by hand, all are read.
    """
    states = {book: known.get(book, BookState()) for book in books}
    ranked = sorted(
        states, key=lambda book: (states[book].read_us > 0, -_value(states[book], now), book)
    )
    if sum(_cost(states[book]) for book in ranked) > requests:
        ranked = [book for book in ranked if _is_due(states[book], now, interval_seconds)]
    chosen: list[Book] = []
    spent = 0
    for book in ranked:
        cost = _cost(states[book])
        if spent + cost <= requests or not chosen:
            chosen.append(book)
            spent += cost
    return Plan(chosen, spent, len(states) - len(chosen))


def _cost(known: BookState) -> int:
    return max(1, known.pages) if known.read_us else UNKNOWN_PAGES


def _age_seconds(known: BookState, now: datetime) -> float:
    return max(0.0, (now - from_microseconds(known.read_us)).total_seconds())


def _value(known: BookState, now: datetime) -> float:
    """Offers whose news a request would bring, roughly: grows with age, so the tail is met too."""
    changes = (known.changed + _PRIOR_CHANGES) / (known.compared + _PRIOR_COMPARED)
    return _age_seconds(known, now) * (1 + known.offers) * (_FLOOR + changes) / _cost(known)


def _is_due(known: BookState, now: datetime, interval_seconds: float) -> bool:
    """An empty book is looked at after 2, 4, 8 … intervals, and once a day at the least."""
    if not known.empties or not known.read_us:
        return True
    patience = min(RAREST_EMPTY_SECONDS, interval_seconds * float(2 ** min(known.empties, 20)))
    return _age_seconds(known, now) >= patience
