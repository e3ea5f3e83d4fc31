"""How long an answer takes, and what becomes of those who hurry."""

from __future__ import annotations

from itertools import pairwise

import requests

from simulator.answers import SEARCH
from simulator.faults import Fault
from simulator.manners import AT_ONCE, FIRST_BAN_SECONDS, REAL, TOLERATED, Manners, Throttle
from simulator.market import Market
from simulator.server import Exchange
from tests.simulator.conftest import body


class Client:
    """Asks at times that pass as it likes."""

    def __init__(self, manners: Manners = REAL) -> None:
        self.seconds = 1_000.0
        self.throttle = Throttle(manners, lambda: self.seconds)

    def ask(self, after: float = 0.0) -> Fault | None:
        self.seconds += after
        return self.throttle.refusal()

    def hurry(self, until: str) -> Fault:
        """Ask without a pause until it is refused so."""
        while (refusal := self.ask()) is None or refusal.kind != until:
            pass
        return refusal


def test_an_answer_takes_200_to_400_ms_and_every_one_another_time() -> None:
    seconds = [REAL.seconds(1, number) for number in range(200)]
    assert 0.2 <= min(seconds) < 0.21
    assert 0.39 < max(seconds) <= 0.4
    assert all(one != other for one, other in pairwise(seconds))
    assert seconds == [REAL.seconds(1, number) for number in range(200)]
    assert AT_ONCE.seconds(1, 1) == 0


def test_a_reader_at_the_default_pace_is_never_refused() -> None:
    client = Client()
    assert not any(client.ask(after=0.5) for _ in range(5_000))


def test_who_sends_one_call_after_the_other_is_never_refused() -> None:
    client = Client()
    assert not any(client.ask(after=REAL.seconds(1, number)) for number in range(5_000))


def test_eighty_pages_at_once_are_let_through_and_no_more() -> None:
    client = Client()
    assert [client.ask() for _ in range(80)] == [None] * 80
    assert client.hurry("429").headers == {}
    assert client.ask(after=0.2) is None


def test_who_is_refused_now_and_then_is_not_banned() -> None:
    client = Client()
    for _ in range(100):
        while (refusal := client.ask()) is None:
            pass
        assert refusal.kind == "429"
        client.seconds += 6.5


def test_who_goes_on_after_429s_is_banned_and_told_until_when() -> None:
    client = Client()
    client.hurry("429")
    kinds = [refusal.kind for _ in range(TOLERATED) if (refusal := client.ask())]
    assert kinds == ["429"] * (TOLERATED - 1) + ["418"]
    ban = client.ask(after=60)
    assert ban is not None
    wait = int(ban.headers["Retry-After"])
    assert FIRST_BAN_SECONDS - 60 <= wait <= FIRST_BAN_SECONDS - 59
    assert client.ask(after=wait) is None


def test_each_ban_is_twice_as_long_as_the_last() -> None:
    client = Client()
    waits = []
    for _ in range(14):
        waits.append(int(client.hurry("418").headers["Retry-After"]))
        client.seconds += waits[-1]
    assert waits[:3] == [121, 241, 481]
    assert waits[-1] == 3 * 86_400 + 1


def test_over_http_the_refusals_are_the_cdns_and_cost_the_market_nothing() -> None:
    manners = Manners(latency=(0.0, 0.0), per_second=0.001, burst=2)
    market = Market(7, fiats=["BOB"], assets=["USDT"])
    with Exchange(market, manners=manners) as exchange, requests.Session() as session:
        ask = [session.post(exchange.url + SEARCH, json=body(), timeout=5) for _ in range(16)]
        now = market.now
        assert session.get(exchange.url + "/simulator/health", timeout=5).ok, "never refused"
    assert [answer.status_code for answer in ask] == [200] * 2 + [429] * TOLERATED + [418] * 4
    assert all("Retry-After" not in answer.headers for answer in ask[2:-4])
    assert all(119 <= int(answer.headers["Retry-After"]) <= 121 for answer in ask[-4:])
    assert (now - Market(7, fiats=["BOB"], assets=["USDT"]).now).total_seconds() == 1
    assert exchange.requests["search"] == 16
