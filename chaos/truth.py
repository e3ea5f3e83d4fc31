"""What the market really was, round by round, and the history that follows from it in plain Python.

A round is one state of the market: it stands still while runs come and go. Whatever is read of it,
and however often, shows the same; so history can be told in rounds, without a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from simulator.market import Market
from simulator.offers import OfferState
from simulator.source import Change

BookKey = tuple[str, str, str]
"""Fiat, asset and the taker's side."""
SIDES = ("BUY", "SELL")
OF_ADVERTISERS = ("orders", "renamed")
"""Changes that open no version of an offer."""


@dataclass(frozen=True)
class Terms:
    """All that defines a version of an offer, as far as the simulated market lets it change."""

    user_no: str
    payment_methods: tuple[str, ...]
    price: Decimal
    surplus_quantity: Decimal
    tradable_quantity: Decimal
    min_order_amount: Decimal
    max_order_amount: Decimal
    pay_time_limit_minutes: int
    is_promoted: bool
    is_kyc_required: bool


@dataclass(frozen=True)
class Version:
    """A stretch of rounds in which an offer stood unchanged; `until` is the first without it."""

    book: BookKey
    adv_no: str
    terms: Terms
    since: int
    until: int | None


@dataclass
class Truth:
    """The states that a market went through, and the numbered changes between them."""

    states: list[dict[BookKey, dict[str, Terms]]] = field(default_factory=list)
    changes: list[list[Change]] = field(default_factory=list)
    """By round: those since the round before."""

    def add(self, market: Market) -> None:
        """Take down the market as it stands: a round begins."""
        told = sum(len(some) for some in self.changes)
        self.changes.append(market.changes(told))
        self.states.append(
            {
                (fiat, asset, side): {
                    offer.adv_no: terms_of(offer) for offer in market.book(fiat, asset, side)
                }
                for fiat, asset in market.pairs
                for side in SIDES
            }
        )

    def versions(self) -> Counter[Version]:
        """The history: one version a stretch, each of them once."""
        found: Counter[Version] = Counter()
        for book in self.states[0]:
            seen = [state[book] for state in self.states]
            for adv_no in sorted({number for state in seen for number in state}):
                found.update(_stretches(book, adv_no, [state.get(adv_no) for state in seen]))
        return found


def _stretches(book: BookKey, adv_no: str, terms: Sequence[Terms | None]) -> list[Version]:
    found = []
    since = 0
    for number, stood in enumerate(terms):
        if number and stood == terms[number - 1]:
            continue
        since = number
        until = next((n for n in range(number, len(terms)) if terms[n] != stood), None)
        if stood is not None:
            found.append(Version(book, adv_no, stood, since, until))
    return found


def terms_of(offer: OfferState) -> Terms:
    """The terms of an offer of the simulated market."""
    return Terms(
        user_no=offer.user_no,
        payment_methods=tuple(sorted(offer.payment_methods)),
        price=offer.price,
        surplus_quantity=offer.surplus_quantity,
        tradable_quantity=offer.tradable_quantity,
        min_order_amount=offer.min_order_amount,
        max_order_amount=offer.max_order_amount,
        pay_time_limit_minutes=offer.pay_time_limit_minutes,
        is_promoted=offer.is_promoted,
        is_kyc_required=offer.is_kyc_required,
    )


@dataclass(frozen=True)
class Accounted:
    """Where the numbered changes of a market went."""

    told: int
    """Changes of an offer whose version begins or ends in the round that follows."""
    undone: int
    """Changes that were gone before the next look: the offer stands as it stood, or not at all."""
    of_advertisers: int
    lost: tuple[Change, ...]
    """An offer changed for good, and no version says so."""
    invented: tuple[tuple[int, BookKey, str], ...]
    """A version begins or ends in this round, and nothing happened to its offer."""


def account(truth: Truth, versions: Mapping[Version, int]) -> Accounted:
    """Hold the beginnings and ends of `versions` against the market's own log, change by change."""
    told = undone = of_advertisers = 0
    lost: list[Change] = []
    edges = {
        (number, version.book, version.adv_no)
        for version in versions
        for number in (version.since, version.until)
        if number
    }
    explained = set()
    for number, changes in enumerate(truth.changes):
        for change in changes:
            edge = (number, change.book, change.adv_no)
            before, after = (
                truth.states[n][change.book].get(change.adv_no) for n in (number - 1, number)
            )
            if change.kind in OF_ADVERTISERS:
                of_advertisers += 1
                continue
            explained.add(edge)
            if edge in edges:
                told += 1
            elif before == after:
                undone += 1
            else:
                lost.append(change)
    return Accounted(told, undone, of_advertisers, tuple(lost), tuple(sorted(edges - explained)))
