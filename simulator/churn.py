"""How the market moves: offers come, go, return, change price and quantity, minute by minute.

Rates are per offer and minute, set so that captures 8 to 11 minutes and 2 hours apart differ as
the recorded ones do (section 5 of the API note): SELL ads 3% and 22% gone, 2-3% and 11% re-priced,
1-9% and 30% with another surplus; BUY ads 1% and 8%, 0-1% and 5%, 1-2% and 14%. One rate for all
would not do that: few offers move often (`is_restless`, `is_busy`), the others hardly.

Events are drawn one after the other, so moving by 5 and 10 minutes gives what 15 minutes give.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from random import Random

from simulator.bait import within_reach
from simulator.makers import Makers
from simulator.offers import Book, Offer
from simulator.people import nickname
from simulator.prices import day_curve
from simulator.rates import ASSET_USD

Record = Callable[[float, str, Offer], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Rates of one maker's side: per offer and minute; `reprice` and `resize` for those that do."""

    gone: float
    comes_back: float  # share of the gone that return
    away_minutes: float
    reprice: float
    resize: float
    edit: float
    roll: float  # the month's order count loses a day
    rename: float

    @property
    def opened(self) -> float:
        """As many are new for good as are gone for good."""
        return self.gone * (1.0 - self.comes_back)


PACES = {
    True: Pace(0.0031, 0.73, 80.0, 0.0270, 0.0119, 0.0001, 0.0003, 0.00002),
    False: Pace(0.00105, 0.53, 50.0, 0.0105, 0.0068, 0.00005, 0.0005, 0.00002),
}
# What may happen to an offer that is online, by the names of its rates.
_KINDS = ("reprice", "resize", "gone", "roll", "edit", "rename")
_BUSIEST_HOUR = 1.3
_SLEEPS = 0.7  # share of the returns due at night that wait for the morning
_NIGHT, _DAWN, _MORNING = 21.0, 5.0, 11.0


class Side:
    """All offers of one maker's side that are online, and where new ones open."""

    def __init__(self, maker_sells: bool, books: list[Book]) -> None:
        """`books` are all of this side; those of size 0 stay empty."""
        self.maker_sells = maker_sells
        self.pace = PACES[maker_sells]
        self.books = [book for book in books if book.size > 0]
        self.weights = list(accumulate(book.size for book in self.books))
        self.online: list[Offer] = []
        self._opening = self.pace.opened * self.size * _BUSIEST_HOUR
        rates = (float(getattr(self.pace, kind)) for kind in _KINDS)
        self._per_offer = list(accumulate(rates))

    @property
    def size(self) -> float:
        """The usual number of offers of this side."""
        return self.weights[-1] if self.weights else 0.0

    def rate(self) -> float:
        """How many events a minute there are on average, candidates included."""
        return self._opening + self._per_offer[-1] * len(self.online)

    def kind(self, at: float) -> str:
        """What happens where all rates are laid end to end; `at` is below `rate()`."""
        if at < self._opening:
            return "open"
        by_offer = (at - self._opening) / len(self.online)
        return _KINDS[min(bisect_right(self._per_offer, by_offer), len(_KINDS) - 1)]

    def enter(self, offer: Offer) -> None:
        """The offer is online from now on."""
        offer.slot = len(self.online)
        self.online.append(offer)

    def leave(self, offer: Offer) -> None:
        """The offer is offline from now on."""
        last = self.online.pop()
        if last is not offer:
            self.online[offer.slot] = last
            last.slot = offer.slot
        offer.slot = -1


