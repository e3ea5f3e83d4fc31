"""The rest of the cookbook's questions, worked out from the made-up market: all rows, in order.

Of prices at several times, of depth and spreads, of premiums and crosses, and of the readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

from tests.docs.plain_cookbook import (
    BUY,
    LAST,
    LAST_DAY,
    SELL,
    Answer,
    book_of,
    eligible,
    is_trusted,
    reference,
)
from tests.landing import Book
from tests.made_up_market import CUT_SHORT, DAYS, METHODS, READINGS, START

HOUR = timedelta(hours=1)
STEPS = range(LAST + 1)
ARS: tuple[Book, Book] = (("ARS", "USDT", "BUY"), ("ARS", "USDT", "SELL"))
VES: tuple[Book, Book] = (BUY, SELL)
Offers = Sequence[dict[str, Any]]


def at(book: Book, step: int) -> datetime:
    """When a book was read at a step."""
    day, number = divmod(step, READINGS)
    seconds = 20 * (book[2] == "SELL")
    return START + timedelta(days=day, minutes=30 * number, seconds=seconds)


def rounded(value: Decimal, places: int) -> Decimal:
    """Half away from nought, as PostgreSQL does."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def per_cent(price: Decimal, of: Decimal, places: int = 2) -> Decimal:
    """By how much a price is above another."""
    return rounded(100 * (price / of - 1), places)


def trusted(book: Book, steps: Iterable[int] = STEPS) -> list[int]:
    """The steps at which a book made prices."""
    return [step for step in steps if is_trusted(book, step)]


def best_of_all(book: Book, step: int) -> Decimal:
    """The best price of a book, be it bait."""
    prices: list[Decimal] = [one["price"] for one in book_of(book, step)]
    return min(prices) if book[2] == "BUY" else max(prices)


def vwap(offers: Offers) -> Decimal:
    """The mean price by quantity."""
    value, quantity = Decimal(0), Decimal(0)
    for one in offers:
        value, quantity = value + one["price"] * one["quantity"], quantity + one["quantity"]
    return value / quantity


def past() -> Answer:
    """2: the last trusted reading five minutes before the newest."""
    moment = at(SELL, LAST) - timedelta(minutes=5)
    answer = []
    for book in VES:
        step = max(step for step in trusted(book) if at(book, step) <= moment)
        answer.append(
            {
                "side": book[2],
                "reference_price": reference(book, step),
                "best_eligible": eligible(book, step)[0]["price"],
                "snapshot_at": at(book, step),
                "age": moment - at(book, step),
            }
        )
    return answer


def candles() -> Answer:
    """3: the hours of both sides, the newest first; two readings an hour are expected."""
    answer = []
    for start in sorted({at(BUY, step).replace(minute=0) for step in STEPS}, reverse=True):
        for book in VES:
            steps = [s for s in trusted(book) if start <= at(book, s) < start + HOUR]
            prices = [reference(book, step) for step in steps]
            answer.append(
                {
                    "period_start": start,
                    "side": book[2],
                    "open": prices[0],
                    "high": max(prices),
                    "low": min(prices),
                    "close": prices[-1],
                    "n_snapshots": len(prices),
                    "coverage_pct": 50 * len(prices),
                }
            )
    return answer


def notions() -> Answer:
    """4: the best, the middle and the mean of all offers, and of those that are no bait."""
    answer = []
    for book in (SELL, BUY):
        everyone, price = book_of(book, LAST), reference(book, LAST)
        middle, mean = median(one["price"] for one in everyone), vwap(everyone)
        answer.append(
            {
                "side": book[2],
                "reference_price": price,
                "best_raw": best_of_all(book, LAST),
                "best_eligible": eligible(book, LAST)[0]["price"],
                "median": middle,
                "vwap": mean,
                "vwap_eligible": vwap(eligible(book, LAST)),
                "median_off_pct": per_cent(middle, price),
                "vwap_off_pct": per_cent(mean, price),
            }
        )
    return answer


def bought(offers: Offers, amount: Decimal) -> Decimal | None:
    """What an amount costs, best first over several offers, or by one that takes all of it."""
    left, taken = amount, Decimal(0)
    for one in offers:
        take = min(one["quantity"], one["most"] / one["price"], left / one["price"])
        if left > 0 and take * one["price"] >= one["least"]:
            taken, left = taken + take, left - take * one["price"]
    if abs(left) < Decimal("1e-12"):
        return rounded(amount / taken, 6)
    whole = [one["price"] for one in offers if one["least"] <= amount <= room(one)]
    return min(whole, default=None)


