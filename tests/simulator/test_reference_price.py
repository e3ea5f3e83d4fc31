"""What the reference price's own rule, in plain Python, finds in books full of bait."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from fractions import Fraction

import pytest

from simulator.market import Market
from simulator.offers import OfferState
from simulator.universe import FIATS
from tests.dbt.plain_market import Offer, by_price, eligible_of, reference
from tests.simulator.conftest import SIDES

ENOUGH = 20
"""Offers of a book from which on its reference price has to hold."""


def reference_of(side: str, book: Sequence[OfferState]) -> Fraction | None:
    """The reference price of a book as it stands; none where it is thin."""
    offers = [
        Offer(
            price=str(state.price),
            quantity=str(state.tradable_quantity),
            smallest=str(state.min_order_amount),
            largest=str(state.max_order_amount),
            user=state.user_no,
            orders=state.month_order_count,
        )
        for state in book
    ]
    return reference(eligible_of(by_price(side, offers)))


def spread_pct(prices: dict[str, Fraction | None]) -> float | None:
    """The spread between both sides' reference prices, in per cent; none where one is thin."""
    ask, bid = (prices.get(side) for side in SIDES)
    return None if ask is None or bid is None else float(100 * (ask / bid - 1))


def references(market: Market, fiat: str, asset: str, least: int = 0) -> dict[str, Fraction | None]:
    """The reference price of each side that has so many offers at least."""
    books = {side: market.book(fiat, asset, side) for side in SIDES}
    return {side: reference_of(side, book) for side, book in books.items() if len(book) >= least}


def test_bait_moves_the_reference_price_of_hardly_any_book_through_the_day() -> None:
    spreads, off_fair, thin = [], [], 0
    for seed in (1, 2):
        # Neither the largest books, in which no single ad counts, nor those of a few ads.
        market = Market(seed, fiats=list(FIATS)[5:60], assets=["USDT", "USDC", "BTC", "ETH"])
        for _ in range(4):
            for pair in market.pairs:
                prices = references(market, *pair, least=ENOUGH)
                fair = market.fair_price(*pair)
                held = [float(price) for price in prices.values() if price is not None]
                thin += len(prices) - len(held)
                off_fair += [abs(price / fair - 1) for price in held]
                spread = spread_pct(prices)
                spreads += [] if spread is None else [spread]
            market.advance(360)
    assert len(spreads) > 350
    assert thin < 0.02 * len(off_fair)
    assert statistics.mean(-0.5 <= spread <= 3 for spread in spreads) >= 0.99
    assert statistics.mean(off <= 0.01 for off in off_fair) >= 0.99


@pytest.mark.parametrize("seed", [3, 4])
def test_the_spread_of_48_captures_of_a_day_hardly_moves(seed: int) -> None:
    market = Market(seed, fiats=["BOB"], assets=["USDT"])
    spreads = []
    for _ in range(48):
        spreads.append(spread_pct(references(market, "BOB", "USDT")))
        market.advance(30)
    held = [spread for spread in spreads if spread is not None]
    assert len(held) == len(spreads)
    assert min(held) >= 0
    assert statistics.stdev(held) < 0.15
