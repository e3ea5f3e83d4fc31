"""Distributions of section 5 of the API note, measured on USDT/BOB, as functions of a chance.

Two reference levels. `C` is the middle of the competitive zone; the median of the SELL ads (asks)
stands a little above it and that of the BUY ads (bids) well below it, since many bids are stale or
hopeful: 5.9% between the medians where the competitive zone trades at 0.45%.
"""

from __future__ import annotations

from math import exp, log
from random import Random

from simulator.chance import quantile

# Probability and price against the side's median. p5, p25, p75, p95, p99 as measured; the ends are
# the extremes seen (3.2x and 0.33x), which are legitimate; the flat parts are where makers compete.
# The far ends towards the touch are what crosses it: single ads whose limits make them fiction.
# Half of the bids compete, as in a recorded book of 215 (43% within 1% of where it trades).
_ASKS = (
    (0.0, -0.035), (0.004, -0.0072), (0.05, -0.0040), (0.10, -0.0035), (0.25, -0.0025),
    (0.50, 0.0), (0.75, 0.0075), (0.88, 0.05), (0.95, 0.21), (0.99, 0.30), (0.999, 0.80),
    (1.0, 2.20),
)  # fmt: skip
_BIDS = (
    (0.0, -0.67), (0.003, -0.55), (0.05, -0.34), (0.25, -0.12), (0.48, -0.01), (0.50, 0.0),
    (0.52, 0.045), (0.60, 0.0535), (0.75, 0.0563), (0.90, 0.0577), (0.95, 0.0580), (0.993, 0.0628),
    (1.0, 0.18),
)  # fmt: skip
_ASK_MEDIAN = 1.0070
_BID_MEDIAN = 0.9411
_LARGEST_SURPLUS_USD = 80_000.0  # 73,139 in a recorded book


def ask_price(u: float) -> float:
    """Price of a SELL ad at quantile `u` of its book, as a multiple of C."""
    return _ASK_MEDIAN * (1.0 + quantile(_ASKS, u))


def bid_price(u: float) -> float:
    """Price of a BUY ad at quantile `u` of its book, as a multiple of C."""
    return _BID_MEDIAN * (1.0 + quantile(_BIDS, u))


def is_far(u: float, maker_sells: bool) -> bool:
    """Whether a maker at quantile `u` of the book stands far from where ads compete."""
    return u > 0.80 if maker_sells else u < 0.53


def price_scale(price: float) -> int:
    """Digits after the point: two, or more where the price would have less than four figures."""
    scale = 2
    while price * 10**scale < 1000 and scale < 10:
        scale += 1
    return scale


def ticks(rng: Random, price: float, scale: int) -> int:
    """The price in units of its last digit; a third of the makers choose round numbers."""
    units = price * 10.0**scale
    if rng.random() < 0.33 and units >= 10000:
        step = 10.0 ** max(0, len(str(int(units))) - 4)
        return max(1, round(round(units / step) * step))
    return max(1, round(units))


def surplus_usd(rng: Random, maker_sells: bool) -> float:
    """What is left in an ad, in US dollars: median 450 (SELL) or 1,000 (BUY), p95 9,900, 30,000."""
    median, spread = (450.0, 1.88) if maker_sells else (1000.0, 2.07)
    while True:
        usd = median * exp(spread * rng.gauss(0.0, 1.0))
        if usd <= _LARGEST_SURPLUS_USD:
            return usd


def age_days(rng: Random, maker_sells: bool) -> float:
    """How long ago an ad was made: median 13 (SELL) and 68 (BUY) days, never above four years."""
    median, spread = (13.0, 1.7) if maker_sells else (68.0, 1.6)
    return min(1460.0, exp(log(median) + spread * rng.gauss(0.0, 1.0)))


def rounded_amount(amount: float) -> int:
    """An amount as people type it: 1, 2, 3 or 5 and zeros, at least 1."""
    if amount < 1.0:
        return 1
    power = 10.0 ** (len(str(int(amount))) - 1)
    lead = amount / power
    return int((1 if lead < 1.5 else 2 if lead < 2.5 else 3 if lead < 4 else 5) * power)


# Hour of the local day and size of the book against its mean. The SELL ads of a country go to
# sleep with it (76 ads at 04h, 150 at 14h); the BUY ads, which need nobody awake, hardly.
_DAY_OF_ASKS = (
    (0.0, 0.92), (4.0, 0.63), (5.0, 0.60), (8.0, 0.92), (11.0, 1.20), (14.0, 1.24), (21.0, 1.22),
    (24.0, 0.92),
)  # fmt: skip
_DAY_OF_BIDS = ((0.0, 1.0), (5.0, 0.90), (11.0, 1.05), (21.0, 1.05), (24.0, 1.0))


def day_curve(hour: float, maker_sells: bool) -> float:
    """How large a book is at this local hour, against its mean over the day."""
    return quantile(_DAY_OF_ASKS if maker_sells else _DAY_OF_BIDS, hour)
