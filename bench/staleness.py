"""How stale what was read is, by policy: `python -m bench.staleness`.

The simulated market of all fiats is recorded for 24 hours, then each policy reads that recording,
without HTTP and without a database, from the same first sweep on: the planner and what it
remembers are the loader's own. Stale is an offer that has another version than when its book was
last read, has gone since or has come since; the share is of all offers that stand or are thought
to, in the mean over the day. An advertiser's statistics make no version of an offer, though the
loader sees an offer differ that shows them. An offer that comes back is the version that left.

The optimum reads each book at the period that is best for how it changed on that very day (how
many were stale at each age, in the mean over the day's hours, each book's own), which nobody can
know beforehand: `computed` from those curves, and read by those periods on the recording.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from heapq import heapify, heapreplace
from itertools import cycle
from math import ceil, inf, log

import orjson

from bench.figures import Figures
from load.book.reading import Reading, remember
from load.land.state import Book, BookState, State, to_microseconds
from load.plan.crawl import OVERDUE_SECONDS, Rounds, budget
from load.plan.sketch import sketch
from simulator.market import START, Market

HOURS = 24.0
RATE = 2.0
ROWS = 20
INTERVAL_MINUTES = 20.0  # the default; others are to do no worse by much
SEED = 1
HOT = (("VES", "USDT"), ("ARS", "USDT"))
_LONGEST_PERIOD = 86_400.0
_PERIODS = [30.0 * 1.2**step for step in range(43)] + [_LONGEST_PERIOD]  # 30 s to 18 h, and a day
_OF_PRESENCE = ("gone", "returned")
_OF_ADVERTISER = ("orders", "renamed")

Said = tuple[bytes, bytes]
"""What an offer says: all of it, as the loader sees it, and its version."""
Event = tuple[float, str, Said | None]
"""Seconds since the start, the offer's number, and what it says now: nothing once it is gone."""
Learn = Callable[[Book, BookState, Reading], None]


@dataclass
class Recording:
    """A market's day: what stood in each book at first, and what happened then."""

    seconds: float
    books: dict[Book, dict[str, Said]] = field(default_factory=dict)
    events: dict[Book, list[Event]] = field(default_factory=dict)


def record(hours: float, seed: int = SEED, fiats: Sequence[str] | None = None) -> Recording:
    """Let the market run for that long."""
    market = Market(seed=seed, fiats=fiats)
    recording = Recording(hours * 3600)
    said: dict[str, Said] = {}
    for fiat, asset in market.pairs:
        for side in ("BUY", "SELL"):
            book = Book(fiat, asset, side)
            standing = {offer.adv_no: _says(offer.adv_no, 0) for offer in market.book(*book)}
            recording.books[book], recording.events[book] = standing, []
            said.update(standing)
    market.advance(hours * 60)
    for change in market.changes():
        number = change.adv_no
        if change.kind not in _OF_PRESENCE or number not in said:
            whole, version = _says(number, change.number)
            is_version = change.kind not in _OF_ADVERTISER
            said[number] = (whole, version if is_version else said[number][1])
        at = (change.time - START).total_seconds()
        says = None if change.kind == "gone" else said[number]
        recording.events[Book(*change.book)].append((at, number, says))
    return recording


def _says(number: str, change: int) -> Said:
    digest = blake2b(f"{number} {change}".encode(), digest_size=16).digest()
    return digest, digest


def _is_stale(says: Said | None, read: Said | None) -> bool:
    return (says and says[1]) != (read and read[1])


