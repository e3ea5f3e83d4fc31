"""What each number of a market means, said once more in plain Python and in fractions.

It shares nothing with the SQL but the definitions of `metric_definitions`: where both agree on
books that nobody chose, neither is likely to be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Any

from tests.landing import item

OFF_MARKET = Fraction(3, 100)
ABSURD = 2
MICRO = Fraction(5, 100)
LEAST_OFFERS = 5
LEAST_ADVERTISERS = 3


@dataclass(frozen=True)
class Offer:
    """One offer of a made-up book; amounts as the exchange writes them."""

    price: str
    quantity: str = "100"
    smallest: str = "50"
    largest: str = "500"
    user: str = "s1"
    orders: int = 500
    is_merchant: bool = False
    is_promoted: bool = False
    methods: tuple[str, ...] = ("Wise",)
    dynamic: str | None = None

    @property
    def most(self) -> Fraction:
        """M: the largest order, of what the maximum and the dynamic maximum allow."""
        return min(Fraction(most) for most in (self.largest, self.dynamic) if most is not None)

    @property
    def p(self) -> Fraction:
        """Its price."""
        return Fraction(self.price)

    @property
    def q(self) -> Fraction:
        """Its tradable quantity."""
        return Fraction(self.quantity)

    def item(self, adv_no: str, side: str) -> dict[str, Any]:
        """The offer as a page shows it."""
        return item(
            adv_no,
            self.price,
            side=side,
            adv={
                "surplusAmount": self.quantity,
                "tradableQuantity": self.quantity,
                "minSingleTransAmount": self.smallest,
                "maxSingleTransAmount": self.largest,
                "dynamicMaxSingleTransAmount": self.dynamic,
                "classify": "profession" if self.is_merchant else "mass",
            },
            advertiser={"userNo": self.user, "monthOrderCount": self.orders},
            methods=[{"identifier": name, "tradeMethodName": name} for name in self.methods],
            promoted=self.is_promoted,
        )


def quote(side: str, offers: Sequence[Offer]) -> dict[str, Any]:
    """Every number of `market_quotes` for a whole book; the keys are its columns."""
    best_first = by_price(side, offers)
    eligible = eligible_of(best_first)
    prices = sorted(offer.p for offer in offers)
    tenth = [offer.p for offer in best_first[: len(offers) // 10]]
    naive = commonest(tenth)
    competitive = competitive_prices(eligible)
    advertisers = list(by_advertiser(offers).values())
    hhi = index_of_shares(advertisers)
    return {
        "best_raw": best_first[0].p if best_first else None,
        "best_eligible": eligible[0].p if eligible else None,
        "median": quantile(prices, Fraction(1, 2)),
        "p10": quantile(prices, Fraction(1, 10)),
        "p25": quantile(prices, Fraction(1, 4)),
        "p75": quantile(prices, Fraction(3, 4)),
        "p90": quantile(prices, Fraction(9, 10)),
        "vwap": mean_price(offers),
        "vwap_eligible": mean_price(eligible),
        "naive": naive,
        "naive_support": None if naive is None else tenth.count(naive),
        "ref_q25": price_at_share(best_first, Fraction(1, 4)),
        "competitive_median": median(competitive) if competitive else None,
        "n_competitive": len(competitive),
        "top10_median": quantile(sorted(offer.p for offer in best_first[:10]), Fraction(1, 2)),
        "conservative_5th": best_first[4].p if len(best_first) >= 5 else None,
        "reference_price": reference(eligible),
        "is_thin": reference(eligible) is None,
        "n_offers": len(offers),
        "n_eligible": len(eligible),
        "n_advertisers": len(advertisers),
        "tradable_quantity": sum(offer.q for offer in offers),
        "tradable_value": sum(offer.p * offer.q for offer in offers),
        "executable_value": sum(min(offer.most, offer.p * offer.q) for offer in offers),
        "hhi": hhi,
        "hhi_offers": index_of_shares([offer.q for offer in offers]),
        "cr4": share_of_largest(advertisers, 4),
        "cr10": share_of_largest(advertisers, 10),
        "gini": gini(advertisers),
        "merchant_share": ratio(sum(offer.is_merchant for offer in offers), len(offers)),
        "promoted_count": sum(offer.is_promoted for offer in offers),
        "confidence": round(Fraction(len(eligible), len(eligible) + 5) * (1 - hhi / 10000), 4)
        if hhi is not None
        else 0,
    }


def by_price(side: str, offers: Iterable[Offer]) -> list[Offer]:
    """The best for the taker first."""
    return sorted(offers, key=lambda offer: offer.p if side == "BUY" else -offer.p)


def competitive_prices(eligible: Sequence[Offer]) -> list[Fraction]:
    """The best of the eligible prices: a tenth of them, and five at least."""
    return [offer.p for offer in eligible[: max(LEAST_OFFERS, len(eligible) // 10)]]


def reference(eligible: Sequence[Offer]) -> Fraction | None:
    """The price of a market, from its eligible offers, the best first; of a thin one none."""
    if len(eligible) < LEAST_OFFERS or len({offer.user for offer in eligible}) < LEAST_ADVERTISERS:
        return None
    return median(competitive_prices(eligible))


def is_eligible(offer: Offer, best_first: Sequence[Offer]) -> bool:
    """Whether a cleaned price may rest on the offer."""
    return offer in eligible_of(best_first)


def eligible_of(best_first: Sequence[Offer]) -> list[Offer]:
    """The offers of a whole book on which a cleaned price may rest, the best first."""
    if not best_first:
        return []
    reference = price_at_share(best_first, Fraction(1, 4))
    middle = best_first[(len(best_first) - 1) // 2].p
    if reference is not None and not is_of_the_market(reference, middle):
        reference = middle
    return [
        offer
        for offer in best_first
        if can_be_had(offer)
        and (len(best_first) < 3 or reference is None or abs(offer.p / reference - 1) <= OFF_MARKET)
    ]


def can_be_had(offer: Offer) -> bool:
    """Whether an order fits the offer's limits, and its advertiser trades."""
    is_fiction = Fraction(offer.smallest) > offer.p * offer.q
    is_micro = offer.most < MICRO * offer.p * offer.q
    return not (is_fiction or is_micro or offer.orders <= 0)