class Churn:
    """The market's events on a clock of minutes since its start."""

    def __init__(
        self, rng: Random, makers: Makers, sides: tuple[Side, Side], start_ms: int, record: Record
    ) -> None:
        """`record(minute, kind, offer)` hears of every change, in order of time."""
        self._rng = rng
        self._makers = makers
        self._sides = sides
        self._start_ms = start_ms
        self._record = record
        self._minute = 0.0
        # Who returns when; an offer that nobody has seen yet is made when it does.
        self._away: list[tuple[float, int, Book, Offer | None]] = []
        self._away_count = 0
        self._next: float | None = None

    def local_hour(self, book: Book, minute: float) -> float:
        """Hour of the day where the book's fiat is used."""
        hours = self._start_ms / 3_600_000 + minute / 60.0 + book.fiat.utc_offset
        return hours % 24.0

    def send_away(self, book: Book, offer: Offer | None) -> None:
        """Take note that the offer comes back, sooner by day than by night."""
        rng = self._rng
        back = self._minute + rng.expovariate(1.0 / PACES[book.maker_sells].away_minutes)
        hour = self.local_hour(book, back)
        if (hour >= _NIGHT or hour < _DAWN) and rng.random() < _SLEEPS:
            to_dawn = (_DAWN - hour) % 24.0
            back += 60.0 * (to_dawn + (_MORNING - _DAWN) * rng.random())
        self._push(back, book, offer)

    def sleep_in(self, book: Book) -> None:
        """Take note of an unseen offer that is asleep and comes back in the morning."""
        hour = self.local_hour(book, self._minute)
        earliest = hour if _DAWN <= hour < _MORNING else _DAWN
        wake = earliest + (_MORNING - earliest) * self._rng.random()
        self._push(self._minute + 60.0 * ((wake - hour) % 24.0), book, None)

    def _push(self, back: float, book: Book, offer: Offer | None) -> None:
        self._away_count += 1
        heapq.heappush(self._away, (back, self._away_count, book, offer))

    def _draw(self) -> tuple[float, Side, str]:
        """When the next event of chance is, and what it is."""
        rng = self._rng
        first, second = self._sides
        rate, other = first.rate(), second.rate()
        if rate + other <= 0.0:
            return inf, first, "none"
        wait = rng.expovariate(rate + other)
        at = rng.random() * (rate + other)
        side, at = (first, at) if at < rate else (second, min(at - rate, other))
        return wait, side, side.kind(at)

    def advance(self, minutes: float) -> None:
        """Let this much time pass."""
        end = self._minute + minutes
        while True:
            if self._next is None:
                wait, self._side, self._kind = self._draw()
                self._next = self._minute + wait
            returns = self._away[0][0] if self._away else inf
            if min(self._next, returns) > end:
                self._minute = end
                return
            if returns <= self._next:
                self._minute, _, book, offer = heapq.heappop(self._away)
                self._return(book, offer)
            else:
                self._minute, self._next = self._next, None
                self._happen(self._side, self._kind)

    def delist(self, book: Book) -> None:
        """The book is listed no more, and its offers are gone."""
        book.is_listed = False
        for offer in list(book.offers):
            self._take_out(self._side_of(book), offer)
            book.delisted.append(offer)

    def list_again(self, book: Book) -> None:
        """The book is listed, with the offers that it had."""
        book.is_listed = True
        while book.delisted:
            self._enter("returned", book.delisted.pop())

    def _side_of(self, book: Book) -> Side:
        return next(side for side in self._sides if side.maker_sells == book.maker_sells)

    def _now_ms(self) -> int:
        return self._start_ms + int(self._minute * 60_000)

    def _enter(self, kind: str, offer: Offer) -> None:
        offer.book.add(offer)
        self._side_of(offer.book).enter(offer)
        self._record(self._minute, kind, offer)

    def _return(self, book: Book, offer: Offer | None) -> None:
        if not book.is_listed:
            self._push(self._minute + 60.0, book, offer)
            return
        if offer is None:
            offer = self._makers.make(book, self._minute, self._now_ms(), is_new=False)
        elif self._rng.random() < 0.15:
            offer.price = self._makers.price(book, offer.chance, self._minute)
            offer.written = None
        self._enter("returned", offer)

    def _happen(self, side: Side, kind: str) -> None:
        if kind == "open":
            at = bisect_right(side.weights, self._rng.random() * side.size)
            book = side.books[min(at, len(side.books) - 1)]
            hour = self.local_hour(book, self._minute)
            if not book.is_listed:
                return
            if self._rng.random() * _BUSIEST_HOUR < day_curve(hour, side.maker_sells):
                made = self._makers.make(book, self._minute, self._now_ms(), is_new=True)
                self._enter("opened", made)
            return
        offer = side.online[int(self._rng.random() * len(side.online))]
        if offer.is_still or (offer.is_bait and kind == "edit"):
            return
        if kind == "gone":
            self._go(side, offer)
        elif kind == "reprice" and offer.is_restless:
            self._reprice(offer)
        elif kind == "resize" and offer.is_busy:
            self._resize(offer)
        elif kind == "edit":
            self._edit(offer)
        elif kind == "roll":
            self._roll(offer)
        elif kind == "rename":
            offer.person.nickname = nickname(self._rng)
            self._tell_of_person("renamed", offer)

    def _take_out(self, side: Side, offer: Offer) -> None:
        offer.book.remove(offer)
        side.leave(offer)
        offer.written = None
        self._record(self._minute, "gone", offer)

    def _go(self, side: Side, offer: Offer) -> None:
        self._take_out(side, offer)
        if self._rng.random() < side.pace.comes_back:
            self.send_away(offer.book, offer)
        else:
            offer.person.offers.remove(offer)

    def _reprice(self, offer: Offer) -> None:
        book = offer.book
        offer.chance = within_reach(book, offer.chance + self._rng.gauss(0.0, 0.04))
        price = self._makers.price(book, offer.chance, self._minute)
        if price == offer.price:
            price = max(1, price + self._rng.choice((-1, 1)))
        if price == offer.price:
            return
        book.remove(offer)
        offer.price = price
        offer.written = None
        book.add(offer)
        self._record(self._minute, "repriced", offer)

    def _resize(self, offer: Offer) -> None:
        """A trade takes some, or the maker refills what has become little."""
        rng = self._rng
        book = offer.book
        usd = offer.surplus / 10**book.asset_scale * ASSET_USD[book.asset]
        if usd < 20.0 or rng.random() < 0.12:
            surplus = offer.surplus + self._makers.quantity(book, offer.chance)
            traded = False
        else:
            surplus = offer.surplus - int(offer.surplus * rng.uniform(0.02, 0.5))
            traded = True
        if surplus == offer.surplus:
            return
        offer.surplus = surplus
        offer.written = None
        self._record(self._minute, "resized", offer)
        if traded and rng.random() < 0.65:
            offer.person.month_orders += 1
            self._tell_of_person("orders", offer)

    def _edit(self, offer: Offer) -> None:
        book = offer.book
        usd = offer.surplus / 10**book.asset_scale * ASSET_USD[book.asset]
        before = (offer.min_amount, offer.max_amount, offer.methods)
        offer.min_amount, offer.max_amount = self._makers.limits(book, usd)
        offer.methods = self._makers.methods(book)
        offer.written = None
        if before != (offer.min_amount, offer.max_amount, offer.methods):
            self._record(self._minute, "edited", offer)

    def _roll(self, offer: Offer) -> None:
        """A day drops out of the month's statistics."""
        person = offer.person
        if person.month_orders == 0:
            return
        person.month_orders -= min(person.month_orders, 1 + person.month_orders // 30)
        if person.month_orders and self._rng.random() < 0.5:
            person.finish_rate = round(1.0 - 0.1 * self._rng.random() ** 3, 3)
        self._tell_of_person("orders", offer)

    def _tell_of_person(self, kind: str, offer: Offer) -> None:
        person = offer.person
        person.stale()
        for each in person.offers:
            if each.slot >= 0:
                self._record(self._minute, kind, each)
