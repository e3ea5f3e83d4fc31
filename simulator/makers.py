"""Makes offers and gives them advertisers, in the composition of section 5 of the API note."""

from __future__ import annotations

from math import exp
from random import Random

from simulator.bait import is_bait, make_bait
from simulator.chance import pick
from simulator.methods import Method, methods_of
from simulator.offers import Book, Offer, ad_number
from simulator.people import Advertiser, advertiser
from simulator.prices import (
    age_days,
    ask_price,
    bid_price,
    is_far,
    rounded_amount,
    surplus_usd,
    ticks,
)
from simulator.rates import ASSET_USD, FIAT_PER_USD, fair_price
from simulator.shapes import Generation

_MERCHANTS = 0.34
_PROMOTED_A_BOOK = 2
_ADS_A_BOOK = 4
# One to five payment methods. The Americas list as many as they may, as measured on BOB; elsewhere
# one or two do, as on the page of 2026 (and as the mean of 3.1 KB an offer requires).
_MANY_METHODS = ((1, 0.15), (2, 0.12), (3, 0.14), (4, 0.145), (5, 1.0))
_FEW_METHODS = ((1, 0.47), (2, 0.30), (3, 0.13), (4, 0.06), (5, 1.0))
_PAY_MINUTES = (15, 15, 15, 15, 15, 15, 30, 30, 60, 45)
# How far a level wanders in a day, as a fraction.
_FIAT_DRIFT, _ASSET_DRIFT = 0.002, 0.012
# Quantities were measured in books of 121 and 223 ads. Drawn alike in a book of twenty, one ad far
# from the market would often hold three quarters of it: the smaller the book, the less they offer.
_FULL_SIZE, _FAR_AT_LEAST = 240.0, 0.1
_STABLE = frozenset({"USDT", "USDC", "FDUSD"})


class Levels:
    """Where the middle of each market stands; it wanders with time, one walk a fiat and asset.

    Assets share their fiat's walk and fiats their asset's, so that crosses stay consistent.
    """

    def __init__(self, rng: Random) -> None:
        """Starts every level at its fair price, when it is first asked for."""
        self._rng = rng
        self._walks: dict[str, tuple[float, float]] = {}

    def _walk(self, name: str, a_day: float, minute: float) -> None:
        level, since = self._walks.get(name, (0.0, minute))
        if minute - since > 0.5:
            level += self._rng.gauss(0.0, a_day * ((minute - since) / 1440.0) ** 0.5)
            since = minute
        self._walks[name] = (level, since)

    def drift(self, name: str) -> float:
        """How far a fiat or an asset has wandered, as a logarithm; looking moves nothing."""
        return self._walks.get(name, (0.0, 0.0))[0]

    def now(self, fiat: str, asset: str) -> float:
        """The middle of the competitive zone of a pair, in fiat; looking moves nothing."""
        drift = self.drift(fiat) + (0.0 if asset in _STABLE else self.drift(asset))
        return fair_price(fiat, asset) * exp(drift)

    def middle(self, book: Book, minute: float) -> float:
        """The middle of the competitive zone of the book's pair, in fiat."""
        self._walk(book.fiat.code, _FIAT_DRIFT, minute)
        if book.asset not in _STABLE:
            self._walk(book.asset, _ASSET_DRIFT, minute)
        return self.now(book.fiat.code, book.asset)


