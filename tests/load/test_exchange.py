"""Each failure by its name, and what an answer is worth when it is understood."""

import gzip
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest

from load.book.offers import offer_number
from load.exchange.calls import (
    SEARCH,
    TRIES,
    CallFailed,
    Exchange,
    Unreachable,
)
from load.exchange.client import LARGEST_BODY
from load.pace.pacer import Pacer
from tests.load.conftest import Clock, Json, Reply, Stub, envelope, offer

GO = threading.Event()


def search(exchange: Exchange, page: int = 1) -> Any:
    return exchange.search("VES", "USDT", "BUY", page, GO).data


def reason_of(exchange: Exchange, stub: Stub, reply: Reply) -> str:
    """What a call fails with when it always gets this reply, once something was understood."""
    stub.put("VES-USDT-BUY", [offer(1)])
    search(exchange)
    stub.override = lambda *_: reply
    with pytest.raises(CallFailed) as failure:
        search(exchange)
    assert not isinstance(failure.value, Unreachable)
    return failure.value.reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((429, b""), "http_429"),
        ((418, b"", {"Retry-After": "1"}), "http_418"),
        ((500, b"{}"), "http_500"),
        ((503, b"<html>"), "http_503"),
        ((404, b'{"path":"/x"}'), "http_404"),
        ((302, b"", {"Location": "http://127.0.0.1:9/"}), "http_302"),
        ((302, b"", {"Location": "http://x/\xe9\xff"}), "http_302"),
        ((302, b"", {"Location": "http://[::1"}), "http_302"),
        ((405, b'{"message":"not this method"}'), "http_405"),
        ((400, b"<html>Bad Request</html>"), "http_400"),
        ((400, b'{"code":"000002","message":"illegal parameter","data":null}'), "code_000002"),
        (envelope(None, code="000002"), "code_000002"),
        (envelope(None, code="\x1b[2J\n"), "code_unreadable"),
        (b"down for maintenance", "not_json"),
        (b"", "not_json"),
        (envelope([], 0, success=False), "not_successful"),
        (envelope([offer(1)], 1, success=False), "not_successful"),
        (b'{"code":"000000","data":[', "not_json"),
        (b'{"code":"000000","data":[{"adv":{"price":NaN}}]}', "not_json"),
        (b'{"code":"000000","data":[{"adv":{"price":1e400}}]}', "number_out_of_range"),
        (b'{"code":"000000","data":[{"adv":{"price":-Infinity}}]}', "not_json"),
        (b'{"code":"000000","data":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep"),
        (b"[]", "wrong_shape"),
        (b"null", "wrong_shape"),
        (b'{"data":[]}', "wrong_shape"),
        (envelope(None), "wrong_shape"),
        (envelope(None, data={"0": {}}), "wrong_shape"),
        (envelope(None, data=[1, "a"]), "wrong_shape"),
        (envelope(None, data=[{"ad": {"advNo": "1"}}] * 3), "wrong_shape"),
        (envelope(None, data=[{"adv": {"number": "1"}}] * 3), "wrong_shape"),
        ((200, b"\x1f\x8bnonsense", {"Content-Encoding": "gzip"}), "not_json"),
        ((200, b'{"code"', {"Content-Length": "1000"}), "cut"),
    ],
)
def test_each_failure_has_its_name(
    exchange: Exchange, stub: Stub, reply: Reply, reason: str
) -> None:
    assert reason_of(exchange, stub, reply) == reason


def test_an_item_without_an_ad_costs_itself_and_not_its_page(
    exchange: Exchange, stub: Stub
) -> None:
    odd: list[Json] = [{"advertiser": {}}, {"adv": None}, {"adv": "x"}]
    stub.override = lambda *_: envelope([offer(1), *odd], total=4)
    answer = exchange.search("VES", "USDT", "BUY", 1, GO)
    assert [offer_number(item) for item in answer.data] == ["1", None, None, None]
    stub.override = lambda *_: envelope(odd[:1], total=21)
    assert exchange.search("VES", "USDT", "BUY", 2, GO).data == odd[:1], "the last of a book"


def test_a_page_beyond_all_measure_is_refused_by_name_and_not_held(
    exchange: Exchange, stub: Stub
) -> None:
    bomb = gzip.compress(b" " * 50_000_000, compresslevel=1)
    tracemalloc.start()
    try:
        reason = reason_of(exchange, stub, (200, bomb, {"Content-Encoding": "gzip"}))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reason == "too_large"
    assert held < 3 * LARGEST_BODY
    stub.override = lambda *_: None
    assert reason_of(exchange, stub, b"[" + b"1," * 25_000_000 + b"1]") == "too_large"
    stub.override = lambda *_: None
    assert len(search(exchange)) == 1


def test_nobody_listening_is_no_connection_and_found_out_soon(pacer: Pacer) -> None:
    nowhere = Exchange("http://127.0.0.1:9", pacer)
    with pytest.raises(Unreachable) as failure:
        search(nowhere)
    assert failure.value.reason == "connection"
    assert pacer.counts.attempts == 3


@pytest.mark.parametrize(
    "reply",
    [(503, b""), b"not json", envelope(None, code="000001"), envelope([], 0, success=False)],
)
def test_a_passing_failure_is_tried_again(exchange: Exchange, stub: Stub, reply: Reply) -> None:
    stub.put("VES-USDT-BUY", [offer(1)])
    stub.override = lambda _path, _body, times: reply if times < TRIES else None
    assert exchange.search("VES", "USDT", "BUY", 1, GO).attempts == TRIES


