"""What the cookbook's questions must be answered with, worked out from the made-up market itself.

Of the answers: a few columns of the first rows, which is what a reader takes from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tests.landing import Book
from tests.made_up_market import (
    CUT_SHORT,
    DAYS,
    HOSTILE,
    OFFERS,
    READINGS,
    SKILLS,
    SWAPPED,
    offer,
)

BUY: Book = ("VES", "USDT", "BUY")
SELL: Book = ("VES", "USDT", "SELL")
LAST = DAYS * READINGS - 1
LAST_DAY = range((DAYS - 1) * READINGS, DAYS * READINGS)
Answer = list[dict[str, Any]]


def book_of(book: Book, step: int) -> list[dict[str, Any]]:
    """A book as it stood, the ad and the advertiser of each offer in one."""
    every = [offer(book, place, step) for place in range(OFFERS)]
    return [
        {
            "price": Decimal(one["adv"]["price"]),
            "quantity": Decimal(one["adv"]["tradableQuantity"]),
            "least": Decimal(one["adv"]["minSingleTransAmount"]),
            "most": Decimal(one["adv"]["maxSingleTransAmount"]),
            "methods": {method["identifier"] for method in one["adv"]["tradeMethods"]},
            "number": one["adv"]["advNo"],
            "user": one["advertiser"]["userNo"],
            "orders": one["advertiser"]["monthOrderCount"],
        }
        for one in every
    ]


def is_trusted(book: Book, step: int) -> bool:
    """Whether the reading of a book at a step is one of those that make prices."""
    return (book, *divmod(step, READINGS)) not in (CUT_SHORT, SWAPPED)


def eligible(book: Book, step: int) -> list[dict[str, Any]]:
    """The offers of a book that a price may rest on, the best first.

    The first of all is bait, some take orders of less than a twentieth of what they have, none of
    the others is farther than 3% from the market, and every advertiser has orders.
    """
    way = 1 if book[2] == "BUY" else -1
    offers = [
        one
        for one in book_of(book, step)[1:]
        if one["most"] >= Decimal("0.05") * one["price"] * one["quantity"]
    ]
    return sorted(offers, key=lambda one: (way * one["price"], one["number"]))


def reference(book: Book, step: int) -> Decimal:
    """The median of the best five of them, since a tenth is fewer."""
    offers = eligible(book, step)
    assert 5 <= len(offers) < 60
    price: Decimal = offers[2]["price"]
    return price


def now() -> Answer:
    """1: the reference prices of the pair's sides."""
    return [
        {"trading_pair": "VES/USDT", "side": book[2], "reference_price": reference(book, LAST)}
        for book in (BUY, SELL)
    ]


def hundred_dollars_by_method() -> Answer:
    """5: the best eligible offer that takes a hundred dollars' worth, by method."""
    amount = 100 * reference(BUY, LAST)
    fit = [
        one
        for one in eligible(BUY, LAST)
        if one["least"] <= amount <= min(one["most"], one["price"] * one["quantity"])
    ]
    return [
        {
            "payment_method": method,
            "ticket_amount": amount,
            "single_order_price_eligible": min(
                one["price"] for one in fit if method in one["methods"]
            ),
        }
        for method in ("Banesco", "PagoMovil")
    ]


def mean_price(book: Book, dollars: int) -> Decimal:
    """What several orders, the best first, come to for an asset, for so many dollars in all.

    Where they leave a rest that nobody takes: the best order that takes the whole.
    """
    amount = left = dollars * reference(book, LAST)
    taken = Decimal(0)
    for one in eligible(book, LAST):
        take = min(one["quantity"], one["most"] / one["price"], left / one["price"])
        if left > 0 and take * one["price"] >= one["least"]:
            taken, left = taken + take, left - take * one["price"]
    if abs(left) < Decimal("1e-12"):
        return amount / taken
    price: Decimal = next(
        one["price"]
        for one in eligible(book, LAST)
        if one["least"] <= amount <= min(one["most"], one["price"] * one["quantity"])
    )
    return price


def amounts() -> Answer:
    """6: the mean price of several orders, from the cheapest on."""
    return [
        {"ticket_usd": Decimal(dollars), "sweep_price": round(mean_price(BUY, dollars), 6)}
        for dollars in (20, 50, 100, 200, 500, 1000)
    ]


def walks() -> Answer:
    """23: nothing but both sides of one pair; for each amount the fiat that loses least."""
    answer = []
    for dollars in (20, 50, 100, 200, 500, 1000):
        nets = {
            fiat: mean_price((fiat, "USDT", "SELL"), dollars)
            / mean_price((fiat, "USDT", "BUY"), dollars)
            for fiat in ("VES", "ARS")
        }
        best = max(nets, key=lambda fiat: nets[fiat])
        answer.append(
            {
                "shape": "one_book",
                "fiat_code": best,
                "ticket_usd": Decimal(dollars),
                "net_pct": round(100 * (nets[best] - 1), 3),
                "capacity_usd": Decimal(10000),
                "is_one_method": True,
            }
        )
    return answer


def alerts() -> Answer:
    """24: from the first reading of each day a dollar costs half more in VES than officially."""
    answer = []
    for day, rate in enumerate((400, 401, 401)):
        step = day * READINGS
        mid = (reference(BUY, step) + reference(SELL, step)) / 2
        premium = round(100 * (mid / rate - 1), 2)
        answer.append({"rule": "high_premium", "fiat_code": "VES", "observed": premium})
    return answer


