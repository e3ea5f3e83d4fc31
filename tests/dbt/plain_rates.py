"""Official rates, pegs and premiums, said once more in plain Python and in fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from statistics import median, median_low
from typing import Any

from tests.landing import Rate

JUMP = 3


@dataclass(frozen=True)
class Official:
    """What is told of a fiat on a day."""

    published: Rate
    withheld: str | None


def official(rates: Iterable[Rate], day: date) -> Official | None:
    """The last believable rate by a day; `rates` are of one fiat and kind, one a date."""
    by_day = sorted(rates, key=lambda rate: rate.published_at)
    told: Rate | None = None
    withheld = None
    for place, rate in enumerate(by_day):
        if rate.published_at.date() > day:
            break
        before = [Fraction(each.rate) for each in by_day[max(0, place - 2) : place]]
        here = Fraction(rate.rate)
        if not before or any(one / JUMP <= here <= one * JUMP for one in before):
            told, withheld = rate, None
        else:
            withheld = rate.rate if rate.published_at.date() == day else None
    return Official(told, withheld) if told else None


def usd_per_asset(
    readings: Mapping[date, Sequence[Mapping[str, tuple[str, str]]]], asset: str, day: date
) -> Fraction | None:
    """The median of the last day that has any, by then; the dollar is one USDC."""
    for known in sorted((each for each in readings if each <= day), reverse=True):
        values = [
            _middle(prices[asset]) / _middle(prices["USDC"])
            if asset != "USDT"
            else 1 / _middle(prices["USDC"])
            for prices in readings[known]
            if "USDC" in prices and (asset == "USDT" or asset in prices)
        ]
        if values:
            return median(values)
    return None


def premium(
    spreads: Sequence[Mapping[str, Any]], of_fiat: Official | None, peg: Fraction | None
) -> dict[str, Any]:
    """The numbers of a row of `parallel_premiums`, from the day's spreads of its pair."""
    ask = median(Fraction(spread["ask"]) for spread in spreads)
    bid = median(Fraction(spread["bid"]) for spread in spreads)
    mid = (ask + bid) / 2
    told: dict[str, Any] = {
        "p2p_ask": ask,
        "p2p_bid": bid,
        "p2p_mid": mid,
        "usd_per_asset": peg,
        "shadow_rate": mid / peg if peg else None,
        "n_spreads": len(spreads),
        "n_offers": median_low(spread["n_offers"] for spread in spreads),
        "confidence": median_low(spread["confidence"] for spread in spreads),
        "is_crossed": ask < bid,
    }
    names = ("premium_mid_pct", "premium_sell_pct", "premium_buy_pct")
    if of_fiat is None or peg is None:
        return {**told, **dict.fromkeys(names)}
    rate = of_fiat.published
    sides = (rate.rate, rate.bid or rate.rate, rate.ask or rate.rate)
    for name, price, there in zip(names, (mid, bid, ask), sides, strict=True):
        told[name] = (price / peg / Fraction(there) - 1) * 100
    return told


def crosses(
    spreads: Sequence[Mapping[str, Any]], rates: Mapping[str, Fraction | None], most: int
) -> dict[tuple[str, str], dict[str, Any]]:
    """The pairs of fiats of one cycle and asset, from books of `n_eligible` offers each."""
    deepest = sorted(spreads, key=lambda each: (-each["n_eligible"], each["fiat_code"]))[:most]
    told = {}
    for payer in deepest:
        for payee in deepest:
            if payer is payee:
                continue
            there, back = (
                Fraction(one["bid"]) / Fraction(other["ask"])
                for one, other in ((payee, payer), (payer, payee))
            )
            middles = [(Fraction(s["ask"]) + Fraction(s["bid"])) / 2 for s in (payer, payee)]
            one, other = rates[payer["fiat_code"]], rates[payee["fiat_code"]]
            cross = other / one if one and other else None
            told[payer["fiat_code"], payee["fiat_code"]] = {
                "implied_rate": there,
                "official_cross_rate": cross,
                "implied_premium_pct": (there / cross - 1) * 100 if cross else None,
                "mid_rate": middles[1] / middles[0],
                "mid_premium_pct": (middles[1] / middles[0] / cross - 1) * 100 if cross else None,
                "round_trip_cost_pct": (1 - there * back) * 100,
                "seconds_between": abs((payee["bid_at"] - payer["ask_at"]).total_seconds()),
                "n_offers": min(s["n_eligible"] for s in (payer, payee)),
                "confidence": min(s["confidence"] for s in (payer, payee)),
                "is_crossed": any(Fraction(s["ask"]) < Fraction(s["bid"]) for s in (payer, payee)),
            }
    return told


def _middle(prices: tuple[str, str]) -> Fraction:
    return (Fraction(prices[0]) + Fraction(prices[1])) / 2
