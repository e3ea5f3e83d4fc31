"""When a request may go out. Time is made up, and passes only by waiting."""

import threading
from random import Random

import pytest

from load.pace.limiter import BAN_SECONDS, Breaker, LocalLimiter
from load.pace.pacer import Bar, Pacer, Stopped
from tests.load.conftest import FakeTime, StoppedAsleep

GO = threading.Event()


def times_of(pacer: Pacer, time: FakeTime, attempts: int) -> list[float]:
    """When each of some attempts went out, in seconds from now."""
    start, went = time.now(), []
    for _ in range(attempts):
        pacer.admit(GO)
        went.append(time.now() - start)
    return went


def test_a_burst_is_four_at_most_and_then_the_rate_holds(time: FakeTime) -> None:
    went = times_of(Pacer(2, burst=50, time=time), time, 8)
    assert went == pytest.approx([0, 0, 0, 0, 0.5, 1, 1.5, 2])


def test_what_was_not_used_is_not_saved_up(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    times_of(pacer, time, 4)
    time.seconds += 3_600
    assert times_of(pacer, time, 6)[3:] == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize("reason", ["http_429", "http_418"])
def test_being_throttled_blocks_everyone_for_retry_after_and_halves_the_rate(
    time: FakeTime, reason: str
) -> None:
    pacer = Pacer(2, time=time)
    pacer.admit(GO)
    pacer.failed(reason, retry_after=30)
    assert pacer.rate == 1
    assert times_of(pacer, time, 3) == pytest.approx([30, 31, 32])


def test_without_retry_after_each_block_is_longer(time: FakeTime) -> None:
    pacer, blocks = Pacer(2, time=time), []
    for _ in range(3):
        pacer.failed("http_429")
        blocks.append(times_of(pacer, time, 1)[0])
    assert blocks == pytest.approx([5, 10, 20])


def test_a_ban_without_a_term_is_waited_out_for_two_minutes(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.failed("http_418")
    assert times_of(pacer, time, 1) == pytest.approx([120])


def test_four_in_flight_that_are_throttled_together_halve_the_rate_once(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(4):
        pacer.failed("http_429", retry_after=10)
    assert pacer.rate == 1


def test_success_creeps_back_to_the_full_rate_and_no_further(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.failed("http_429")
    pacer.succeeded()
    assert 1 < pacer.rate < 1.1
    for _ in range(100):
        pacer.succeeded()
    assert pacer.rate == 2


def test_a_turn_reserved_before_a_block_is_void(time: FakeTime) -> None:
    class Throttling(FakeTime):
        def wait(self, seconds: float, stop: threading.Event) -> None:
            if not self.waits:
                pacer.failed("http_429", retry_after=60)
            super().wait(seconds, stop)

    throttling = Throttling()
    pacer = Pacer(2, time=throttling)
    times_of(pacer, throttling, 4)
    assert times_of(pacer, throttling, 1)[0] >= 60


def test_back_off_grows_and_is_jittered_over_its_whole_length(time: FakeTime) -> None:
    pacer = Pacer(2, time=time, chance=Random(3))
    waits = []
    for failures in (1, 1, 1, 1, 4, 4, 4, 4):
        start = time.now()
        pacer.back_off(failures, GO)
        waits.append(time.now() - start)
    early, late = waits[:4], waits[4:]
    assert max(early) <= 1 < max(late) <= 8
    assert len(set(early)) == 4


@pytest.mark.parametrize("reason", ["http_403", "http_451", "challenge_202", "challenge_405"])
def test_being_forbidden_opens_the_breaker_at_once(time: FakeTime, reason: str) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(50):
        pacer.succeeded()
    pacer.failed(reason)
    assert pacer.breaker.state == "open"
    assert times_of(pacer, time, 1)[0] >= Breaker.FIRST_OPEN_SECONDS


def test_an_unlucky_few_do_not_open_the_breaker(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(15):
        pacer.failed("http_503")
    assert pacer.breaker.state == "closed"


def test_half_of_the_answers_failing_does_not_open_the_breaker(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(100):
        pacer.failed("timeout")
        pacer.succeeded()
    assert pacer.breaker.state == "closed"


def test_a_dead_exchange_opens_the_breaker(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(Breaker.AT_LEAST):
        pacer.failed("connection")
    assert pacer.breaker.state == "open"


def test_a_wrong_answer_is_no_sign_of_a_dead_exchange(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(100):
        pacer.failed("wrong_shape")
        pacer.failed("code_000002")
    assert pacer.breaker.state == "closed"


def test_half_open_lets_one_attempt_through_and_its_success_closes(time: FakeTime) -> None:
    breaker = Breaker()
    breaker.failed(0, at_once=True)
    assert breaker.hold(1) > 0
    assert breaker.hold(6) == 0
    assert breaker.hold(6) > 0, "a second one has to wait for the probe"
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.hold(6) == 0


def test_each_failed_probe_doubles_the_time_open(time: FakeTime) -> None:
    breaker, now, opened = Breaker(), 0.0, []
    for _ in range(9):
        breaker.failed(now, at_once=True)
        opened.append(breaker.hold(now))
        now += opened[-1]
        breaker.hold(now)
    assert opened == pytest.approx([5, 10, 20, 40, 80, 160, 320, 600, 600])


def test_a_success_from_before_the_opening_does_not_close_the_breaker(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.failed("http_403")
    pacer.succeeded()
    assert pacer.breaker.state == "open"


def test_what_is_forbidden_three_times_in_a_row_is_not_asked_a_fourth_time(
    time: FakeTime,
) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(3):
        pacer.admit(GO)
        pacer.failed("http_403")
    with pytest.raises(Stopped):
        pacer.admit(GO)
    assert pacer.bar == Bar("http_403", time.now() + 20)


def test_what_is_forbidden_now_and_then_is_asked_again(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for reason in ["http_403", "http_403", None] * 5:
        pacer.admit(GO)
        pacer.failed(reason) if reason else pacer.succeeded()
    assert pacer.bar is None


def test_silence_is_asked_again_as_long_as_the_cycle_lasts(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(60):
        pacer.admit(GO)
        pacer.failed("timeout")
    assert pacer.breaker.opened > 30
    assert pacer.bar is None


def test_an_abandoned_probe_leaves_the_next_attempt_to_probe(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.failed("http_403")
    pacer.admit(GO)
    pacer.abandoned()
    pacer.admit(GO)
    pacer.succeeded()
    assert pacer.breaker.state == "closed"


def test_a_stop_ends_the_longest_wait_at_once() -> None:
    pacer, stop = Pacer(2), StoppedAsleep()
    pacer.failed("http_418", retry_after=BAN_SECONDS)
    assert not stop.is_set()
    with pytest.raises(Stopped):
        pacer.admit(stop)
    assert stop.is_set(), "it was waited for"


def test_a_wait_beyond_the_deadline_is_not_begun(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.deadline = time.now() + 60
    pacer.failed("http_418", retry_after=61)
    with pytest.raises(Stopped):
        pacer.admit(GO)
    assert time.waits == []
    assert pacer.bar == Bar("http_418", time.now() + 61)


def test_a_wait_that_ends_by_the_deadline_is_waited_out(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.deadline = time.now() + 60
    pacer.failed("http_429", retry_after=59)
    assert times_of(pacer, time, 1) == pytest.approx([59])
    assert pacer.bar is None


def test_a_closed_pacer_lets_nothing_out(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    pacer.close()
    with pytest.raises(Stopped):
        pacer.admit(GO)


def test_threads_share_one_bucket(time: FakeTime) -> None:
    pacer = Pacer(10, time=time)
    threads = [threading.Thread(target=times_of, args=(pacer, time, 25)) for _ in range(4)]
    start = time.now()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.now() - start >= 9.6
    assert pacer.counts.attempts == 100


def test_those_in_flight_together_make_one_block_and_not_a_growing_one(time: FakeTime) -> None:
    pacer = Pacer(2, time=time)
    for _ in range(4):
        pacer.failed("http_429")
    assert times_of(pacer, time, 1) == pytest.approx([5])


def test_who_was_in_flight_before_a_block_halves_nothing_after_it(time: FakeTime) -> None:
    limiter = LocalLimiter(2, 4, time.now)
    early = limiter.reserve()
    limiter.failed(limiter.reserve(), "http_429", 1)
    time.seconds += 2
    limiter.failed(early, "http_429", None)
    assert limiter.rate == 1
    assert limiter.reserve().hold == 0


def test_only_the_probe_tells_how_the_exchange_is_now(time: FakeTime) -> None:
    limiter = LocalLimiter(2, 4, time.now)
    early = limiter.reserve()
    limiter.failed(None, "http_403", None)
    time.seconds += Breaker.FIRST_OPEN_SECONDS
    probe = limiter.reserve()
    limiter.succeeded(early)
    limiter.failed(early, "timeout", None)
    assert (probe.is_probe, limiter.breaker.state) == (True, "half-open")
    limiter.succeeded(probe)
    assert limiter.breaker.state == "closed"


def test_a_probe_that_never_ends_is_replaced(time: FakeTime) -> None:
    breaker = Breaker()
    breaker.failed(0, at_once=True)
    assert breaker.hold(5) == 0
    assert breaker.hold(5 + Breaker.PROBE_SECONDS - 1) > 0
    assert breaker.hold(5 + Breaker.PROBE_SECONDS) == 0


def test_a_stopped_one_takes_no_turn_away(time: FakeTime) -> None:
    limiter, stop = LocalLimiter(2, 1, time.now), threading.Event()
    stop.set()
    for _ in range(9):
        with pytest.raises(Stopped):
            Pacer(2, time=time, limiter=limiter).admit(stop)
    assert limiter.reserve().wait == 0
