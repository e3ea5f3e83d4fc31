"""One pace for many processes, over a real Redis. Time is Redis's, and a test sets it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis import Redis

from load.pace.limiter import BAN_SECONDS, CREEP, Breaker, LocalLimiter, Turn
from load.pace.pacer import Bar, Pacer, Stopped
from load.pace.shared import BURST, SharedLimiter
from tests.conftest import PROJECT
from tests.load.conftest import Loader, StoppedAsleep, Stub, offer
from tests.load.redis_server import Egress, RedisServer, needs_redis, waits
from warehouse.errors import UserError

pytestmark = needs_redis

GO = threading.Event()


@pytest.fixture(scope="module")
def lasting() -> Iterator[RedisServer]:
    """One server for all tests but those that do it harm."""
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture
def egress(lasting: RedisServer) -> Egress:
    return Egress(lasting)


def test_four_processes_share_ten_a_second_evenly_and_never_exceed_it(lasting: RedisServer) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.load.pacing_worker", lasting.url, "10", "11"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    turns = [sorted(json.loads(worker.communicate(timeout=60)[0])) for worker in workers]

    everyone = sorted(turn for own in turns for turn in own)
    fullest = max(sum(begin <= turn < begin + 1 for turn in everyone) for begin in everyone)
    assert fullest <= 12
    # While all four ask: processes do not start, nor end, in one moment.
    begin, end = max(own[0] for own in turns), min(own[-1] for own in turns)
    assert end - begin > 9
    shares = [sum(begin <= turn < end for turn in own) for own in turns]
    assert 10.0 <= round(sum(shares) / (end - begin), 2) <= 10.3
    assert max(shares) <= 1.2 * min(shares)


def test_whoever_asks_first_has_the_next_turn(egress: Egress) -> None:
    one, two, three = (egress.process() for _ in range(3))
    assert waits(one, two, three, one, three, two) == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4])


def test_one_that_asks_more_often_delays_nobody_who_asked_before(egress: Egress) -> None:
    greedy, modest = egress.process(), egress.process()
    waits(*[greedy] * 20)
    place = waits(modest)[0]
    waits(*[greedy] * 20)
    egress.advance(place)
    assert waits(greedy, modest) == pytest.approx([2.1, 2.2])


def test_every_attempt_pays_retries_too(egress: Egress) -> None:
    pacer, start = egress.pacer(), egress.time.seconds
    for _ in range(11):
        pacer.admit(GO)
        pacer.failed("code_000002")
    assert egress.time.seconds - start == pytest.approx(0.9)
    assert pacer.counts.attempts == 11


def test_the_pace_goes_on_after_the_scripts_are_flushed(egress: Egress) -> None:
    one = egress.process()
    waits(one, one)
    egress.redis.script_flush()
    assert waits(one) == pytest.approx([0.1])
    egress.redis.script_flush()
    one.failed(None, "http_429", 7)
    assert one.reserve().hold == 7


def test_the_clock_of_a_client_does_not_matter(egress: Egress) -> None:
    one, two = egress.process(), egress.process()
    two._now = lambda: egress.time.now() + 3_600
    assert waits(one, two, two, one) == pytest.approx([0, 0, 0.1, 0.2])


def test_a_server_whose_clock_is_set_back_keeps_nobody_waiting_for_it(egress: Egress) -> None:
    one = egress.process()
    waits(*[one] * 5)
    egress.set_clock(behind=3_600)
    assert waits(one) == pytest.approx([0.4])
    egress.advance(10)
    egress.set_clock(behind=3_600)
    assert waits(one, one, one) == pytest.approx([0, 0, 0.1])


def test_the_server_s_own_clock_is_used_unless_a_test_says_otherwise(lasting: RedisServer) -> None:
    limiter = SharedLimiter(lasting.url, "by the server's clock", 10)
    seconds, micros = Redis.from_url(lasting.url).time()
    assert abs(limiter.reserve().at - seconds - micros / 1e6) < 60


def test_two_exchanges_have_a_pace_each(lasting: RedisServer) -> None:
    one, other = Egress(lasting), Egress(lasting)
    waits(*[one.process()] * 5)
    assert waits(other.process()) == [0]


@pytest.mark.parametrize("reason", ["http_429", "http_418"])
def test_one_that_is_throttled_blocks_all_and_halves_the_rate_of_all(
    egress: Egress, reason: str
) -> None:
    one, two = egress.pacer(), egress.pacer()
    one.admit(GO)
    one.failed(reason, retry_after=30)
    start = egress.time.seconds
    two.admit(GO)
    two.admit(GO)
    assert egress.time.seconds - start == pytest.approx(30.2)
    assert two.rate == 5


def test_all_in_flight_that_are_throttled_together_count_once(egress: Egress) -> None:
    processes = [egress.process() for _ in range(4)]
    turns = [process.reserve() for process in processes]
    for process, turn in zip(processes, turns, strict=True):
        process.failed(turn, "http_429", None)
    assert [process.reserve().hold for process in processes] == [5] * 4
    assert processes[0].rate == 5


def test_a_turn_that_was_reserved_before_another_s_block_is_void(egress: Egress) -> None:
    one, two = egress.process(), egress.process()
    waits(*[one] * 5)
    turn = two.reserve()
    assert two.is_valid(turn)
    one.failed(None, "http_429", 30)
    assert not two.is_valid(turn)


def test_the_success_of_each_creeps_towards_the_full_rate_of_all(egress: Egress) -> None:
    one, two = egress.process(), egress.process()
    one.failed(None, "http_429", 1)
    for process in (one, two) * 10:
        process.succeeded(None)
    assert two.rate == pytest.approx(9)
    for process in (one, two) * 10:
        process.succeeded(None)
    assert one.rate == 10


@pytest.mark.parametrize("reason", ["http_403", "http_451", "challenge_200"])
def test_one_that_is_forbidden_opens_the_breaker_for_all(egress: Egress, reason: str) -> None:
    one, two = egress.process(), egress.process()
    one.failed(None, reason, None)
    assert two.reserve().hold == Breaker.FIRST_OPEN_SECONDS
    assert (one.breaker.state, two.breaker.state) == ("open", "open")
    assert (one.breaker.opened, two.breaker.opened) == (1, 0)


def test_the_failures_of_all_add_up_to_a_dead_exchange(egress: Egress) -> None:
    processes = [egress.process() for _ in range(4)]
    for number in range(Breaker.AT_LEAST):
        assert processes[0].reserve().hold == 0
        processes[number % 4].failed(None, "timeout", None)
    assert processes[0].reserve().hold > 0


def test_one_process_alone_probes_and_its_success_lets_all_go_on(egress: Egress) -> None:
    one, two = egress.process(), egress.process()
    one.failed(None, "http_403", None)
    egress.advance(Breaker.FIRST_OPEN_SECONDS)
    probe = two.reserve()
    assert (probe.is_probe, one.reserve().hold > 0) == (True, True)
    two.succeeded(probe)
    assert one.reserve().hold == 0
    assert one.breaker.state == "closed"


def test_the_probe_of_a_process_that_was_killed_is_replaced(egress: Egress) -> None:
    killed, other = egress.process(), egress.process()
    killed.failed(None, "http_403", None)
    egress.advance(Breaker.FIRST_OPEN_SECONDS)
    assert killed.reserve().is_probe
    egress.advance(Breaker.PROBE_SECONDS)
    assert other.reserve().is_probe


def test_a_probe_that_is_throttled_leaves_the_next_attempt_to_probe(egress: Egress) -> None:
    one = egress.process()
    one.failed(None, "http_403", None)
    egress.advance(Breaker.FIRST_OPEN_SECONDS)
    one.failed(one.reserve(), "http_429", 1)
    egress.advance(1)
    assert one.reserve().is_probe


def test_after_the_full_rate_is_back_the_first_block_is_short_again(egress: Egress) -> None:
    one, held = egress.process(), []
    for successes in (0, 50, 0):
        one.failed(None, "http_429", None)
        held.append(one.reserve().hold)
        egress.advance(held[-1])
        for _ in range(successes):
            one.succeeded(None)
    assert held == [5, 10, 5]


def test_a_stop_ends_at_once_the_wait_for_a_block_by_another_process(lasting: RedisServer) -> None:
    blocked = SharedLimiter(lasting.url, "blocked for long", 10)
    SharedLimiter(lasting.url, "blocked for long", 10).failed(None, "http_418", BAN_SECONDS)
    pacer, stop = Pacer(10, limiter=blocked), StoppedAsleep()
    assert not stop.is_set()
    with pytest.raises(Stopped):
        pacer.admit(stop)
    assert stop.is_set(), "it was waited for"


@pytest.mark.parametrize(
    ("reason", "seconds"), [("http_418", 600), ("challenge_405", None), ("http_503", 600)]
)
def test_what_keeps_one_out_for_long_keeps_all_out_and_each_can_say_why(
    egress: Egress, reason: str, seconds: float | None
) -> None:
    one, two = egress.pacer(), egress.pacer()
    for _ in range(1 if seconds else 3):
        one.admit(GO)
        one.failed(reason, seconds)
    with pytest.raises(Stopped):
        two.admit(GO)
    assert two.bar == Bar(reason, egress.time.now() + (seconds or 20))


# What can happen: a while passes, a turn is taken, or the attempt of some turn comes to an end.
_ENDINGS: list[tuple[str, float | None]] = [
    ("understood", None),
    ("abandoned", None),
    ("wrong_shape", None),
    ("timeout", None),
    ("http_503", 4),
    ("http_429", None),
    ("http_429", 0),
    ("http_429", 3),
    ("http_418", None),
    ("http_403", None),
    ("http_451", 9),
    ("challenge_405", 300),
]
_EVENTS = st.lists(
    st.one_of(
        st.sampled_from([0.25, 1, 5, 130]),
        st.just("reserve"),
        st.tuples(st.sampled_from(_ENDINGS), st.integers(0, 9)),
        st.tuples(st.sampled_from([("timeout", None), ("understood", None)]), st.just(0)),
    ),
    min_size=10,
    max_size=80,
)


def end(
    limiter: LocalLimiter | SharedLimiter, turn: Turn | None, how: str, term: float | None
) -> object:
    """End an attempt, and return what that led to."""
    if how == "understood":
        return limiter.succeeded(turn)
    if how == "abandoned":
        return limiter.abandoned(turn)
    return limiter.failed(turn, how, term)


@settings(max_examples=60, deadline=None)
@given(events=_EVENTS, rate=st.sampled_from([0.0625, 2, 8]))
def test_the_rules_in_lua_are_the_rules_in_python(
    lasting: RedisServer,
    events: list[float | str | tuple[tuple[str, float | None], int]],
    rate: float,
) -> None:
    egress = Egress(lasting, rate)
    shared, local = egress.process(), LocalLimiter(rate, BURST, egress.time.now)
    turns: list[tuple[Turn | None, Turn | None]] = [(None, None)]
    for event in events:
        if isinstance(event, tuple):
            (how, term), number = event
            ours, theirs = turns[-1 - number % len(turns)]
            if ours and theirs:
                assert shared.is_valid(ours) == local.is_valid(theirs)
            assert end(shared, ours, how, term) == end(local, theirs, how, term)
        elif isinstance(event, str):
            ours, theirs = shared.reserve(), local.reserve()
            assert ours == theirs
            turns.append((ours, theirs))
        else:
            egress.advance(event)
        assert shared.rate == pytest.approx(local.rate)
        assert shared.breaker.state == local.breaker.state
        assert shared.breaker.opened == local.breaker.opened


@pytest.mark.parametrize("option", ["nonsense=1", "db=first"])
def test_an_address_that_the_client_refuses_is_refused_in_one_line(
    lasting: RedisServer, option: str
) -> None:
    with pytest.raises(UserError, match="REDIS_URL"):
        SharedLimiter(f"{lasting.url}?{option}", "exchange", 10)


def test_a_redis_that_holds_something_else_under_the_name_is_refused(egress: Egress) -> None:
    egress.redis.set(f"p2p:pacing:{{{egress.name}}}", "a string")
    with pytest.raises(UserError, match="WRONGTYPE"):
        egress.process()


def test_a_cycle_shares_its_pace_when_it_is_told_where(
    loader: Loader, stub: Stub, lasting: RedisServer
) -> None:
    stub.put("VES-USDT-BUY", [offer(1)])
    another = SharedLimiter(lasting.url, urlsplit(stub.url).netloc, 1_000)
    another.failed(None, "http_429", 0.01)
    report = loader.run(settings={"redis_url": SecretStr(lasting.url)}, pacer=None)
    assert report.books_complete == 1
    another.reserve()
    assert another.rate == pytest.approx(1_000 * (0.5 + CREEP * report.attempts))