def is_of_the_market(price: Fraction | None, middle: Fraction | None) -> bool:
    """Whether a price is less than so many times another, and the other way round."""
    return (
        price is not None
        and middle is not None
        and price <= ABSURD * middle
        and middle <= ABSURD * price
    )


def ratio(part: int | Fraction, whole: int | Fraction) -> Fraction | None:
    """A share, of nothing none."""
    return Fraction(part) / Fraction(whole) if whole else None


def quantile(ascending: Sequence[Fraction], share: Fraction) -> Fraction | None:
    """The value at a share of the way from the first to the last, interpolated."""
    if not ascending:
        return None
    place = share * (len(ascending) - 1)
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (place - below) * (ascending[above] - ascending[below])


def commonest(best_first: Sequence[Fraction]) -> Fraction | None:
    """The mode; of equals the better one, which a Counter met first."""
    return Counter(best_first).most_common(1)[0][0] if best_first else None


def price_at_share(best_first: Sequence[Offer], share: Fraction) -> Fraction | None:
    """The price at which the quantity, from the best on, reaches a share of the book."""
    total = sum(offer.q for offer in best_first)
    reached = Fraction(0)
    for offer in best_first:
        reached += offer.q
        if total and reached >= share * total:
            return offer.p
    return None


def mean_price(offers: Iterable[Offer]) -> Fraction | None:
    """The mean price, weighted by quantity."""
    offers = list(offers)
    return ratio(sum((o.p * o.q for o in offers), Fraction(0)), sum(o.q for o in offers))


def by_advertiser(offers: Iterable[Offer]) -> Mapping[str, Fraction]:
    """The quantity that each advertiser offers."""
    quantities: dict[str, Fraction] = {}
    for offer in offers:
        quantities[offer.user] = quantities.get(offer.user, Fraction(0)) + offer.q
    return quantities


def index_of_shares(quantities: Sequence[Fraction]) -> Fraction | None:
    """Herfindahl and Hirschman's, up to 10,000."""
    total = sum(quantities)
    return sum(((100 * q / total) ** 2 for q in quantities), Fraction(0)) if total else None


def share_of_largest(quantities: Sequence[Fraction], count: int) -> Fraction | None:
    """What the largest hold, in per cent."""
    largest = sorted(quantities, reverse=True)[:count]
    return ratio(100 * sum(largest), sum(quantities))


def gini(quantities: Sequence[Fraction]) -> Fraction | None:
    """Gini's coefficient, from its mean absolute difference, not from the ranks that SQL uses."""
    apart = sum(abs(one - other) for one in quantities for other in quantities)
    return ratio(apart, 2 * len(quantities) * sum(quantities))