@dataclass
class Watched:
    """A book on its way through the recording, beside what was last read of it."""

    events: Sequence[Event]
    standing: dict[str, Said]
    at: float = 0.0
    next_event: int = 0
    read: dict[str, Said | None] = field(default_factory=dict)
    """Of the offers that something happened to since the last reading: what that says of them."""
    differs: int = 0
    stale: int = 0
    all: int = 0
    stale_seconds: float = 0.0
    all_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Begin with a reading."""
        self.standing, self.all = dict(self.standing), len(self.standing)

    @property
    def pages(self) -> int:
        """Requests that a reading takes."""
        return max(1, ceil(len(self.standing) / ROWS))

    def advance(self, to: float) -> None:
        """Let happen what happens until then, and keep count of what is stale."""
        events, standing, read = self.events, self.standing, self.read
        while self.next_event < len(events) and events[self.next_event][0] <= to:
            at, number, says = events[self.next_event]
            self.next_event += 1
            self._pass(at)
            before = standing.get(number)
            then = read.setdefault(number, before)
            self.differs += (says != then) - (before != then)
            self.stale += _is_stale(says, then) - _is_stale(before, then)
            if then is None:
                self.all += (says is not None) - (before is not None)
            if says is None:
                standing.pop(number, None)
            else:
                standing[number] = says
        self._pass(to)

    def _pass(self, to: float) -> None:
        seconds = to - self.at
        self.stale_seconds += self.stale * seconds
        self.all_seconds += self.all * seconds
        self.at = to

    def reread(self, at: float) -> bool:
        """Read it; returns whether it said something new."""
        self.advance(at)
        is_changed = self.differs > 0
        self.read.clear()
        self.differs = self.stale = 0
        self.all = len(self.standing)
        return is_changed


@dataclass
class Run:
    """A policy's day."""

    recording: Recording
    watched: dict[Book, Watched] = field(default_factory=dict)
    requests: int = 0
    readings: int = 0

    def __post_init__(self) -> None:
        """Begin with a sweep."""
        for book, standing in self.recording.books.items():
            self.watched[book] = Watched(self.recording.events[book], standing)

    def read(self, book: Book, at: float) -> bool:
        """Read a book; returns whether it said something new."""
        self.requests += self.watched[book].pages
        self.readings += 1
        return self.watched[book].reread(at)

    def staleness(self) -> float:
        """The share stale, in the mean over the day, in per cent."""
        for book in self.watched.values():
            book.advance(self.recording.seconds)
        books = self.watched.values()
        return 100 * sum(b.stale_seconds for b in books) / sum(b.all_seconds for b in books)


def round_robin(recording: Recording, per_second: float, *, skip_empty: bool) -> Run:
    """Every book in turn; those empty when last read once a day at most, if they are skipped."""
    run, at = Run(recording), 0.0
    empty: dict[Book, float] = {book: 0.0 for book, offers in recording.books.items() if not offers}
    for book in cycle(recording.books):
        if skip_empty and at - empty.get(book, -OVERDUE_SECONDS) < OVERDUE_SECONDS:
            continue
        at += run.watched[book].pages / per_second
        if at >= recording.seconds:
            break
        run.read(book, at)
        empty.pop(book, None)
        if not run.watched[book].standing:
            empty[book] = at
    return run


def planned(
    recording: Recording,
    interval_minutes: float,
    *,
    learn: Learn | None = None,
    hot: Sequence[tuple[str, str]] = (),
) -> tuple[Run, State]:
    """What `load.plan.crawl` makes of it, learning as it goes; beside it what it has learned."""
    run, state, interval = Run(recording), State(), interval_minutes * 60
    for book, watched in run.watched.items():
        _remember(state, book, watched, 0.0, is_changed=True)
    begins = 0.0
    while begins < recording.seconds:
        at, spent, rounds = begins, 0, Rounds(RATE, interval_minutes, hot)
        while rounds.has_more(spent) and at < recording.seconds:
            now = START + timedelta(seconds=at)
            for book in rounds.plan(list(recording.books), state.books, spent, now).books:
                at += run.watched[book].pages / RATE
                spent += run.watched[book].pages
                if at >= recording.seconds:
                    break
                is_changed = run.read(book, at)
                reading = _remember(state, book, run.watched[book], at, is_changed=is_changed)
                if learn:
                    learn(book, state.books[book], reading)
        begins = max(begins + interval, at)
    return run, state


def _remember(
    state: State, book: Book, watched: Watched, at: float, *, is_changed: bool
) -> Reading:
    when = START + timedelta(seconds=at)
    known, offers = state.of(book), len(watched.standing)
    reading = Reading(
        book,
        to_microseconds(when),
        when,
        pages_read=watched.pages,
        offers_distinct=offers,
        fingerprint="0" * 32,
        sketch=sketch((number, said[0]) for number, said in watched.standing.items())
        if is_changed
        else known.sketch,
        same_as=None if is_changed else "the reading before",
    )
    remember(known, reading)
    return reading


class YesOrNo:
    """Learn from whether a book changed alone, by the estimator of Cho and Garcia-Molina."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._seen: dict[Book, tuple[int, int, float, float]] = {}

    def __call__(self, book: Book, known: BookState, reading: Reading) -> None:
        """Put the rate of that estimator into what is known."""
        count, changed, last, watched = self._seen.get(book, (0, 0, to_microseconds(START), 0.0))
        hours = (reading.started_us - last) / 3.6e9
        count, changed = count + 1, changed + (not reading.is_unchanged)
        watched += hours
        self._seen[book] = (count, changed, reading.started_us, watched)
        by_book = -log((count - changed + 0.5) / (count + 0.5)) * count
        known.watched, known.news = max(1, known.offers) * watched, by_book


@dataclass
class Curve:
    """How many of a book's offers are stale at each age: the integral of that up to each period."""

    book: Book
    pages: float
    offers: float
    stale_seconds: list[float]

    def best(self, price: float) -> int:
        """The period that is cheapest at that price of a request, by its place."""
        costs = [
            (stale + price * self.pages) / period
            for period, stale in zip(_PERIODS, self.stale_seconds, strict=True)
        ]
        return costs.index(min(costs))


