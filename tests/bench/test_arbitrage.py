"""The market of which the bench of walks takes the cost."""

from __future__ import annotations

from bench.arbitrage import ASSETS, market_of


def test_each_listed_book_of_the_largest_fiats_fills_every_ticket() -> None:
    market = market_of(3)
    assert len(market.fiats) == 3
    assert {asset for _, asset in market.pairs} == set(ASSETS)
    for fiat, asset in market.pairs:
        for side in ("BUY", "SELL"):
            offers = market.book(fiat, asset, side)
            assert len(offers) == 6
            worth = sum(offer.tradable_quantity for offer in offers) * offers[0].price
            assert float(worth) > 10_000 * market.fair_price(fiat, "USDT")
