"""Answers that lie on the wire, in a cycle: of the exchange, of rates, of spot prices."""

import threading
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from load.exchange.calls import SEARCH, CallFailed, Exchange
from load.exchange.client import Limits, Refused
from load.pace.pacer import Pacer
from load.rates import official_rates, spot_prices
from load.rates.beside import Host, PriceReading
from tests.load.conftest import NOON, Json, Loader, Reply, Stub, offer
from tests.load.raw_server import HEADERS, PATIENCE, RawServer, raw_server

GO = threading.Event()
BOOKS = ("VES-USDT-BUY", "VES-BTC-BUY", "ARS-USDT-SELL")
SMALL = Limits(seconds=0.1, body=10_000, received=20_000)


@pytest.fixture(autouse=True)
def market(stub: Stub) -> None:
    for name in BOOKS:
        stub.put(name, [offer(1)])


def ask_exchange(server: RawServer, pacer: Pacer) -> str:
    exchange = Exchange(server.url, pacer, limits=SMALL)
    with pytest.raises(CallFailed) as failure:
        exchange.search("VES", "USDT", "BUY", 1, GO)
    exchange.close()
    return failure.value.reason


def ask_host(server: RawServer, kind: str) -> str:
    host = Host(server.url, "a test", GO)
    job = official_rates.job(None) if kind == "rates" else spot_prices.job(["BTC"])
    with pytest.raises(Refused) as refusal:
        job(PriceReading(kind, "x", NOON), host)
    host.close()
    return refusal.value.reason


@pytest.mark.parametrize("kind", ["exchange", "rates", "spot"])
@pytest.mark.parametrize(
    ("first", "then", "pause", "reason"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.002, "timeout"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 0.0, "too_large"),
        (HEADERS + b"Content-Length: 99999999\r\n\r\n", b" " * 999, 0.0, "too_large"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n", b" " * 999, 0.0, "http_302"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/\xe9\xff\r\n\r\n", b" ", 0.002, "http_302"),
    ],
)
def test_the_exchange_the_rates_and_the_spot_prices_are_asked_within_the_same_bounds(
    pacer: Pacer,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    first: bytes,
    then: bytes,
    pause: float,
    reason: str,
) -> None:
    monkeypatch.setattr("load.rates.beside.LIMITS", SMALL)

    def say() -> Iterator[bytes]:
        return chain([first + then], repeat(then))

    with raw_server(say, pause) as server:
        said = ask_exchange(server, pacer) if kind == "exchange" else ask_host(server, kind)
        assert said == reason
        assert server.hung_up.wait(PATIENCE)


@pytest.mark.parametrize("location", ["http://x/\xe9\xff", "http://[::1", "/elsewhere"])
def test_a_book_that_redirects_is_incomplete_and_the_others_land(
    loader: Loader, stub: Stub, location: str
) -> None:
    def redirect(path: str, body: Json, _times: int) -> Reply | None:
        if path == SEARCH and body["asset"] == "BTC":
            return 302, b"elsewhere", {"Location": location}
        return None

    stub.override = redirect
    report = loader.run()
    assert report.incomplete_reasons == {"http_302": 1}
    assert report.books_complete == 2


def test_a_cycle_that_is_told_to_stop_does_not_wait_for_an_answer(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load.exchange.calls.LIMITS", Limits(seconds=PATIENCE, stop_seconds=0.05))
    stop, is_over, answered = threading.Event(), threading.Event(), list[str]()

    def hang(path: str, _body: Json, _times: int) -> Reply | None:
        if path == SEARCH:
            stop.set()
            is_over.wait(PATIENCE)
            answered.append(path)
        return None

    stub.override = hang
    report = loader.run(stop=stop)
    assert answered == []
    is_over.set()
    assert (report.stopped, report.books_complete) == (True, 0)