def curves(recording: Recording, step_seconds: float = 3600.0) -> Iterator[Curve]:
    """The true curve of every book, in the mean over readings at every hour of the day."""
    starts = [step_seconds * step for step in range(ceil(recording.seconds / step_seconds))]
    for book, standing in recording.books.items():
        walk = Watched(recording.events[book], standing)
        sums, counts = [0.0] * len(_PERIODS), [0] * len(_PERIODS)
        pages = offers = 0.0
        for start in starts:
            walk.advance(start)
            pages, offers = pages + walk.pages, offers + len(walk.standing)
            ahead = Watched(walk.events, walk.standing, at=start, next_event=walk.next_event)
            for place, period in enumerate(_PERIODS):
                if start + period > recording.seconds:
                    break
                ahead.advance(start + period)
                sums[place] += ahead.stale_seconds
                counts[place] += 1
        known = [  # what is longer than the recording is no choice
            total / count if count else inf for total, count in zip(sums, counts, strict=True)
        ]
        yield Curve(book, pages / len(starts), offers / len(starts), known)


def optimum(recording: Recording, per_second: float) -> tuple[Run, float]:
    """Each book at its own best period; beside it the share stale that the curves promise."""
    truth = list(curves(recording))
    low, high = 0.0, 1e9
    for _ in range(60):
        price = (low * high) ** 0.5 if low else high / 1e3
        spent = sum(curve.pages / _PERIODS[curve.best(price)] for curve in truth)
        low, high = (price, high) if spent > per_second else (low, price)
    chosen = [(curve, curve.best(high)) for curve in truth]
    promised = sum(curve.stale_seconds[best] / _PERIODS[best] for curve, best in chosen)
    run, at = Run(recording), 0.0
    periods = {curve.book: _PERIODS[best] for curve, best in chosen}
    order = [
        (periods[book] * (number + 1) / len(periods), book) for number, book in enumerate(periods)
    ]
    heapify(order)
    while at < recording.seconds:
        due, book = order[0]
        at = max(at, due) + run.watched[book].pages / per_second
        if at < recording.seconds:
            run.read(book, at)
        heapreplace(order, (max(due, at - periods[book]) + periods[book], book))
    return run, 100 * promised / sum(curve.offers for curve in truth)


def measure(figures: Figures, hours: float = HOURS, fiats: Sequence[str] | None = None) -> None:
    """Show how stale each policy leaves the market."""
    recording = record(hours, fiats=fiats)
    per_second = budget(RATE, INTERVAL_MINUTES) / (INTERVAL_MINUTES * 60)
    standing = recording.books.values()
    figures.add("staleness.books", len(standing), "books")
    figures.add("staleness.empty_books", sum(not offers for offers in standing), "books")
    figures.add("staleness.offers", sum(map(len, standing)), "offers")
    sweep = sum(watched.pages for watched in Run(recording).watched.values())
    figures.add("staleness.sweep", sweep, "requests")

    def show(name: str, run: Run) -> None:
        figures.add(f"staleness.{name}", run.staleness(), "%")
        figures.add(f"staleness.{name}.pace", run.requests / recording.seconds, "requests/s")

    show("round_robin", round_robin(recording, per_second, skip_empty=False))
    show("round_robin_not_empty", round_robin(recording, per_second, skip_empty=True))
    learned, state = planned(recording, INTERVAL_MINUTES)
    show("learned", learned)
    books = state.dump()["books"]
    figures.add("staleness.state", len(orjson.dumps(books)) / len(books), "bytes/book")
    show("learned_from_yes_or_no", planned(recording, INTERVAL_MINUTES, learn=YesOrNo())[0])
    show("learned_with_hot", planned(recording, INTERVAL_MINUTES, hot=HOT)[0])
    show("learned_every_5_minutes", planned(recording, 5.0)[0])
    show("learned_every_60_minutes", planned(recording, 60.0)[0])
    best, promised = optimum(recording, per_second)
    show("optimum", best)
    figures.add("staleness.optimum_computed", promised, "%")
    figures.add(
        "staleness.learned_vs_optimum",
        figures.value("staleness.learned") / min(figures.value("staleness.optimum"), promised),
        "ratio",
    )


def main() -> None:
    """Measure, and show one figure a line."""
    parser = argparse.ArgumentParser(prog="python -m bench.staleness", description=__doc__)
    parser.add_argument("--hours", type=float, default=HOURS, help="of the market (%(default)s)")
    measure(Figures(), parser.parse_args().hours)


if __name__ == "__main__":
    main()