def test_every_attempt_pays(exchange: Exchange, stub: Stub, pacer: Pacer) -> None:
    stub.override = lambda *_: (500, b"")
    with pytest.raises(CallFailed):
        search(exchange)
    assert pacer.counts.attempts == TRIES == len(stub.requests)
    assert pacer.counts.retries == TRIES - 1


def test_a_turn_that_was_had_before_pays_for_the_first_attempt_alone(
    exchange: Exchange, stub: Stub, pacer: Pacer
) -> None:
    stub.override = lambda *_: (500, b"")
    pacer.admit(GO)
    with pytest.raises(CallFailed):
        exchange.search("VES", "USDT", "BUY", 1, GO, has_turn=True)
    assert pacer.counts.attempts == TRIES == len(stub.requests)


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"areas": {}}, {"areas": [1]}, {"tradeMethods": None}]
)
def test_a_catalogue_of_another_shape_is_refused_by_name(
    exchange: Exchange, stub: Stub, data: Any
) -> None:
    stub.override = lambda *_: envelope(None, data=data)
    for ask in (exchange.config, exchange.conditions):
        with pytest.raises(CallFailed, match="wrong_shape"):
            ask("VES", GO)


def test_the_key_is_sent_and_never_logged(
    stub: Stub, pacer: Pacer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    stub.override = lambda _path, _body, times: (500, b"") if times == 1 else None
    search(Exchange(stub.url, pacer, api_key="geheim", clock=clock))
    assert stub.headers[0]["X-MBX-APIKEY"] == "geheim"
    assert "geheim" not in caplog.text + str([vars(record) for record in caplog.records])


def test_a_password_that_the_user_keeps_for_the_host_is_not_sent_along(
    stub: Stub, pacer: Pacer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password geheim\n")
    monkeypatch.setenv("NETRC", str(netrc))
    stub.put("VES-USDT-BUY", [offer(1)])
    search(Exchange(stub.url, pacer))
    assert "Authorization" not in stub.headers[0]


def test_the_proxy_of_the_surroundings_is_used(
    stub: Stub, pacer: Pacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", stub.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    stub.override = lambda *_: envelope([offer(1)], 1)
    assert search(Exchange("http://exchange.invalid", pacer))
    assert stub.requests[0][0] == f"http://exchange.invalid{SEARCH}"


def test_without_a_key_no_key_is_sent(exchange: Exchange, stub: Stub) -> None:
    search(exchange)
    assert "X-MBX-APIKEY" not in stub.headers[0]


def test_a_page_is_asked_for_with_the_cookies_of_the_answer_before(
    exchange: Exchange, stub: Stub
) -> None:
    stub.override = lambda *_: (200, envelope([]), {"Set-Cookie": "visitor=7; Path=/"})
    for page in (1, 22, 333):
        search(exchange, page)
    assert [sent.get("Cookie") for sent in stub.headers] == [None, "visitor=7", "visitor=7"]
    assert [body["page"] for _, body in stub.requests] == [1, 22, 333]


def test_a_thread_keeps_its_connection_and_has_one_of_its_own(
    exchange: Exchange, stub: Stub
) -> None:
    def read() -> None:
        for page in range(1, 4):
            search(exchange, page)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert (len(stub.requests), len(stub.connections)) == (6, 2)


def test_who_asks_is_said_as_it_is_set(stub: Stub, pacer: Pacer) -> None:
    search(Exchange(stub.url, pacer, user_agent="somebody/7"))
    search(Exchange(stub.url, pacer))
    said = [sent["User-Agent"] for sent in stub.headers]
    assert said == ["somebody/7", "p2p-market-warehouse"]


@pytest.mark.parametrize(
    ("total", "understood"),
    [
        (34, 34),
        ("34", 34),
        (0, 0),
        ("0", 0),
        (2**31 - 1, 2**31 - 1),
        ("2147483647", 2**31 - 1),
        (None, None),
        (-1, None),
        (True, None),
        ("many", None),
        (1e30, None),
        (2**31, None),
        ("2147483648", None),
        ("\u0663", None),
        ("-1", None),
        ("1" * 5_000, None),
    ],
)
def test_a_total_is_a_whole_number_or_unknown(
    exchange: Exchange, stub: Stub, total: object, understood: int | None
) -> None:
    stub.override = lambda *_: envelope([], total)
    assert exchange.search("VES", "USDT", "BUY", 1, GO).total == understood


def test_the_body_lands_as_it_came_but_for_what_was_cleaned(exchange: Exchange, stub: Stub) -> None:
    sent = b'{ "code":"000000",  "data":[{"adv":{"advNo":"1"},"n":"\\u0000\\ud800 \xc3\xb1"}]}'
    stub.override = lambda *_: sent
    answer = exchange.search("VES", "USDT", "BUY", 1, GO)
    assert answer.body == sent.replace(b"\\u0000\\ud800", b"\\ufffd\\ufffd")
    assert answer.cleaned == 2


def test_hostile_text_reaches_the_log_escaped(
    exchange: Exchange, stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    stub.override = lambda *_: envelope(None, code="\x1b[31m")
    with pytest.raises(CallFailed):
        search(exchange)
    assert all("\x1b" not in str(vars(record)) for record in caplog.records)


def test_what_is_asked_is_the_friendly_endpoint_with_the_takers_side(
    exchange: Exchange, stub: Stub
) -> None:
    exchange.search("VES", "USDT", "SELL", 3, GO)
    path, body = stub.requests[0]
    expected: Json = {
        "fiat": "VES",
        "asset": "USDT",
        "tradeType": "SELL",
        "page": 3,
        "rows": 20,
    }
    assert (path, body) == ("/bapi/c2c/v2/friendly/c2c/adv/search", expected)
    assert orjson.dumps(body)
