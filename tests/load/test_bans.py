"""What forbids outlasts the process that was forbidden; and what that costs a cycle."""

import json
import threading
from pathlib import Path
from random import Random

import pytest

from load.exchange.calls import SEARCH
from load.pace.bans import FILE, LastingLimiter
from load.pace.limiter import BAN_SECONDS, POLL_SECONDS, Breaker
from load.pace.pacer import Pacer, Stopped
from load.pipeline import ExchangeOutOfReach
from tests.load.conftest import FakeTime, Loader, Reply, Stub, offer

GO = threading.Event()
HOUR = 3_600


class Address:
    """Processes that follow one another in one home, on one clock."""

    def __init__(self, home: Path) -> None:
        self.home, self.time = home, FakeTime()
        self.wall_ahead = 1.8e9

    def process(self, exchange: str = "p2p.example") -> LastingLimiter:
        return LastingLimiter(
            8,
            self.home / FILE,
            exchange,
            now=self.time.now,
            clock=lambda: self.time.now() + self.wall_ahead,
        )

    def pass_by(self, seconds: float) -> None:
        self.time.seconds += seconds


@pytest.fixture
def address(tmp_path: Path) -> Address:
    return Address(tmp_path)


@pytest.mark.parametrize("reason", ["http_429", "http_418", "http_503", "http_403"])
def test_the_next_process_waits_for_what_is_left_of_a_block(address: Address, reason: str) -> None:
    address.process().failed(None, reason, HOUR)
    address.pass_by(600)
    turn = address.process().reserve()
    assert turn.hold == pytest.approx(HOUR - 600)
    assert (turn.why, turn.is_barred) == (reason, True)
    address.pass_by(HOUR)
    assert address.process().reserve().hold == 0


def test_the_next_process_is_as_slow_as_the_last_was_made(address: Address) -> None:
    address.process().failed(None, "http_429", 9)
    assert address.process().rate == 4


def test_what_forbids_is_probed_by_each_process_once_and_ever_more_seldom(address: Address) -> None:
    held = []
    for _ in range(6):
        limiter = address.process()
        probe = limiter.reserve()
        assert probe.hold == 0
        limiter.failed(probe, "challenge_405", None)
        held.append(address.process().reserve().hold)
        address.pass_by(held[-1] - 1)
        assert address.process().reserve().hold == pytest.approx(1)
        address.pass_by(1)
    assert held == pytest.approx([5, 10, 20, 40, 80, 160])
    limiter = address.process()
    assert limiter.reserve().is_probe
    assert limiter.reserve().hold > 0, "the others wait for what it finds"


@pytest.mark.parametrize("reason", ["http_418", "http_403"])
def test_an_answer_ends_what_was_kept(address: Address, reason: str) -> None:
    address.process().failed(None, reason, 60)
    address.pass_by(61)
    limiter = address.process()
    limiter.succeeded(limiter.reserve())
    assert not (address.home / FILE).exists()
    assert address.process().reserve().hold == 0
    assert not address.process().reserve().is_probe


def test_an_answer_to_who_asked_before_a_ban_does_not_end_it(address: Address) -> None:
    limiter = address.process()
    early = limiter.reserve()
    limiter.failed(limiter.reserve(), "http_418", HOUR)
    limiter.succeeded(early)
    assert address.process().reserve().hold == HOUR


@pytest.mark.parametrize("reason", ["http_503", "timeout", "connection", "code_000001"])
def test_trouble_that_asks_for_no_wait_is_not_kept(address: Address, reason: str) -> None:
    limiter = address.process()
    for _ in range(Breaker.AT_LEAST):
        limiter.failed(None, reason, None)
    assert not (address.home / FILE).exists()


def test_another_exchange_s_ban_is_not_ours(address: Address) -> None:
    address.process("p2p.example").failed(None, "http_418", HOUR)
    assert address.process("127.0.0.1:8080").reserve().hold == 0


def test_a_clock_that_was_ahead_bans_for_no_longer_than_was_asked(address: Address) -> None:
    address.wall_ahead += 400 * 86_400
    address.process().failed(None, "http_418", HOUR)
    address.wall_ahead -= 400 * 86_400
    assert address.process().reserve().hold == HOUR


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"exchange": "p2p.example"}', None]
)
def test_a_file_that_says_nothing_is_a_fresh_start(address: Address, content: bytes | None) -> None:
    file = address.home / FILE
    file.mkdir() if content is None else file.write_bytes(content)
    limiter = address.process()
    assert limiter.reserve().hold == 0
    limiter.failed(None, "http_418", HOUR)  # also where nothing can be written
    assert limiter.reserve().hold == HOUR


