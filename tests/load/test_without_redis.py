"""The shared pace when its Redis is not there, goes, hangs, and comes back."""

import logging
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from load.pace import shared as shared_pacing
from load.pace.limiter import Breaker
from load.pace.shared import ASK_AGAIN_SECONDS, SharedLimiter
from tests.load.conftest import Loader, Stub
from tests.load.redis_server import Egress, RedisServer, needs_redis, waits
from warehouse.errors import UserError

pytestmark = needs_redis


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server of the test's own, to be killed."""
    server = RedisServer()
    yield server
    server.remove()


def test_without_a_redis_at_the_start_one_line_says_what_to_do() -> None:
    with pytest.raises(UserError, match="REDIS_URL") as refused:
        SharedLimiter("redis://:hidden@127.0.0.1:1/0", "exchange", 10)
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_cycle_does_not_begin_without_the_redis_that_it_was_told_of(
    loader: Loader, stub: Stub
) -> None:
    with pytest.raises(UserError, match="REDIS_URL"):
        loader.run(settings={"redis_url": SecretStr("redis://127.0.0.1:1")}, pacer=None)
    assert stub.requests == []


def test_without_redis_each_goes_on_at_its_part_of_the_rate(
    mortal: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    egress = Egress(mortal, rate=8)
    processes = [egress.process() for _ in range(4)]
    waits(*processes, *processes)
    mortal.kill()
    with caplog.at_level(logging.WARNING):
        assert waits(*processes) == [0, 0, 0, 0]
    assert waits(*processes) == [0.5, 0.5, 0.5, 0.5]
    assert [process.rate for process in processes] == [2, 2, 2, 2]
    assert [record.getMessage()[:24] for record in caplog.records] == [
        "Redis does not answer: p"
    ] * 4


def test_a_turn_of_the_redis_that_went_is_not_used(mortal: RedisServer) -> None:
    limiter = Egress(mortal).process()
    turns = [limiter.reserve() for _ in range(3)]
    mortal.kill()
    assert not limiter.is_valid(turns[-1])


def test_a_block_and_a_halved_rate_outlive_redis(mortal: RedisServer) -> None:
    egress = Egress(mortal)
    one, two = egress.process(), egress.process()
    one.failed(None, "http_429", 60)
    assert two.reserve().hold == 60
    mortal.kill()
    egress.time.seconds += 20
    assert two.reserve().hold == 40
    assert two.rate == 5


def test_a_redis_that_stays_away_changes_nothing_each_time_it_is_asked(
    mortal: RedisServer,
) -> None:
    egress = Egress(mortal)
    one = egress.process()
    mortal.kill()
    one.failed(None, "http_429", 60)
    egress.time.seconds += ASK_AGAIN_SECONDS
    assert one.reserve().hold == 60 - ASK_AGAIN_SECONDS


def test_an_open_breaker_outlives_redis(mortal: RedisServer) -> None:
    egress = Egress(mortal)
    one = egress.process()
    one.failed(None, "http_403", None)
    mortal.kill()
    assert one.reserve().hold == Breaker.FIRST_OPEN_SECONDS


def test_being_throttled_alone_is_told_to_all_when_redis_is_back(mortal: RedisServer) -> None:
    egress = Egress(mortal)
    one, two = egress.process(), egress.process()
    mortal.kill()
    one.failed(one.reserve(), "http_429", 600)
    assert one.reserve().hold == 600
    mortal.start()
    egress.advance(ASK_AGAIN_SECONDS)
    assert one.reserve().hold == 600 - ASK_AGAIN_SECONDS
    assert two.reserve().hold == 600 - ASK_AGAIN_SECONDS
    assert two.rate == 5


def test_openings_are_counted_on_through_an_outage(mortal: RedisServer) -> None:
    egress = Egress(mortal)
    one = egress.process()
    one.failed(None, "http_403", None)
    mortal.kill()
    egress.time.seconds += 60
    one.failed(one.reserve(), "http_451", None)
    assert (one.breaker.state, one.breaker.opened) == ("open", 2)
    mortal.start()
    egress.advance(60)
    one.reserve()
    assert one.breaker.opened == 2


def test_a_redis_that_hangs_is_asked_by_one_and_not_again_at_once(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_pacing, "ANSWER_SECONDS", 0.05)
    egress = Egress(mortal)
    limiter, asked = egress.process(), 0
    question = limiter._redis.evalsha

    def counted(*options: Any) -> Any:
        nonlocal asked
        asked += 1
        return question(*options)

    monkeypatch.setattr(limiter._redis, "evalsha", counted)
    mortal.process.send_signal(signal.SIGSTOP)
    try:
        assert all(limiter.reserve().is_alone for _ in range(5))
    finally:
        mortal.process.send_signal(signal.SIGCONT)
    assert asked == 1
    egress.advance(ASK_AGAIN_SECONDS)
    assert not limiter.reserve().is_alone
