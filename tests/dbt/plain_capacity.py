"""What a book can take, said once more in plain Python and in fractions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor
from typing import Any

from tests.dbt.plain_market import Offer, by_price, is_eligible, quote, ratio

TICKETS = (20, 50, 100, 200, 500, 1000, 5000, 10000)
BANDS = ("0.5", "1", "2", "3", "5")


def executable(side: str, offers: Sequence[Offer]) -> Iterator[dict[str, Any]]:
    """The rows of `executable_prices` for a whole book of USDT."""
    dollar = quote(side, offers)["reference_price"]
    if dollar is None:
        return
    best_first = by_price(side, offers)
    best = next((offer.p for offer in best_first if is_eligible(offer, best_first)), None)
    methods = sorted({method for offer in offers for method in offer.methods})
    for method in [None, *methods]:
        listed = [offer for offer in best_first if method is None or method in offer.methods]
        eligible = [offer for offer in listed if is_eligible(offer, best_first)]
        for ticket in TICKETS:
            amount = ticket * dollar
            swept, filled, orders = sweep(eligible, listed, amount)
            sign = 1 if side == "BUY" else -1
            yield {
                "payment_method": method or "any",
                "ticket_usd": ticket,
                "ticket_amount": amount,
                "single_order_price": single_order(listed, amount),
                "single_order_price_eligible": single_order(eligible, amount),
                "sweep_price": swept,
                "fill_ratio": Fraction(floor(filled / amount * 10**4), 10**4),
                "n_orders": orders,
                "slippage_pct": sign * (swept / best - 1) * 100 if swept and best else None,
                "is_filled": filled == amount or single_order(listed, amount) is not None,
            }


def most_of_one_order(offer: Offer) -> Fraction:
    """min(M, v): the largest fiat amount that one order can take."""
    return min(offer.most, offer.p * offer.q)


def single_order(best_first: Sequence[Offer], amount: Fraction) -> Fraction | None:
    """The best price that one order of the whole amount gets."""
    able = [o for o in best_first if Fraction(o.smallest) <= amount <= most_of_one_order(o)]
    return able[0].p if able else None


def sweep(
    best_first: Sequence[Offer], listed: Sequence[Offer], amount: Fraction
) -> tuple[Fraction | None, Fraction, int]:
    """Mean price to four more decimals than the prices have, fiat filled, and orders."""
    taken: list[tuple[Fraction, Fraction]] = []
    for offer in best_first:
        remaining = amount - sum((price * take for price, take in taken), Fraction(0))
        take = min(offer.q, offer.most / offer.p, remaining / offer.p)
        if take > 0 and take * offer.p >= Fraction(offer.smallest):
            taken.append((offer.p, take))
    filled = sum((price * take for price, take in taken), Fraction(0))
    mean = ratio(filled, sum((take for _, take in taken), Fraction(0)))
    usable = [o for o in listed if 0 < most_of_one_order(o) >= Fraction(o.smallest)]
    digits = 4 + max((decimals(offer.price) for offer in usable), default=0)
    return (
        None if mean is None else Fraction(floor(mean * 10**digits + Fraction(1, 2)), 10**digits),
        filled,
        len(taken),
    )


def decimals(price: str) -> int:
    """Decimals of a price, without noughts at its end."""
    return len(price.partition(".")[2].rstrip("0"))


def depth(side: str, offers: Sequence[Offer]) -> Iterator[dict[str, Any]]:
    """The rows of `depth_bands` for a whole book."""
    reference = quote(side, offers)["reference_price"]
    if reference is None:
        return
    best_first = by_price(side, offers)
    for band in BANDS:
        within = [o for o in offers if abs(o.p / reference - 1) * 100 <= Fraction(band)]
        yield {
            "band_pct": Fraction(band),
            "reference_price": reference,
            "quantity": sum(o.q for o in within),
            "eligible_quantity": sum(o.q for o in within if is_eligible(o, best_first)),
            "value": sum(o.p * o.q for o in within),
            "offers": len(within),
            "advertisers": len({o.user for o in within}),
        }