class Makers:
    """Where offers come from."""

    def __init__(
        self, rng: Random, generation: Generation, books: dict[tuple[str, str, str], Book]
    ):
        """Makes offers for these books, all from one stream of chance."""
        self._rng = rng
        self._generation = generation
        self._books = books
        self._count = 0
        self._numbers: set[str] = set()
        self.levels = Levels(rng)

    def _person(self, book: Book) -> Advertiser:
        """Mostly somebody new; some have more ads in the book, or stand on its other side too."""
        rng = self._rng
        u = rng.random()
        neighbours = self._neighbours(book, u)
        if neighbours:
            known = rng.choice(neighbours).person
            if sum(offer.book is book for offer in known.offers) < _ADS_A_BOOK:
                return known
        return advertiser(rng, rng.random() < _MERCHANTS)

    def _neighbours(self, book: Book, u: float) -> list[Offer]:
        """The ads among whose advertisers this chance looks for the next ad's; none for a new."""
        fiat, asset, side = book.key
        if u < 0.075:
            return book.offers
        if u < 0.26:
            return self._books[fiat, asset, "SELL" if side == "BUY" else "BUY"].offers
        main = self._books.get((fiat, "USDT", side))
        if u < 0.60 and asset != "USDT" and main:
            return main.offers
        return []

    def methods(self, book: Book) -> tuple[Method, ...]:
        """One to five methods of the fiat; 0.73% list one of them twice, then without names."""
        rng = self._rng
        available = methods_of(book.fiat.code)
        counts = _MANY_METHODS if book.fiat.utc_offset <= -3 else _FEW_METHODS
        count = min(pick(counts, rng.random()) or 1, len(available))
        chosen: dict[int, None] = {}
        while len(chosen) < count:
            chosen[int(len(available) * rng.random() ** 2)] = None
        methods = [available[at] for at in chosen]
        if rng.random() < 0.0073:
            methods = [*methods[:4], methods[0].nameless()]
        return tuple(methods)

    def limits(self, book: Book, surplus_value_usd: float) -> tuple[int, int]:
        """Least and most fiat an order may have; the least may exceed what the ad can fill."""
        rng = self._rng
        per_usd = FIAT_PER_USD[book.fiat.code]
        least = rounded_amount(per_usd * exp(2.7 + 1.1 * rng.gauss(0.0, 1.0)))
        u = rng.random()
        if u < 0.45:
            most = rounded_amount(per_usd * surplus_value_usd)
        elif u < 0.97:
            most = rounded_amount(per_usd * exp(7.5 + 1.3 * rng.gauss(0.0, 1.0)))
        else:
            # Shop windows: a range so narrow that hardly an order fits.
            most = least + 1
        return least, max(least, most)

    def price(self, book: Book, chance: float, minute: float) -> int:
        """The price of a maker who wants to stand at this quantile of the book, in last digits."""
        relative = ask_price(chance) if book.maker_sells else bid_price(chance)
        return ticks(self._rng, self.levels.middle(book, minute) * relative, book.price_scale)

    def quantity(self, book: Book, chance: float) -> int:
        """How much a maker at this quantile offers, in last digits of the asset.

        Some of the makers type round sums.
        """
        rng = self._rng
        usd = surplus_usd(rng, book.maker_sells)
        if is_far(chance, book.maker_sells):
            usd *= min(1.0, max(_FAR_AT_LEAST, book.size / _FULL_SIZE))
        if rng.random() < 0.4 and book.asset == "USDT":
            usd = float(rounded_amount(usd))
        return max(1, round(usd / ASSET_USD[book.asset] * 10.0**book.asset_scale))

    def make(self, book: Book, minute: float, now_ms: int, is_new: bool) -> Offer:
        """An offer that opens now, or one that has stood for a while."""
        rng = self._rng
        random = rng.random
        person = self._person(book)
        sells = book.maker_sells
        age_ms = 0 if is_new else int(age_days(rng, sells) * 86_400_000)
        prefix = self._generation.ad_prefixes[person.is_merchant]
        number = ad_number(prefix, now_ms - age_ms, rng.getrandbits(22))
        while number in self._numbers:
            number = ad_number(prefix, now_ms - age_ms, rng.getrandbits(22))
        self._numbers.add(number)
        self._count += 1
        chance = random()
        surplus = self.quantity(book, chance)
        usd = surplus / 10**book.asset_scale * ASSET_USD[book.asset]
        least, most = self.limits(book, usd)
        promoted = random() < 0.012 and book.size >= 10 and book.promoted < _PROMOTED_A_BOOK
        offer = Offer(
            adv_no=number,
            book=book,
            person=person,
            created_ms=now_ms - age_ms,
            chance=chance,
            price=self.price(book, chance, minute),
            surplus=surplus,
            locked=int(600 * random()) if sells and random() < 0.016 else 0,
            min_amount=least,
            max_amount=most,
            pay_minutes=_PAY_MINUTES[int(10 * random())],
            asks_kyc=random() < (0.4 if self._generation.year >= 2026 else 0.05),
            is_promoted=promoted,
            hides_dynamic_max=random() < 0.0005,
            methods=self.methods(book),
            # Ads of a volatile asset float with its price, else they would be off within hours.
            is_restless=random() < (0.10 if sells else 0.07) or book.asset not in _STABLE,
            is_busy=random() < (0.40 if sells else 0.25),
            number=self._count,
        )
        if is_bait(book, chance):
            make_bait(offer)
        person.offers.append(offer)
        return offer