def test_what_is_kept_is_for_the_owner_s_eyes(address: Address) -> None:
    address.process().failed(None, "http_418", HOUR)
    file = address.home / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(file.read_bytes())
    assert (kept["reason"], kept["blocked_seconds"]) == ("http_418", HOUR)


def test_a_cycle_waits_for_no_longer_block_than_the_shortest_ban(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.open(10 * HOUR)
    pacer.failed("http_418", retry_after=BAN_SECONDS)
    pacer.admit(GO)
    pacer.failed("http_418", retry_after=BAN_SECONDS + 1)
    with pytest.raises(Stopped):
        pacer.admit(GO)
    assert pacer.bar is not None
    assert (pacer.bar.reason, pacer.bar.until - time.now()) == ("http_418", BAN_SECONDS + 1)
    time.seconds += BAN_SECONDS + 1
    with pytest.raises(Stopped):
        pacer.admit(GO)
    pacer.open(HOUR)
    pacer.admit(GO)
    assert pacer.bar is None


class Polled(FakeTime):
    """Made-up seconds; but a poll waits in truth, too, for what another thread is about to find."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if seconds == POLL_SECONDS:
            stop.wait(0.002)
        super().wait(seconds, stop)


@pytest.fixture
def time() -> FakeTime:
    return Polled()


@pytest.fixture
def market(stub: Stub) -> Stub:
    """Twelve books of one page each, and of two."""
    for number in range(12):
        stub.put(f"VES-A{number:02}-BUY", [offer(ad) for ad in range(7 if number % 2 else 27)])
    return stub


@pytest.mark.parametrize("status", [418, 429])
def test_a_new_run_does_not_ask_before_a_ban_is_over_and_says_until_when(
    loader: Loader, market: Stub, status: int
) -> None:
    market.override = lambda *_: (status, b"", {"Retry-After": "7200"})
    asked = []
    for _ in range(3):
        with pytest.raises(ExchangeOutOfReach, match=f"http_{status}") as refusal:
            loader.run(pacer=None)
        line = str(refusal.value)
        assert "\n" not in line
        # The clock of the tests is at noon, and a second further each time that it is read.
        assert " until 2026-11-20 14:00:" in line or " until 2026-11-20 13:59:" in line
        asked.append(len(market.requests))
    assert asked[0] <= 4, "those that were under way together"
    assert asked == [asked[0]] * 3
    market.override = lambda *_: None
    (loader.settings.home / FILE).unlink()
    assert loader.run(pacer=None).books_complete == 12


@pytest.mark.parametrize(
    "reply",
    [
        (403, b"<html>"),
        (405, b"", {"x-amzn-waf-action": "captcha"}),
        (202, b"", {"x-amzn-waf-action": "challenge"}),
        (200, b"<!doctype html><title>Just a moment...</title>"),
        (418, b"", {"Retry-After": "3600"}),
    ],
)
def test_a_cycle_that_a_firewall_breaks_off_lands_what_was_read_and_leaves_the_rest(
    loader: Loader, market: Stub, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    good = threading.Semaphore(9)
    market.override = lambda path, *_: (
        reply if path == SEARCH and not good.acquire(blocking=False) else None
    )
    report = loader.run()
    assert len(market.searches()) <= 9 + 4 + 2, "those under way, and two probes"
    assert report.books_complete >= 4
    assert report.incomplete_reasons == {}
    assert report.books_cut_short == report.books_planned - report.books_complete
    assert not report.stopped, "so that what landed becomes prices"
    assert loader.snapshots() == [None] * report.books_complete
    assert "keeps this address out" in caplog.text
    market.override = lambda *_: None
    assert loader.run().resumed, "the next one reads the rest"


def test_a_firewall_that_lets_the_probe_through_costs_a_cycle_a_pause(
    loader: Loader, market: Stub, time: FakeTime
) -> None:
    challenged = threading.Semaphore(2)
    market.override = lambda path, *_: (
        (405, b"") if path == SEARCH and challenged.acquire(blocking=False) else None
    )
    start = time.now()
    report = loader.run(pacer=Pacer(1_000, time=time, chance=Random(3)))
    assert report.books_complete == 12
    assert time.now() - start >= Breaker.FIRST_OPEN_SECONDS