def room(one: dict[str, Any]) -> Decimal:
    """The largest order that an offer can take."""
    largest: Decimal = min(one["most"], one["price"] * one["quantity"])
    return largest


def methods() -> Answer:
    """7: what a hundred dollars cost by each method on the last day, the cheapest first."""
    steps = trusted(BUY, LAST_DAY)
    answer = []
    for method in METHODS:
        takers = [one for step in steps for one in book_of(BUY, step) if method in one["methods"]]
        share = Decimal(len(takers)) / sum(len(book_of(BUY, step)) for step in steps)
        fit = [[o for o in eligible(BUY, step) if method in o["methods"]] for step in steps]
        prices = [
            bought(offers, 100 * reference(BUY, step))
            for offers, step in zip(fit, steps, strict=True)
        ]
        had = [price for price in prices if price is not None]
        # Of the best five, as a tenth is fewer; more than three have it, or too few for a price.
        assert all(len({o["user"] for o in offers}) >= 3 for offers in fit if len(offers) >= 5)
        own = [(o[2]["price"], s) for o, s in zip(fit, steps, strict=True) if len(o) >= 5]
        market = sum((reference(BUY, step) for _, step in own), Decimal(0))
        if share < Decimal("0.05"):
            continue
        answer.append(
            {
                "payment_method": method,
                "executable_at_100": sum(had, Decimal(0)) / len(had) if had else None,
                "could_be_had_pct": rounded(Decimal(100 * len(had)) / len(steps), 0),
                "offers_pct": rounded(100 * share, 1),
                "premium_pct": (
                    per_cent(sum((price for price, _ in own), Decimal(0)), market) if own else None
                ),
            }
        )
    assert [row for row in answer if row["executable_at_100"] is None] == []
    return sorted(answer, key=lambda row: (row["executable_at_100"], -row["offers_pct"]))


def depth() -> Answer:
    """8: what is on offer within so many per cent of the reference price."""
    answer = []
    for book in VES:
        price, fit = reference(book, LAST), {one["number"] for one in eligible(book, LAST)}
        for band in ("0.5", "1", "2", "3", "5"):
            near = [
                one
                for one in book_of(book, LAST)
                if 100 * abs(one["price"] / price - 1) <= Decimal(band)
            ]
            answer.append(
                {
                    "side": book[2],
                    "band_pct": Decimal(band),
                    "usdt_eligible": sum(o["quantity"] for o in near if o["number"] in fit),
                    "usdt_listed": sum(one["quantity"] for one in near),
                    "offers": len(near),
                    "advertisers": len({one["user"] for one in near}),
                }
            )
    return answer


def spread(pair: tuple[Book, Book], step: int) -> Decimal:
    """By how much the ask is above the bid, in per cent."""
    buy, sell = pair
    return 100 * (reference(buy, step) / reference(sell, step) - 1)


def spreads() -> Answer:
    """9: the spreads of the last hour, the widest first."""
    answer = [
        {
            "trading_pair": f"{buy[0]}/USDT",
            "ask": reference(buy, step),
            "bid": reference(sell, step),
            "spread_pct": rounded(spread((buy, sell), step), 2),
            "spread_of_best_pct": per_cent(best_of_all(buy, step), best_of_all(sell, step)),
            "seconds_between": 20,
            "buy_snapshot_at": at(buy, step),
        }
        for buy, sell in (ARS, VES)
        for step in (LAST - 1, LAST)
    ]
    return sorted(answer, key=lambda row: -row["spread_pct"])


def bent() -> Answer:
    """10: how far bait bends the best price and the mean, in the last hour."""
    answer = []
    for book in (*ARS, *VES):
        for step in (LAST - 1, LAST):
            everyone, fit = book_of(book, step), eligible(book, step)
            best, best_eligible = best_of_all(book, step), fit[0]["price"]
            answer.append(
                {
                    "trading_pair": f"{book[0]}/USDT",
                    "side": book[2],
                    "n_offers": len(everyone),
                    "n_eligible": len(fit),
                    "best_raw": best,
                    "best_eligible": best_eligible,
                    "best_bent_pct": abs(per_cent(best, best_eligible)),
                    "vwap_bent_pct": abs(per_cent(vwap(everyone), vwap(fit))),
                }
            )
    return sorted(answer, key=lambda row: -row["best_bent_pct"])


