"""Ads priced better than the market that nobody can take: what a naive price falls for.

On the real exchange the best ask is below the best bid in 72 to 87% of half-hours, while the
competitive zone trades at 0.45%. What crosses cannot be had: limits that no order fits, room for
one unit of money, a few dollars' worth, a way to pay that hardly anybody has, and makers who left
long ago and whose two ads at one price win every tie.
"""

from __future__ import annotations

from simulator.chance import share
from simulator.methods import methods_of
from simulator.offers import Book, Offer
from simulator.rates import ASSET_USD, FIAT_PER_USD

# Beyond these quantiles of its book an ad is priced better than the competitive zone.
_ASKS_BELOW, _BIDS_ABOVE = 0.006, 0.99
_TOP_UP = "Mobiletopup"
DEAD_A_BOOK = 2
_DEAD_FROM, _WITH_DEAD = 100.0, 0.25  # the usual size of the smallest such book; share of them
_DEAD_PRICE = {True: 0.979, False: 1.018}  # against the middle of the zone, by whether makers sell


def within_reach(book: Book, chance: float) -> float:
    """The nearest quantile of the book at which an ad can be taken."""
    least, most = (_ASKS_BELOW, 0.9999) if book.maker_sells else (0.0001, _BIDS_ABOVE)
    return min(most, max(least, chance))


def is_bait(book: Book, chance: float) -> bool:
    """Whether an ad that wants to stand at this quantile of its book is bait."""
    return chance < _ASKS_BELOW if book.maker_sells else chance > _BIDS_ABOVE


def make_bait(offer: Offer) -> None:
    """Have an ad that is priced so be one that nobody can take."""
    book = offer.book
    per_usd = FIAT_PER_USD[book.fiat.code]
    offer.is_bait, offer.is_restless, offer.is_busy = True, False, False
    kind = share("bait", offer.adv_no)
    top_up = next((m for m in methods_of(book.fiat.code) if m.identifier == _TOP_UP), None)
    if kind < 0.45:
        # Room for a few cents' worth, as for one boliviano.
        offer.min_amount = offer.max_amount = max(1, round(per_usd / 10))
    elif kind < 0.65:
        # A minimum above all that is left.
        value = offer.surplus / 10**book.asset_scale * offer.price / 10**book.price_scale
        offer.min_amount = 2 * max(1, round(value))
        offer.max_amount = max(offer.max_amount, 2 * offer.min_amount)
    elif kind < 0.75 and top_up is not None:
        offer.methods = (top_up,)
    else:
        # Alone and tiny: room for one small order.
        usd = 4.0 + 8.0 * share("tiny", offer.adv_no)
        offer.surplus = max(1, round(usd / ASSET_USD[book.asset] * 10.0**book.asset_scale))
        offer.min_amount, offer.max_amount = max(1, round(2 * per_usd)), max(2, round(20 * per_usd))


def has_dead(seed: int, book: Book) -> bool:
    """Whether two dead ads stand in the book, as in a quarter of those that are large enough."""
    return book.size >= _DEAD_FROM and share(seed, "dead", book.key) < _WITH_DEAD


def make_dead(offers: list[Offer], middle: float) -> None:
    """Have these ads of one book stand at one price, for good; `middle` is that of the zone."""
    book = offers[0].book
    price = round(middle * _DEAD_PRICE[book.maker_sells] * 10.0**book.price_scale)
    for offer in offers:
        offer.price = max(1, price)
        offer.is_bait = offer.is_still = True
        offer.is_restless = offer.is_busy = offer.is_promoted = False
