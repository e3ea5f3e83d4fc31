"""Candles and days of payment methods, said once more in plain Python and in fractions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median, stdev
from typing import Any
from zoneinfo import ZoneInfo

from tests.dbt.plain_capacity import executable
from tests.dbt.plain_market import Offer, by_price, is_eligible, quote, ratio, reference

Spread = tuple[datetime, Fraction, Fraction, int]
"""When the asks of a pair were read, the spread in per cent, the mid, and the offers of both."""

Moment = tuple[datetime, Fraction | None, bool]
"""When a book was read, its price, and whether the reading can be trusted."""

LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


def minutes(span: timedelta) -> Fraction:
    """Whole microseconds in minutes."""
    return Fraction(span // timedelta(microseconds=1), 60_000_000)


def cadence(moments: Sequence[Moment], before: datetime) -> Fraction:
    """The lower middle one of the last nine gaps between readings up to a moment."""
    times = [at for at, _, _ in moments if at < before]
    gaps = [minutes(b - a) for a, b in zip(times, times[1:], strict=False)]
    last = sorted(gaps[-9:])
    return last[(len(last) - 1) // 2] if last else Fraction(20)


def candles(moments: Sequence[Moment]) -> dict[tuple[str, datetime], dict[str, Any]]:
    """The candles of one book and notion by period and start; in the order of time."""
    trusted = [moment for moment in moments if moment[2]]
    told: dict[tuple[str, datetime], dict[str, Any]] = {}
    for period, length in LENGTHS.items():
        starts = sorted({start_of(period, at) for at, _, _ in trusted})
        for start in starts:
            inside = [moment for moment in trusted if start <= moment[0] < start + length]
            priced = [(at, price) for at, price, _ in inside if price is not None]
            if not priced:
                continue
            prices = [price for _, price in priced]
            weights = [weight(moments, trusted, at) for at, _ in priced]
            edges = [start, *(at for at, _, _ in inside), start + length]
            # A day ends with the cadence of its last hour that has a reading.
            end = start_of("hour", inside[-1][0]) + LENGTHS["hour"]
            expected = minutes(length) / cadence(moments, end)
            told[period, start] = {
                "open": prices[0],
                "high": max(prices),
                "low": min(prices),
                "close": prices[-1],
                "time_weighted_mean": ratio(
                    sum((w * p for w, p in zip(weights, prices, strict=True)), Fraction(0)),
                    sum(weights, Fraction(0)),
                ),
                "n_snapshots": len(priced),
                "expected": round(expected, 4),
                "coverage_pct": round(100 * min(Fraction(1), len(priced) / expected), 4),
                "longest_gap_minutes": max(
                    minutes(b - a) for a, b in zip(edges, edges[1:], strict=False)
                ),
            }
    return told


def weight(moments: Sequence[Moment], trusted: Sequence[Moment], at: datetime) -> Fraction:
    """Minutes for which the price of a trusted reading holds."""
    usual = cadence(moments, start_of("hour", at) + LENGTHS["hour"])
    later = [moment[0] for moment in trusted if moment[0] > at]
    return min(minutes(later[0] - at) if later else usual, 2 * usual)


def start_of(period: str, at: datetime) -> datetime:
    """When the hour or day (UTC) began."""
    began = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return began.replace(hour=0) if period == "day" else began


def hours_of_week(spreads: Sequence[Spread], zone: str) -> dict[tuple[int, int], dict[str, Any]]:
    """The rows of `hour_of_week` for one pair by weekday and hour; in the order of time."""

    def hour_of(at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(zone)).replace(minute=0, second=0, microsecond=0)

    last = {hour_of(at): mid for at, _, mid, _ in spreads}
    moves: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for before, here in pairwise(last):
        if here - before == timedelta(hours=1):
            moves[here.isoweekday(), here.hour].append(100 * math.log(last[here] / last[before]))
    told: dict[tuple[int, int], dict[str, Any]] = {}
    for place in {(hour.isoweekday(), hour.hour) for hour in last}:
        some = [s for s in spreads if (hour_of(s[0]).isoweekday(), hour_of(s[0]).hour) == place]
        told[place] = {
            "median_spread_pct": median(spread for _, spread, _, _ in some),
            "offers": round(Fraction(sum(count for *_, count in some), len(some)), 4),
            "volatility_pct": round(stdev(moves[place]), 6) if len(moves[place]) > 1 else None,
            "n_hours": len({hour_of(at) for at, *_ in some}),
            "n": len(some),
        }
    return told


def method_days(side: str, snapshots: Sequence[Sequence[Offer]]) -> dict[str, dict[str, Any]]:
    """The rows of `payment_method_days` by method, for the whole books of one day."""
    books = [offers for offers in snapshots if offers]
    quotes = [quote(side, offers) for offers in books]
    fills = [
        {row["payment_method"]: row for row in executable(side, offers) if row["ticket_usd"] == 100}
        for offers in books
    ]
    told: dict[str, dict[str, Any]] = {}
    for method in sorted({name for offers in books for offer in offers for name in offer.methods}):
        sums: defaultdict[str, Fraction] = defaultdict(Fraction)
        for offers, whole, filled in zip(books, quotes, fills, strict=True):
            listed = [offer for offer in offers if method in offer.methods]
            if not listed:
                continue
            part = quote(side, listed)
            sums["snapshots"] += 1
            sums["offers"] += len(listed)
            sums["advertisers"] += part["n_advertisers"]
            sums["quantity"] += part["tradable_quantity"]
            if part["naive"] is not None:
                sums["naive"] += part["naive"]
                sums["naives"] += 1
            sums["confidence"] += whole["confidence"]
            best_first = by_price(side, offers)
            own = reference([o for o in best_first if o in listed and is_eligible(o, best_first)])
            if own is not None:
                sums["own"] += own
                sums["owns"] += 1
                sums["market"] += whole["reference_price"]
            if filled:
                sums["known"] += 1
                row = filled[method]
                price = row["sweep_price"] if row["fill_ratio"] == 1 else None
                price = price or row["single_order_price_eligible"]
                sums["paid"] += price or 0
                sums["filled"] += price is not None
        premium = ratio(sums["own"], sums["market"])
        told[method] = {
            "n_snapshots": sums["snapshots"],
            "offers_share": ratio(sums["offers"], sum(len(offers) for offers in books)),
            "market_offers": Fraction(sum(len(offers) for offers in books), len(books)),
            "advertisers_share": ratio(
                sums["advertisers"], sum(whole["n_advertisers"] for whole in quotes)
            ),
            "quantity": sums["quantity"] / len(books),
            "market_quantity": sum(whole["tradable_quantity"] for whole in quotes) / len(books),
            "naive": ratio(sums["naive"], sums["naives"]),
            "reference_price": ratio(sums["own"], sums["owns"]),
            "n_references": sums["owns"],
            "premium_pct": None if premium is None else (premium - 1) * 100,
            "executable_at_100": ratio(sums["paid"], sums["filled"]),
            "executable_at_100_share": ratio(sums["filled"], sums["known"]),
            "confidence": sums["confidence"] / sums["snapshots"],
        }
    return told
