"""What is refused: how long is waited, how often it is asked again, and when no more."""

import gzip
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.exchange.calls import TRIES, CallFailed, Exchange, Unreachable, _retry_after
from load.pace.limiter import Breaker
from load.pace.pacer import Pacer, Stopped
from tests.load.conftest import FakeTime, Json, Reply, Stub, envelope, offer

GO = threading.Event()
dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Sun", "", "x"]),
    st.sampled_from(["01", "31", "0", "-1", "9" * 30]),
    st.sampled_from(["Jan", "Feb", "Nov", "Xyz"]),
    st.sampled_from(["2026", "0001", "9999", "99", "9" * 30, "-5"]),
    *[st.sampled_from(["00", "23", "61", "9" * 30])] * 3,
    st.sampled_from(["GMT", "+0000", "-2359", "+9999999999", "EST", "", "9" * 30]),
)


def search(exchange: Exchange, page: int = 1) -> list[Json]:
    found: list[Json] = exchange.search("VES", "USDT", "BUY", page, GO).data
    return found


FIREWALL = {"x-amzn-waf-action": "challenge"}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((403, b"<html>no</html>"), "http_403"),
        ((403, b"", FIREWALL), "http_403"),
        ((451, b"<html>no</html>"), "http_451"),
        ((202, b"", FIREWALL), "challenge_202"),
        ((202, b""), "challenge_202"),
        ((405, b"", FIREWALL), "challenge_405"),
        ((405, b" \n"), "challenge_405"),
        ((405, b"<!DOCTYPE html><title>Human?</title>", {"X-Amzn-Waf-Action": "captcha"}),
            "challenge_405"),
        ((405, b"<html>"), "challenge_405"),
        ((200, b"", FIREWALL), "challenge_200"),
        ((200, b"<!doctype HTML>\n<script>solve()</script>"), "challenge_200"),
        ((200, b"\xef\xbb\xbf\r\n <html lang=en>"), "challenge_200"),
        ((200, b"<?xml version='1.0'?><!DOCTYPE html>"), "challenge_200"),
        ((200, b"<meta http-equiv=refresh content=5>"), "challenge_200"),
        ((200, gzip.compress(b"<html>"), {"Content-Encoding": "gzip"}), "challenge_200"),
    ],
)  # fmt: skip
def test_what_forbids_is_asked_by_one_probe_at_a_time_and_ends_the_cycle_at_the_third(
    exchange: Exchange, stub: Stub, pacer: Pacer, time: FakeTime, reply: Reply, reason: str
) -> None:
    stub.put("VES-USDT-BUY", [offer(1)])
    search(exchange)
    stub.override = lambda *_: reply
    start = time.now()
    with pytest.raises(Stopped):
        search(exchange)
    assert len(stub.requests) == 1 + 3
    assert time.now() - start >= Breaker.FIRST_OPEN_SECONDS * (1 + 2)
    assert exchange.last_failure == reason
    assert pacer.bar is not None
    assert pacer.bar.reason == reason
    with pytest.raises(Stopped):
        search(exchange)
    assert len(stub.requests) == 1 + 3, "and nobody else asks"


def test_a_stray_page_for_people_costs_a_pause_and_no_more(
    exchange: Exchange, stub: Stub, pacer: Pacer
) -> None:
    stub.put("VES-USDT-BUY", [offer(1)])
    stub.override = lambda _path, _body, times: b"<html>" if times % 3 == 2 else None
    for _ in range(20):
        assert len(search(exchange)) == 1
    assert pacer.breaker.opened == 10
    assert pacer.breaker.state == "closed"


@pytest.mark.parametrize(
    "reply", [(400, b'{"code":"000002","data":null}'), envelope(None, code="000002")]
)
def test_an_illegal_parameter_is_not_asked_for_again(
    exchange: Exchange, stub: Stub, reply: Reply
) -> None:
    stub.put("VES-USDT-BUY", [offer(1)])
    stub.override = lambda _path, body, _times: reply if body["page"] == 2 else None
    for _ in range(TRIES - 1):
        with pytest.raises(CallFailed, match="code_000002") as failure:
            search(exchange, page=2)
        assert failure.value.attempts == 1
        assert not isinstance(failure.value, Unreachable), "another question may be understood"
    assert len(stub.requests) == TRIES - 1
    search(exchange)
    for _ in range(TRIES):
        with pytest.raises(CallFailed) as failure:
            search(exchange, page=2)
        assert not isinstance(failure.value, Unreachable)


def test_an_exchange_that_finds_all_illegal_is_out_of_reach(exchange: Exchange, stub: Stub) -> None:
    stub.override = lambda *_: envelope(None, code="000002")
    for _ in range(TRIES - 1):
        with pytest.raises(CallFailed):
            search(exchange)
    with pytest.raises(Unreachable):
        search(exchange)


def test_forbidden_twice_with_nothing_ever_read_is_out_of_reach(
    exchange: Exchange, stub: Stub, pacer: Pacer
) -> None:
    stub.override = lambda *_: (403, b"<html>")
    with pytest.raises(Unreachable):
        search(exchange)
    assert len(stub.requests) == 2


MONDAY = datetime(2026, 11, 16, 12, tzinfo=UTC)
IN_77_SECONDS = format_datetime(MONDAY + timedelta(seconds=77), usegmt=True)


@pytest.mark.parametrize("status", [429, 418, 503, 500, 403, 451, 202, 405])
@pytest.mark.parametrize("text", ["77", IN_77_SECONDS])
def test_retry_after_is_waited_for_whatever_it_came_with_and_however_it_is_written(
    exchange: Exchange, stub: Stub, time: FakeTime, status: int, text: str
) -> None:
    stub.put("VES-USDT-BUY", [])
    headers = {"Retry-After": text, "Date": format_datetime(MONDAY, usegmt=True)}
    replies: dict[int, Reply] = {1: (status, b"", headers)}
    stub.override = lambda _path, _body, times: replies.get(times)
    start = time.now()
    search(exchange)
    assert 77 <= time.now() - start < 80


def test_a_date_to_retry_after_counts_from_our_clock_where_the_server_tells_no_time() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert _retry_after({"Retry-After": format_datetime(later, usegmt=True)}) == pytest.approx(
        3_600, abs=60
    )


WEEK = 7 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("120", 120), (" 5 ", 5), ("604801", WEEK), ("9" * 30, WEEK),
        ("Mon, 16 Nov 2026 12:02:00 GMT", 120), ("Mon, 16 Nov 2026 11:59:59 GMT", 0),
        ("Mon, 16 Nov 2026 14:02:00 +0200", 120), ("Mon, 16 Nov 2026 12:02:00", 120),
        ("Sun, 16 Nov 2036 12:00:00 GMT", WEEK), ("Monday, 16-Nov-26 12:02:00 GMT", 120),
        ("", None), ("-5", None), ("1.5", None), ("soon", None), ("\u0661", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_of_a_week_at_most_or_nothing(
    text: str, seconds: float | None
) -> None:
    headers = {"Retry-After": text, "Date": format_datetime(MONDAY, usegmt=True)}
    assert _retry_after(headers) == seconds


@given(st.one_of(st.text(alphabet="0123456789", max_size=30), st.text(max_size=30), dates), dates)
def test_whatever_retry_after_says_it_is_seconds_of_a_week_at_most_or_nothing(
    text: str, date: str
) -> None:
    seconds = _retry_after({"Retry-After": text, "Date": date})
    assert seconds is None or 0 <= seconds <= WEEK
    if text.isdecimal():
        assert seconds == min(int(text), WEEK)