def bait() -> Answer:
    """11: the one offer far below the market, whose smallest order is above all it holds."""
    first = book_of(BUY, LAST)[0]
    return [{"adv_no": first["number"], "price": first["price"], "is_limit_fiction": True}]


def untrusted() -> Answer:
    """13: the reading that was cut short, and the one of the wrong side."""
    return [
        {"side": "BUY", "quality_reasons": "http_429", "readings": 1},
        {"side": "SELL", "quality_reasons": "maker_side_mismatch", "readings": 1},
    ]


def premiums() -> Answer:
    """14: the day's median mid, in dollars by the spot price, over the rate of the day before."""
    steps = [step for step in LAST_DAY if is_trusted(BUY, step)]
    mids = sorted((reference(BUY, step) + reference(SELL, step)) / 2 for step in steps)
    middle = (mids[(len(mids) - 1) // 2] + mids[len(mids) // 2]) / 2
    dollars = middle * Decimal("0.9999")
    return [
        {
            "trading_pair": "VES/USDT",
            "rate_kind": kind,
            "rate_source": source,
            "is_official_carried_forward": True,
            "official_rate": rate,
            "premium_mid_pct": round(100 * (dollars / rate - 1), 2),
        }
        for kind, source, rate in (
            ("bank", "BCV", Decimal(391)),
            ("mid_market", "open.er-api.com", Decimal(401)),
        )
    ]


def held() -> Counter[str]:
    """What each advertiser had on offer, summed over the readings of the last day."""
    sums: Counter[str] = Counter()
    for step in filter(lambda step: is_trusted(BUY, step), LAST_DAY):
        for one in book_of(BUY, step):
            sums[one["user"]] += one["quantity"]
    return sums


def concentration() -> Answer:
    """17: the squares of the shares, and what the four largest have."""
    shares = [part / held().total() for part in held().values()]
    return [
        {
            "side": "BUY",
            "n_advertisers": len(shares),
            "hhi": round(10_000 * sum(share**2 for share in shares)),
            "cr4": round(100 * sum(sorted(shares)[-4:]), 1),
        }
    ]


def largest() -> Answer:
    """18: the largest is the one who writes HTML where others write names."""
    ((user, part),) = held().most_common(1)
    share = round(100 * Decimal(part) / held().total(), 2)
    return [{"user_no": user, "nickname": HOSTILE, "tradable_pct": share}]


def falls() -> Iterator[tuple[Decimal, Decimal]]:
    """Price and quantity of each fall within an offer's limits at one price, on the last day."""
    before: dict[str, dict[str, Any]] = {}
    for step in range(LAST_DAY[0] - 1, LAST_DAY[-1] + 1):
        if not is_trusted(BUY, step):
            continue
        for one in book_of(BUY, step):
            was = before.get(one["number"])
            if was and was["price"] == one["price"] and was["quantity"] > one["quantity"]:
                fallen = was["quantity"] - one["quantity"]
                if one["least"] <= fallen * one["price"] <= one["most"]:
                    yield one["price"], fallen
            before[one["number"]] = one


def turnover() -> Answer:
    """19: what fell at a standing price; every advertiser's order count rose meanwhile."""
    found = list(falls())
    assert found
    quantity = sum(fallen for _, fallen in found)
    return [
        {
            "side": "BUY",
            "fills": len(found),
            "lower": quantity,
            "inferred": quantity,
        }
    ]


def next_states() -> Answer:
    """21: the states of the middle price by the hour, which has two readings but for the last."""
    found: Counter[tuple[str, str]] = Counter()
    for day in range(DAYS):
        closes: list[dict[int, Decimal]] = [
            {
                number // 2: reference(book, day * READINGS + number)
                for number in range(READINGS)
                if is_trusted(book, day * READINGS + number)
            }
            for book in (BUY, SELL)
        ]
        mids = {
            hour: (closes[0][hour] + closes[1][hour]) / 2
            for hour in closes[0].keys() & closes[1].keys()
        }
        moves = {
            hour: 100 * (mids[hour] / mids[hour - 1]).ln() for hour in mids if hour - 1 in mids
        }
        states = {
            hour: "up" if move > Decimal("0.1") else "down" if move < Decimal("-0.1") else "flat"
            for hour, move in moves.items()
        }
        found.update((states[hour - 1], states[hour]) for hour in states if hour - 1 in states)
    return [
        {"state": state, "next_state": following, "n": found[state, following]}
        for state in ("down", "flat", "up")
        for following in ("down", "flat", "up")
    ]


def tomorrow() -> Answer:
    """22: what the made-up forecast says, beside the skill of its model."""
    return [
        {
            "horizon_hours": hours,
            "forecast": 600 + 8 * Decimal(str(SKILLS[model, hours])),
            "model_id": model,
            "has_skill": SKILLS[model, hours] > 0,
            "skill_pct": 100 * Decimal(str(SKILLS[model, hours])),
            "covered_pct": 81,
            "reason": None,
        }
        for model, hours in (("drift", 1), ("persistence", 24))
    ]


PLAIN: dict[int, Callable[[], Answer]] = {
    1: now, 5: hundred_dollars_by_method, 6: amounts, 11: bait, 13: untrusted, 14: premiums,
    17: concentration, 18: largest, 19: turnover, 21: next_states, 22: tomorrow, 23: walks,
    24: alerts,
}  # fmt: skip