def health() -> Answer:
    """12: how old each book is when the newest was read, and how much of a day was read."""
    now = at(SELL, LAST)
    answer = []
    for side in (0, 1):
        for book in (ARS[side], VES[side]):
            steps = [step for step in STEPS if at(book, step) >= now - timedelta(days=1)]
            whole = [step for step in steps if (book, *divmod(step, READINGS)) != CUT_SHORT]
            expected = 1 + 24 * 60 // 30
            answer.append(
                {
                    "trading_pair": f"{book[0]}/USDT",
                    "side": book[2],
                    "is_stale": False,
                    "minutes_behind": 0,
                    "usual_minutes": 30,
                    "coverage_pct": rounded(Decimal(100 * len(whole)) / expected, 1),
                    "n_readings": len(steps),
                    "n_complete": len(whole),
                    "n_trusted": len(trusted(book, steps)),
                    "last_verdict": "trusted",
                    "last_reasons": None,
                }
            )
    return answer


def premiums_by_side() -> Answer:
    """15: the day's median ask and bid in dollars, over what a bank sells and buys at."""
    answer = []
    for day in reversed(range(DAYS)):
        both = [
            step
            for step in range(day * READINGS, (day + 1) * READINGS)
            if is_trusted(BUY, step) and is_trusted(SELL, step)
        ]
        ask, bid = (median(reference(book, step) for step in both) for book in VES)
        known = min(day, DAYS - 2)  # the last day brought no rate
        for kind, rate, buys, sells in (
            ("bank", 390, 385, 395),
            ("mid_market", 400, 400, 400),
        ):
            answer.append(
                {
                    "day": (START + timedelta(days=day)).date(),
                    "rate_kind": kind,
                    "official_rate": Decimal(rate + known),
                    "official_rate_date": (START + timedelta(days=known)).date(),
                    "who_buys_pays_pct": per_cent(ask * Decimal("0.9999"), Decimal(sells + known)),
                    "who_sells_gets_pct": per_cent(bid * Decimal("0.9999"), Decimal(buys + known)),
                }
            )
    return answer


def crosses() -> Answer:
    """16: the last bid of the one fiat over the last ask of the other, and there and back."""
    rates = {"VES": Decimal(401), "ARS": Decimal(1401)}
    answer = []
    for payer, payee in ((VES, ARS), (ARS, VES)):
        rate = reference(payee[1], LAST) / reference(payer[0], LAST)
        back = reference(payer[1], LAST) / reference(payee[0], LAST)
        official = rates[payee[0][0]] / rates[payer[0][0]]
        answer.append(
            {
                "from_fiat_code": payer[0][0],
                "to_fiat_code": payee[0][0],
                "implied_rate": rate,
                "official_cross_rate": official,
                "premium_pct": per_cent(rate, official),
                "round_trip_cost_pct": rounded(100 * (1 - rate * back), 2),
                "seconds_between": 20,
            }
        )
    return sorted(answer, key=lambda row: -row["premium_pct"])


def hours() -> Answer:
    """20: the ten hours of the week with the smallest spread; Caracas is four behind UTC."""
    answer = []
    for start in sorted({at(BUY, step).replace(minute=0) for step in STEPS}):
        found = [
            spread(VES, step)
            for step in STEPS
            if start <= at(BUY, step) < start + HOUR
            and is_trusted(BUY, step)
            and is_trusted(SELL, step)
        ]
        local = start - timedelta(hours=4)
        answer.append(
            {
                "time_zone": "America/Caracas",
                "weekday": local.isoweekday(),
                "hour": local.hour,
                "median_spread_pct": rounded(median(found), 3),
                "offers": 2 * len(book_of(BUY, LAST)),
                "volatility_pct": None,
                "n_hours": 1,
            }
        )
    answer.sort(key=lambda row: (row["median_spread_pct"], row["weekday"], row["hour"]))
    return answer[:10]


WHOLE: dict[int, Callable[[], Answer]] = {
    2: past, 3: candles, 4: notions, 7: methods, 8: depth, 9: spreads, 10: bent, 12: health,
    15: premiums_by_side, 16: crosses, 20: hours,
}  # fmt: skip
"""Answers of which all rows are worked out, and in their order."""
