"""Which books to read now: a pure choice from what is known and what may be spent.

A request is the coin: reading a book costs as many as it has pages. Let a book of `n` offers cost
`c`, and let a share `F(t)` of them have changed `t` after a reading. Read every `T`, it has on
average `n / T * (integral of F from 0 to T)` stale offers and takes `c / T` requests of a time's
budget. At the best periods no book gives more for the next request than another: the derivative
of the one by the other is the same number for all,

    V(T) = n / c * (T * F(T) - integral of F from 0 to T),

and that number is the threshold which meets the budget. So the policy is to read a book as soon as
its crawl value V(age) exceeds the threshold (Azar, Horvitz, Lubetzky, Peres and Shahaf, "Tractable
near-optimal policies for crawling", PNAS 2018, with requests as the cost and offers as the weight;
theirs is the case of one rate, `F = 1 - exp(-rate * t)`). Here the threshold need not be known: a
cycle takes the highest values, some minutes' worth at a time, until its budget is spent.

Offers are not alike: few change all the time, most hardly ever. Over rates spread like that,
`F = 1 - 1 / (1 + rate * t)`, which makes the value `n / (c * rate) * (log(1 + x) - x / (1 + x))`
with `x = rate * t`. It grows without end, so nothing is given up for changing too fast. What it
grows too slowly for, the dull and the empty, is met by a floor.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf, log

from load.land.state import SUDDENLY_EMPTY, Book, BookState, from_microseconds

SHARE = 0.9
"""Of the requests that an interval allows: the rest is for retries and the catalogue."""
FLOOR = 0.1
"""Of the budget that books get which are overdue, the longest unread first, or never read."""
OVERDUE_SECONDS = 24 * 3600.0
"""How long a book may go unread before that."""
UNKNOWN_PAGES = 2
ROUND_MINUTES = 5.0
"""After so much of its budget a long cycle plans again: by then what is hot may be due again."""
_WORTH_A_ROUND = 0.1  # of a round's budget that must be left for another one
_USUAL_RATE = 0.3  # changes an offer and hour, where nothing is known at all
_TRUSTED_HOURS = 10.0  # offer-hours that must be watched to count as much as what is usual


@dataclass(frozen=True)
class Plan:
    """What a cycle will read, best first."""

    books: list[Book]
    requests: int
    """What that is expected to cost."""
    left_out: int
    """Listed books that the budget does not reach, or that are empty and not due."""
    is_whole: bool = False
    """All that is listed fits: there is nothing to come back for in this cycle."""


def budget(requests_per_second: float, interval_minutes: float) -> int:
    """The requests that one cycle may plan for."""
    return max(1, int(requests_per_second * interval_minutes * 60 * SHARE))


def due_books(
    books: Sequence[Book],
    known: Mapping[Book, BookState],
    requests: int,
    now: datetime,
    interval_seconds: float,
    hot: Sequence[tuple[str, str]] = (),
) -> Plan:
    """The books worth reading now, best first, within `requests`.

    First the books of the pairs (fiat, asset) in `hot`, whatever they cost: that is their point.
    Then those never read or suddenly empty, which waits to be believed; then the overdue up to
    `FLOOR`, then by crawl value. Should the hot ones leave less than `FLOOR` of the budget, the
    others get that much of it all the same; and the first of them is read whatever it costs, since
    no book may be too large to be read ever. When all fit, as for a handful of pairs asked for by
    hand, all are read.
    """
    states = {book: known.get(book, BookState()) for book in books}
    ages = {book: _age_seconds(states[book], now) for book in states}
    choice = _Choice({book: _cost(states[book]) for book in states})
    fits = sum(choice.costs.values()) <= requests
    for pair in hot:
        choice.take(sorted(book for book in states if (book.fiat, book.asset) == pair))
    floor = max(1, int(FLOOR * requests))
    spendable = max(requests, choice.spent + floor)

    others = [book for book in states if book not in choice.chosen]
    new = sorted(book for book in others if _is_open_question(states[book]))
    seen = [
        book
        for book in others
        if not _is_open_question(states[book])
        and (fits or _is_due(states[book], ages[book], interval_seconds))
    ]
    overdue = sorted(
        (book for book in seen if ages[book] >= OVERDUE_SECONDS),
        key=lambda book: (-ages[book], book),
    )
    habits = Habits(known)
    values = {
        book: crawl_value(states[book].offers, habits.rate(book), ages[book]) / choice.costs[book]
        for book in seen
    }
    by_value = sorted(seen, key=lambda book: (-values[book], book))
    choice.take([*new, *overdue, *by_value][:1])
    choice.take(new, spendable)
    met = sum(choice.costs[book] for book in overdue[:1] if book in choice.chosen)
    choice.take(overdue, min(spendable, choice.spent - met + floor))
    choice.take(by_value, spendable)
    left_out = len(states) - len(choice.chosen)
    return Plan(list(choice.chosen), choice.spent, left_out, is_whole=fits)


def take_first(
    books: deque[Book], known: Mapping[Book, BookState], requests: float
) -> Iterator[Book]:
    """Take from the left of `books` those that are thought to need so many requests at most."""
    while books:
        requests -= _cost(known.get(books[0], BookState()))
        if requests < 0:
            return
        yield books.popleft()


class Rounds:
    """The plans of one cycle: a long one looks again, so that a hot book is read more than once.

    What a cycle may spend is the same, and so are the shares of it: each round has the floor. The
    hot pairs come first in the cycle, and not in each of its rounds.
    """

    def __init__(
        self,
        requests_per_second: float,
        interval_minutes: float,
        hot: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Nothing is spent yet."""
        self._budget = budget(requests_per_second, interval_minutes)
        self._at_once = budget(requests_per_second, min(interval_minutes, ROUND_MINUTES))
        self._interval_seconds = interval_minutes * 60
        self._hot = hot
        self._latest: Plan | None = None

    def has_more(self, spent: int) -> bool:
        """Whether there is to be another plan, after so many requests."""
        if self._latest is None:
            return True
        is_worth_it = self._budget - spent >= max(1.0, _WORTH_A_ROUND * self._at_once)
        return is_worth_it and not self._latest.is_whole

    def plan(
        self, books: Sequence[Book], known: Mapping[Book, BookState], spent: int, now: datetime
    ) -> Plan:
        """What to read next, after so many requests."""
        requests = max(1, min(self._at_once, self._budget - spent))
        hot = self._hot if self._latest is None else ()
        self._latest = due_books(books, known, requests, now, self._interval_seconds, hot)
        return self._latest


