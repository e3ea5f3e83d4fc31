"""A seeded P2P market on a clock of its own, which moves as it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from threading import RLock
from typing import Any

from simulator.bait import DEAD_A_BOOK, has_dead, make_dead
from simulator.catalogue import conditions_data, fiat_entry, portal_data
from simulator.chance import seeded
from simulator.churn import PACES, Churn, Side
from simulator.makers import Makers
from simulator.methods import methods_of
from simulator.offers import Book, Offer, OfferState, state_of
from simulator.planted import Planted, make_planted
from simulator.prices import day_curve, price_scale
from simulator.rates import fair_price
from simulator.render import Renderer
from simulator.shapes import GENERATIONS
from simulator.shifts import Shift
from simulator.source import Answer, Change, Query
from simulator.truth import Truth
from simulator.universe import ASSET_SCALES, FIATS, ListedPair, listed_pairs

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def _chosen(wanted: Sequence[str] | None, known: Sequence[str], what: str) -> tuple[str, ...]:
    if wanted is None:
        return tuple(known)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise ValueError(f"the simulated exchange knows no {what} {', '.join(unknown)}")
    return tuple(code for code in known if code in set(wanted))


class Market:
    """The market: same seed and same calls give the same pages, byte for byte.

    Times are UTC. The only field that differs between two answers without `advance` is
    `activeTimeInSecond`, and that depends on how many pages were asked for before.
    """

    def __init__(
        self,
        seed: int = 1,
        fiats: Sequence[str] | None = None,
        assets: Sequence[str] | None = None,
        start: datetime = START,
        offers: int | None = None,
        generation: int = 2026,
        planted: Mapping[tuple[str, str, str], Planted] | None = None,
    ) -> None:
        """Opens the market at `start`.

        Args:
            seed: the random seed.
            fiats: fiats to list, all 112 of 2026-09 by default.
            assets: assets to list, all 13 by default.
            start: the market's time before the first `advance`; naive times are UTC.
            offers: about how many offers are online in all, on average over a day; by default
                as many as the chosen books have on the real exchange.
            generation: whose keys and number formats the payloads have: 2022, 2024 or 2026.
            planted: books, by fiat, asset and taker's side, that have these ads alone, for ever.

        Raises:
            ValueError: for a fiat, asset, generation or planted book that is not known.
        """
        if generation not in GENERATIONS:
            raise ValueError(f"generation is one of {', '.join(map(str, GENERATIONS))}")
        self._fiats = _chosen(fiats, tuple(FIATS), "fiat")
        self._assets = _chosen(assets, tuple(ASSET_SCALES), "asset")
        self._start = start if start.tzinfo else start.replace(tzinfo=UTC)
        self.seed = seed
        self._minutes = 0.0
        self._lock = RLock()
        self._answers = 0
        self._changes: list[Change] = []
        self._shape = GENERATIONS[generation]
        self._renderer = Renderer(self._shape)
        self._as_numbers: set[str] = set()
        self._new_keys: dict[str, Any] = {}
        self._delisted: dict[str, Shift] = {}
        self._shifts: list[tuple[float, Shift]] = []
        self._planted = dict(planted or {})
        self._books = self._list_books(seed, offers)
        if unknown := self._planted.keys() - self._books.keys():
            raise ValueError(f"there is no book {sorted(unknown)[0]} to plant")
        rng = seeded(seed, "market")
        makers = Makers(rng, self._shape, self._books)
        self._levels = makers.levels
        books = self._books.values()
        self._sides = (
            Side(True, [book for book in books if book.maker_sells]),
            Side(False, [book for book in books if not book.maker_sells]),
        )
        start_ms = int(self._start.timestamp() * 1000)
        self._churn = Churn(rng, makers, self._sides, start_ms, self._record)
        for side in self._sides:
            for book in books:
                if book.maker_sells is side.maker_sells:
                    self._open(side, book, makers, start_ms)

    def _list_books(self, seed: int, offers: int | None) -> dict[tuple[str, str, str], Book]:
        pairs = [
            pair
            for pair in listed_pairs(seed)
            if pair.fiat in self._fiats and pair.asset in self._assets
        ]
        usual = sum(pair.buy_size + pair.sell_size for pair in pairs)
        factor = 1.0 if offers is None or not usual else offers / usual
        user, merchant = (round(float(rate) * 1e8) for rate in self._shape.commissions)

        def book(pair: ListedPair, side: str) -> Book:
            size = pair.buy_size if side == "BUY" else pair.sell_size
            return Book(
                fiat=FIATS[pair.fiat],
                asset=pair.asset,
                side=side,
                asset_scale=ASSET_SCALES[pair.asset],
                price_scale=price_scale(fair_price(pair.fiat, pair.asset)),
                # No offer opens in a book of no size.
                size=0.0 if (pair.fiat, pair.asset, side) in self._planted else factor * size,
                commissions=(user, merchant),
            )

        made = [book(pair, side) for pair in pairs for side in ("BUY", "SELL")]
        return {each.key: each for each in made}

    def _open(self, side: Side, book: Book, makers: Makers, start_ms: int) -> None:
        """Fill a book as it stands at this local hour; the others of its offers are away."""
        if (planted := self._planted.get(book.key)) is not None:
            people = seeded(self.seed, "planted", *book.key)
            for _ in range(planted.offers):
                offer = makers.make(book, 0.0, start_ms, is_new=False)
                make_planted(offer, planted, people)
                book.append(offer)
                side.enter(offer)
            book.sort()
            return
        pace = PACES[side.maker_sells]
        online = book.size * day_curve(self._churn.local_hour(book, 0.0), side.maker_sells)
        for _ in range(round(online)):
            offer = makers.make(book, 0.0, start_ms, is_new=False)
            book.append(offer)
            side.enter(offer)
        if has_dead(self.seed, book):
            make_dead(book.offers[-DEAD_A_BOOK:], self._levels.middle(book, 0.0))
        book.sort()
        resting = online * pace.gone * pace.comes_back * pace.away_minutes
        for _ in range(round(resting)):
            self._churn.send_away(book, None)
        peak = book.size * day_curve(14.0, side.maker_sells)
        for _ in range(round(peak - online)):
            self._churn.sleep_in(book)

    def _record(self, minute: float, kind: str, offer: Offer) -> None:
        time = self._start + timedelta(minutes=minute)
        number = len(self._changes) + 1
        self._changes.append(Change(number, time, kind, offer.adv_no, offer.book.key))

    @property
    def now(self) -> datetime:
        """The market's time."""
        return self._start + timedelta(minutes=self._minutes)

    @property
    def fiats(self) -> tuple[str, ...]:
        """The listed fiats, the largest market first."""
        return tuple(code for code in self._fiats if code not in self._delisted)

    @property
    def searchable(self) -> tuple[str, ...]:
        """The fiats that a search may name: those listed, and delisted ones that are just empty."""
        refused = {code for code, shift in self._delisted.items() if shift.refuses}
        return tuple(code for code in self._fiats if code not in refused)

    @property
    def assets(self) -> tuple[str, ...]:
        """The listed assets."""
        return self._assets

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Fiat and asset of every listed pair, empty ones too."""
        found = ((fiat, asset) for fiat, asset, _ in self._books if fiat not in self._delisted)
        return list(dict.fromkeys(found))

    def drift(self, name: str) -> float:
        """How far a fiat or an asset has wandered from its fair price, as a logarithm."""
        with self._lock:
            return self._levels.drift(name)

    def fair_price(self, fiat: str, asset: str) -> float:
        """The middle of the competitive zone of a pair now, in fiat: what is true of its price."""
        with self._lock:
            return self._levels.now(fiat, asset)

    def truth(self) -> Truth:
        """What happened until now, what is online, and what is fair."""
        with self._lock:
            return Truth(
                self._changes,
                {key: [each.adv_no for each in book.offers] for key, book in self._books.items()},
                {f"{fiat}/{asset}": self.fair_price(fiat, asset) for fiat, asset in self.pairs},
                [each.adv_no for side in self._sides for each in side.online if each.is_bait],
            )

    def schedule(self, shift: Shift, minutes: float = 0.0) -> None:
        """Change something for the whole exchange when so much more time has passed."""
        with self._lock:
            self._shifts.append((self._minutes + minutes, shift))
            self._shifts.sort(key=lambda each: each[0])
            self.advance()

    def _apply(self, shift: Shift) -> None:
        if shift.generation is not None:
            self._shape = GENERATIONS[shift.generation]
        self._as_numbers |= set(shift.as_numbers)
        self._new_keys |= shift.new_keys
        self._renderer = Renderer(self._shape, self._as_numbers, self._new_keys)
        for side in self._sides:
            for offer in side.online:
                offer.written = None
        for (fiat, _, _), book in self._books.items():
            if fiat in shift.delists and book.is_listed:
                self._churn.delist(book)
            elif fiat in shift.lists and not book.is_listed:
                self._churn.list_again(book)
        self._delisted |= dict.fromkeys(shift.delists, shift)
        for fiat in shift.lists:
            self._delisted.pop(fiat, None)

    def advance(self, minutes: float = 0.0) -> None:
        """Let time pass, with all that happens in it.

        Raises:
            ValueError: for a number of minutes that is negative or no number.
        """
        if not 0 <= minutes < inf:
            raise ValueError(f"the market's clock goes forward only, not by {minutes} minutes")
        with self._lock:
            until = self._minutes + minutes
            while self._shifts and self._shifts[0][0] <= until:
                at, shift = self._shifts.pop(0)
                self._churn.advance(at - self._minutes)
                self._minutes = at
                self._apply(shift)
            self._churn.advance(until - self._minutes)
            self._minutes = until

    def pass_time(self, seconds: float) -> None:
        """Let this much time pass while the market is read."""
        self.advance(seconds / 60.0)

    def changes(self, since: int = 0) -> list[Change]:
        """All changes numbered above `since`, in order; none for the offers of the start."""
        with self._lock:
            return self._changes[max(0, since) :]

    def book(self, fiat: str, asset: str, side: str) -> list[OfferState]:
        """The true state of a book (the taker's side), in page order; empty if not listed."""
        with self._lock:
            book = self._books.get((fiat, asset, side))
            return [state_of(offer) for offer in book.offers] if book else []

    def count(self) -> int:
        """How many offers are online."""
        with self._lock:
            return sum(len(side.online) for side in self._sides)

    def page(self, query: Query) -> Answer:
        """The page asked for; no items past the end or where the pair is not listed."""
        with self._lock:
            self._answers += 1
            book = self._books.get((query.fiat, query.asset, query.side))
            if book is None:
                return Answer([], 0)
            offers = book.offers
            if query.methods or query.publisher or query.amount is not None:
                offers = [offer for offer in offers if _matches(offer, query)]
            first = (query.page - 1) * query.rows
            items = [
                self._renderer.item(offer, self._answers)
                for offer in offers[first : first + query.rows]
            ]
            return Answer(items, len(offers))

    def fiat_list(self) -> list[dict[str, Any]]:
        """`data` of the fiat-list endpoint."""
        return [fiat_entry(code) for code in self.fiats]

    def portal(self, fiat: str) -> dict[str, Any]:
        """`data` of portal/config for a listed fiat."""
        listed = [asset for code, asset in self.pairs if code == fiat]
        sides = {"BUY": listed, "SELL": listed}
        return portal_data(sides, [method.identifier for method in methods_of(fiat)])

    def conditions(self, fiat: str) -> dict[str, Any]:
        """`data` of filter-conditions for a listed fiat."""
        methods = [method.payload(self._shape.names_pay_type) for method in methods_of(fiat)]
        return conditions_data(methods, FIATS[fiat].country)


def _matches(offer: Offer, query: Query) -> bool:
    if query.methods and not any(m.identifier in query.methods for m in offer.methods):
        return False
    if query.publisher and (query.publisher == "merchant") is not offer.person.is_merchant:
        return False
    return query.amount is None or offer.min_amount <= query.amount <= offer.max_amount
