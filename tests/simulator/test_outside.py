"""The two hosts beside the exchange, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from simulator.faults import Faults
from simulator.market import Market
from simulator.outside import RATES, SPOT, premium
from simulator.rates import PARALLEL_PREMIUM
from simulator.server import Exchange


def get(exchange: Exchange, path: str, **parameters: str) -> requests.Response:
    return requests.get(exchange.url + path, params=parameters, timeout=5)


def rates(exchange: Exchange) -> Any:
    return get(exchange, RATES).json()


def best_of_tenth(market: Market, fiat: str, side: str) -> float:
    """About what the competitive zone trades at."""
    prices = [float(offer.price) for offer in market.book(fiat, "USDT", side)]
    prices.sort(reverse=side == "SELL")
    return prices[len(prices) // 10]


def test_rates_have_the_shape_of_the_real_host_and_are_renewed_once_a_day(
    exchange: Exchange,
) -> None:
    before = rates(exchange)
    assert (before["result"], before["base_code"], before["rates"]["USD"]) == ("success", "USD", 1)
    assert before["time_next_update_unix"] - before["time_last_update_unix"] == 86_400
    exchange.advance(60)
    assert rates(exchange) == before
    exchange.advance(60 * 24)
    after = rates(exchange)
    assert after["time_last_update_unix"] == before["time_next_update_unix"]
    assert after["rates"]["VES"] != before["rates"]["VES"]
    assert "ZWG" not in after["rates"], "some fiat has no official rate"
    assert exchange.requests["rates"] == 3
    assert exchange.times == [], "these are no requests to the exchange"


@pytest.mark.parametrize("fiat", ["VES", "ARS", "BOB", "COP"])
def test_a_dollar_costs_on_the_market_its_official_rate_and_the_fiats_premium(
    large: Market, fiat: str
) -> None:
    with Exchange(large) as exchange:
        official = rates(exchange)["rates"][fiat]
    middle = (best_of_tenth(large, fiat, "BUY") + best_of_tenth(large, fiat, "SELL")) / 2
    expected = premium(large, fiat)
    assert middle / official - 1 == pytest.approx(expected, abs=0.02 * (1 + expected))
    assert premium(large, fiat) == pytest.approx(PARALLEL_PREMIUM.get(fiat, 0), rel=0.05)


def test_spot_prices_follow_the_market_and_an_unknown_symbol_spoils_the_request(
    exchange: Exchange,
) -> None:
    wanted = '["BTCUSDT","USDCUSDT"]'
    first = get(exchange, SPOT, symbols=wanted).json()
    assert [entry["symbol"] for entry in first] == ["BTCUSDT", "USDCUSDT"]
    assert float(first[0]["bidPrice"]) < float(first[0]["askPrice"])
    exchange.advance(timedelta(days=2) / timedelta(minutes=1))
    later = get(exchange, SPOT, symbols=wanted).json()
    assert later[0]["bidPrice"] != first[0]["bidPrice"]
    assert later[1]["bidPrice"] == first[1]["bidPrice"]
    assert len(get(exchange, SPOT).json()) == 12
    unknown = get(exchange, SPOT, symbols='["BTCUSDT","NOSUCH"]')
    assert (unknown.status_code, unknown.json()["code"]) == (400, -1121)
    assert get(exchange, SPOT, symbols="[").json()["code"] == -1100


def test_asking_moves_nothing_on_the_market() -> None:
    def pages(is_asked: bool) -> list[Any]:
        market = Market(3, fiats=["BOB"], assets=["USDT", "BTC"], offers=60)
        with Exchange(market) as exchange:
            for _ in range(3):
                exchange.advance(600)
                if is_asked:
                    assert get(exchange, SPOT).ok
        return market.book("BOB", "BTC", "BUY")

    assert pages(is_asked=True) == pages(is_asked=False)


@pytest.mark.parametrize("kind", ["503", "shape", "empty", "cut", "reset"])
def test_faults_meet_these_hosts_too(exchange: Exchange, kind: str) -> None:
    exchange.faults = Faults({kind: 1.0})
    try:
        answer = get(exchange, SPOT)
    except requests.RequestException:
        assert kind in ("cut", "reset")
    else:
        assert answer.status_code == 503 or isinstance(answer.json(), dict)