def crawl_value(offers: int, rate: float, age_seconds: float) -> float:
    """Offers times hours that a reading now saves, net of what a later one would: V times cost.

    `rate` is changes an offer and hour. An empty book counts as one offer that could come.
    """
    expected = rate * age_seconds / 3600
    return max(1, offers) / rate * (log(1 + expected) - expected / (1 + expected))


@dataclass
class Sums:
    """Changes, and the offer-hours in which they happened."""

    news: float = 0.0
    watched: float = 0.0

    def add(self, known: BookState) -> None:
        """Count a book in."""
        self.news += known.news
        self.watched += known.watched

    def rate(self, usual: float) -> float:
        """Changes an offer and hour; `usual` while little has been watched."""
        return (self.news + _TRUSTED_HOURS * usual) / (self.watched + _TRUSTED_HOURS)


@dataclass
class Habits:
    """How often offers change: in this book, and in others of its fiat, its asset and its side.

    What is usual for a book is what is usual for its side, times how its fiat and its asset differ
    from that; its own readings outweigh it as they add up.
    """

    known: Mapping[Book, BookState]
    _sums: dict[tuple[str, ...], Sums] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Add up what is known."""
        for book, known in self.known.items():
            for kin in _kin(book):
                self._sums.setdefault(kin, Sums()).add(known)

    def rate(self, book: Book) -> float:
        """Changes an offer and hour."""
        by_side, by_fiat, by_asset = (self._sums.get(kin, Sums()) for kin in _kin(book))
        side = by_side.rate(_USUAL_RATE)
        usual = by_fiat.rate(side) * by_asset.rate(side) / side
        own = Sums()
        own.add(self.known.get(book, BookState()))
        return own.rate(usual)


def _kin(book: Book) -> tuple[tuple[str, ...], ...]:
    return (book.side,), (book.side, "fiat", book.fiat), (book.side, "asset", book.asset)


@dataclass
class _Choice:
    """What was chosen so far, in order, each book once, and what that costs."""

    costs: Mapping[Book, int]
    chosen: dict[Book, None] = field(default_factory=dict)
    spent: int = 0

    def take(self, books: Iterable[Book], limit: float = inf) -> None:
        """Add of `books`, in their order, what keeps the whole within `limit`."""
        for book in books:
            if book not in self.chosen and self.spent + self.costs[book] <= limit:
                self.chosen[book] = None
                self.spent += self.costs[book]


def _cost(known: BookState) -> int:
    return max(1, known.pages) if known.read_us else UNKNOWN_PAGES


def _is_open_question(known: BookState) -> bool:
    """Whether a book was never read, or says that it is empty and was not believed yet."""
    return not known.read_us or known.reason == SUDDENLY_EMPTY


def _age_seconds(known: BookState, now: datetime) -> float:
    return max(0.0, (now - from_microseconds(known.read_us)).total_seconds())


def _is_due(known: BookState, age_seconds: float, interval_seconds: float) -> bool:
    """An empty book is looked at after 2, 4, 8 … intervals, and once a day at the least."""
    patience = interval_seconds * float(2 ** min(known.empties, 20)) if known.empties else 0.0
    return age_seconds >= min(OVERDUE_SECONDS, patience)
