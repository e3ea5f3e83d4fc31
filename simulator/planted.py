"""Books of known price, depth and terms in place of the market's own: walks of trades, and bait.

Whoever plants the books of a walk knows what it nets, for how much, and, by when they are read, how
old it is. A planted book stands still, whatever the rest of the market does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from random import Random

from simulator.offers import Offer
from simulator.people import advertiser

_ORDERS = 500
_LARGEST = 10**9


@dataclass(frozen=True)
class Planted:
    """What stands in a book: `offers` ads of different makers at one price.

    `quantity` of the asset can be had of each, in orders from `smallest` units of the fiat on.
    """

    price: float
    quantity: float
    offers: int = 6
    smallest: int = 1


def make_planted(offer: Offer, planted: Planted, rng: Random) -> None:
    """Have an ad be one of these, its maker a merchant of good standing with no other ad."""
    book = offer.book
    offer.person.offers.remove(offer)
    offer.person = advertiser(rng, is_merchant=True)
    offer.person.month_orders, offer.person.finish_rate = _ORDERS, 1.0
    offer.person.offers.append(offer)
    offer.price = round(planted.price * 10.0**book.price_scale)
    commission = 1 + offer.commission / 1e8 if book.maker_sells else 1.0
    offer.surplus = ceil(planted.quantity * commission * 10.0**book.asset_scale)
    offer.locked = 0
    offer.min_amount, offer.max_amount = planted.smallest, _LARGEST
    offer.is_bait = offer.is_promoted = False
    offer.is_still = True
    offer.hides_dynamic_max = False
