"""Faults on demand: each kind as it looks on the wire, at the rates asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulator.answers import FIAT_LIST, SEARCH
from simulator.faults import Asked, Faults
from simulator.market import Market
from simulator.server import Exchange
from tests.simulator.conftest import body


@pytest.fixture(scope="module")
def served() -> Iterator[Exchange]:
    with Exchange(Market(7, fiats=["VES", "BOB"], assets=["USDT"], offers=300)) as exchange:
        yield exchange


@pytest.fixture
def exchange(served: Exchange) -> Iterator[Exchange]:
    yield served
    served.faults = None


def ask(exchange: Exchange, timeout: float = 5, **changes: Any) -> requests.Response:
    return requests.post(exchange.url + SEARCH, json={**body(), **changes}, timeout=timeout)


# On the wire


@pytest.mark.parametrize("status", [403, 418, 429, 451, 500, 502, 503])
def test_the_cdn_answers_with_its_status_and_never_in_the_exchanges_json(
    exchange: Exchange, status: int
) -> None:
    exchange.faults = Faults({str(status): 1.0})
    answers = [ask(exchange, page=page) for page in range(1, 9)]
    assert {answer.status_code for answer in answers} == {status}
    for answer in answers:
        assert answer.headers["Content-Type"] == "text/html"
        assert answer.text == "" or answer.text.startswith("<html>")
        assert ("Retry-After" in answer.headers) is (status == 418)
    assert ("" in {answer.text for answer in answers}) is (status == 429)
    assert any(answer.text for answer in answers)


def test_a_429_may_say_when_to_come_back(exchange: Exchange) -> None:
    exchange.faults = Faults.parse("429=1,retry-after=7")
    assert ask(exchange).headers["Retry-After"] == "7"


def test_a_code_of_six_digits_comes_with_200_and_without_data(exchange: Exchange) -> None:
    exchange.faults = Faults({"000002": 1.0})
    answers = [ask(exchange, page=page) for page in range(1, 9)]
    assert {answer.status_code for answer in answers} == {200}
    envelopes = [answer.json() for answer in answers]
    assert {envelope["code"] for envelope in envelopes} == {"000002"}
    assert not any(envelope["success"] or envelope["data"] for envelope in envelopes)
    assert {str(envelope["data"]) for envelope in envelopes} == {"None", "[]"}


def test_a_cut_body_is_shorter_than_announced(exchange: Exchange) -> None:
    exchange.faults = Faults({"cut": 1.0})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        ask(exchange)


def test_a_reset_drops_the_connection_at_once(exchange: Exchange) -> None:
    exchange.faults = Faults({"reset": 1.0}, stall=30)
    with pytest.raises(requests.ConnectionError):
        ask(exchange)


def test_a_time_out_keeps_its_client_waiting_and_nobody_else(exchange: Exchange) -> None:
    exchange.faults = Faults({"timeout": 1.0}, stall=30, only=lambda asked: asked.fiat == "VES")
    waiting = threading.Event()
    outcome: list[str] = []

    def wait() -> None:
        waiting.set()
        try:
            ask(exchange, timeout=0.5, fiat="VES")
        except requests.Timeout:
            outcome.append("timed out")

    client = threading.Thread(target=wait)
    client.start()
    waiting.wait()
    assert ask(exchange, fiat="BOB").json()["data"]
    client.join()
    assert outcome == ["timed out"]


def test_after_the_stall_the_connection_is_dropped_without_an_answer(exchange: Exchange) -> None:
    exchange.faults = Faults.parse("timeout=1,stall=0.05")
    with pytest.raises(requests.ConnectionError):
        ask(exchange)


def test_a_closing_exchange_does_not_wait_for_its_stalled_clients() -> None:
    failed = threading.Event()

    def wait(exchange: Exchange) -> None:
        try:
            ask(exchange, timeout=20)
        except requests.ConnectionError:
            failed.set()

    before = set(threading.enumerate())
    faults = Faults({"timeout": 1.0}, stall=600)
    with Exchange(Market(1, fiats=["BOB"], assets=["USDT"]), faults) as exchange:
        client = threading.Thread(target=wait, args=(exchange,))
        client.start()
        while not exchange.requests["search"]:
            client.join(0.01)
    client.join(10)
    assert failed.is_set()
    # Nor does it leave behind the thread that did the waiting.
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_a_body_may_be_html_with_200(exchange: Exchange) -> None:
    exchange.faults = Faults({"notjson": 1.0})
    answer = ask(exchange)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("status", [202, 405])
def test_a_firewalls_challenge_says_so_in_a_header_and_has_no_body(
    exchange: Exchange, status: int
) -> None:
    exchange.faults = Faults({f"challenge{status}": 1.0})
    for path in (SEARCH, FIAT_LIST):
        answer = requests.post(exchange.url + path, json=body(), timeout=5)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["x-amzn-waf-action"] == "challenge"


def test_a_challenge_may_be_html_with_200_and_what_is_merely_no_json_is_not(
    exchange: Exchange,
) -> None:
    exchange.faults = Faults({"challenge200": 1.0})
    answer = ask(exchange)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert answer.text.startswith("<!doctype html>")
    exchange.faults = Faults({"notjson": 1.0})
    assert "<" not in ask(exchange).text


def test_after_so_many_searches_everything_is_a_challenge(exchange: Exchange) -> None:
    exchange.faults = Faults.parse("challenge405=1,after=15")
    statuses = [ask(exchange, page=1 + number % 3).status_code for number in range(18)]
    assert statuses == [200] * 15 + [405] * 3
    assert requests.post(exchange.url + FIAT_LIST, json={}, timeout=5).status_code == 405


def test_an_answer_without_success_has_a_good_code_and_no_data(exchange: Exchange) -> None:
    exchange.faults = Faults({"unsuccessful": 1.0})
    answer = ask(exchange)
    assert answer.status_code == 200
    found = answer.json()
    assert (found["code"], found["data"], found["success"]) == ("000000", [], False)


def test_wrong_shapes_are_json_that_is_no_page(exchange: Exchange) -> None:
    exchange.faults = Faults({"shape": 1.0})
    shapes: Counter[str] = Counter()
    for page in range(1, 6):
        for side in ("BUY", "SELL"):
            for fiat in ("BOB", "VES"):
                found = ask(exchange, fiat=fiat, tradeType=side, page=page).json()
                if isinstance(found, list):
                    shapes["a list around it"] += 1
                elif isinstance(found["data"], dict):
                    shapes["data is an object"] += 1
                elif found["data"] is None:
                    shapes["data is null"] += 1
                else:
                    assert all("adv" not in item for item in found["data"])
                    shapes["items without adv"] += 1
    assert len(shapes) == 4


def test_an_empty_page_may_or_may_not_keep_the_total(exchange: Exchange) -> None:
    truth = ask(exchange).json()["total"]
    exchange.faults = Faults({"empty": 1.0})
    found = [ask(exchange, page=page).json() for page in range(1, 12)]
    assert {envelope["code"] for envelope in found} == {"000000"}
    assert all(envelope["data"] == [] for envelope in found)
    assert {envelope["total"] for envelope in found} == {0, truth}


# Rates and limits


def test_faults_come_at_about_the_rates_asked_for() -> None:
    faults = Faults.parse("429=0.1, 403=0.01, 500=0.02, timeout=0.01, cut=0.02, empty=0.05")
    count = 20_000
    for number in range(count):
        faults.draw(Asked("search", "VES", "USDT", "BUY", number))
    assert set(faults.committed) == set(faults.rates)
    for kind, rate in faults.rates.items():
        assert faults.committed[kind] / count == pytest.approx(rate, rel=0.2)


def test_a_request_that_failed_may_succeed_when_it_is_asked_again() -> None:
    faults = Faults({"500": 0.5}, seed=1)
    asked = Asked("search", "VES", "USDT", "BUY", 1)
    drawn = [faults.draw(asked) is None for _ in range(40)]
    assert 8 <= sum(drawn) <= 32


def test_which_requests_fail_does_not_depend_on_their_order() -> None:
    requests_made = [Asked("search", "VES", "USDT", "BUY", page) for page in range(200)]

    def failing(order: list[Asked], seed: int = 3) -> set[tuple[Asked, str]]:
        faults = Faults({"500": 0.1, "cut": 0.1}, seed)
        drawn = ((asked, faults.draw(asked)) for asked in order)
        return {(asked, fault.kind) for asked, fault in drawn if fault}

    assert failing(requests_made) == failing(requests_made[::-1])
    assert failing(requests_made) != failing(requests_made, seed=4)


def test_faults_can_be_limited_to_one_book_and_switched_at_run_time(exchange: Exchange) -> None:
    faults = Faults({"500": 1.0}, only=lambda asked: (asked.side, asked.page) == ("SELL", 2))
    exchange.faults = faults
    assert ask(exchange, tradeType="SELL", page=1).ok
    assert ask(exchange, tradeType="BUY", page=2).ok
    assert ask(exchange, tradeType="SELL", page=2).status_code == 500
    assert requests.post(exchange.url + FIAT_LIST, json={}, timeout=5).ok
    faults.enabled = False
    assert ask(exchange, tradeType="SELL", page=2).ok
    assert faults.committed == {"500": 1}


def test_discovery_fails_too(exchange: Exchange) -> None:
    exchange.faults = Faults({"503": 1.0}, only=lambda asked: asked.endpoint == "fiat-list")
    assert requests.post(exchange.url + FIAT_LIST, json={}, timeout=5).status_code == 503
    assert ask(exchange).ok


def test_faults_are_set_and_cleared_over_http_and_the_controls_never_fail(
    exchange: Exchange,
) -> None:
    url = exchange.url + "/simulator/faults"
    assert requests.post(url, json={"faults": "500=1", "seed": 2}, timeout=5).ok
    assert ask(exchange).status_code == 500
    assert requests.get(exchange.url + "/simulator/health", timeout=5).json()["faults"] == {
        "500": 1.0
    }
    assert requests.post(url, json={"faults": "nonsense"}, timeout=5).status_code == 400
    assert ask(exchange).status_code == 500
    assert requests.post(url, json={"faults": ""}, timeout=5).ok
    assert ask(exchange).ok


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("429", "write kind=share"),
        ("429=often", "write kind=share"),
        ("429=-0.1", "write kind=share"),
        ("429=nan", "write kind=share"),
        ("200=0.1", "unknown kind '200'"),
        ("explode=0.1", "unknown kind 'explode'"),
        ("429=1.5", "not between 0 and 1"),
        ("429=0.7,500=0.7", "add up to more than 1"),
        ("capped=0.7,foreign=0.7", "add up to more than 1"),
    ],
)
def test_faults_that_make_no_sense_are_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        Faults.parse(text)
    assert "\n" not in str(refused.value)
