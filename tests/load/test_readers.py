"""Several threads and several books: one book at a time, its pages in flight together."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from load.book.drift import Watch
from load.book.readers import Readers
from load.book.reading import Reading
from load.exchange.calls import Exchange, Unreachable
from load.land.state import Book, BookState
from load.pipeline import IN_FLIGHT
from tests.load.conftest import Clock, Json, Reply, Stub, offer

LARGE, OTHER = "VES-USDT-BUY", "ARS-USDT-BUY"
OFFERS = [offer(number) for number in range(200)]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def readers(exchange: Exchange, clock: Clock, stop: threading.Event) -> Iterator[Readers]:
    threads = Readers(exchange, clock, stop, Watch, IN_FLIGHT)
    yield threads
    exchange.pacer.close()
    threads.close()


def given(readers: Readers, *names: str, pages: int = 0) -> list[Future[Reading | None]]:
    """Submit books, of which it is known how many pages they had."""
    known = BookState(pages=pages, read_us=1 if pages else 0)
    return [readers.submit(Book.named(name), known) for name in names]


def read(books: list[Future[Reading | None]]) -> list[Reading]:
    readings = [book.result(60) for book in books]
    assert all(readings)
    return [reading for reading in readings if reading]


class Gate:
    """Holds back the answers that a test names until it lets them go, and sees who waits."""

    def __init__(self, stub: Stub, holds: Callable[[Json], bool]) -> None:
        self.waiting: list[tuple[str, int]] = []
        self._holds, self._open = holds, threading.Event()
        self._changed = threading.Condition()
        stub.override = self._answer

    def _answer(self, _path: str, body: Json, _times: int) -> Reply | None:
        with self._changed:
            self.waiting.append(
                (f"{body['fiat']}-{body['asset']}-{body['tradeType']}", body["page"])
            )
            self._changed.notify_all()
        if self._holds(body):
            assert self._open.wait(60)
        return None

    def expect(self, count: int) -> list[tuple[str, int]]:
        """The first so many requests, once they have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.waiting) >= count, 60), self.waiting
            return self.waiting[:count]

    def open(self) -> None:
        self._open.set()


def test_the_pages_of_a_book_are_in_flight_together_once_the_first_has_told_how_many(
    readers: Readers, stub: Stub
) -> None:
    stub.put(LARGE, OFFERS[:130])
    gate = Gate(stub, lambda body: body["page"] > 1)
    books = given(readers, LARGE)
    asked = gate.expect(1 + IN_FLIGHT)
    assert asked[0] == (LARGE, 1)
    assert {page for _, page in asked[1:]} == {2, 3, 4, 5}
    gate.open()
    (reading,) = read(books)
    assert (reading.is_complete, reading.offers_distinct, reading.pages_read) == (True, 130, 7)
    assert [page.number for page in reading.pages] == [1, 2, 3, 4, 5, 6, 7]


def test_a_book_is_read_to_its_end_before_the_next_begins(readers: Readers, stub: Stub) -> None:
    stub.put(LARGE, OFFERS)
    stub.put(OTHER, OFFERS)
    read(given(readers, LARGE, OTHER, pages=10))
    asked = [name for name, _ in stub.searches()]
    assert asked.index(OTHER) >= 10 - IN_FLIGHT
    assert OTHER not in asked[: 10 - IN_FLIGHT + 1]
    assert len(asked) == 20, "and no page of either is asked for twice"


def test_the_next_book_begins_while_the_last_pages_of_the_one_before_are_under_way(
    readers: Readers, stub: Stub
) -> None:
    stub.put(LARGE, OFFERS[:60])
    stub.put(OTHER, OFFERS[:5])
    gate = Gate(stub, lambda body: body["page"] == 3)
    books = given(readers, LARGE, OTHER, pages=3)
    assert (OTHER, 1) in gate.expect(4)
    assert books[1].result(60)
    gate.open()
    assert read(books)[0].offers_distinct == 60


def test_a_book_known_to_be_large_is_waited_for_and_one_of_a_page_is_not(
    readers: Readers, stub: Stub
) -> None:
    names = [f"VES-A{number}-BUY" for number in range(6)]
    for name in names:
        stub.put(name, OFFERS[:3])
    gate = Gate(stub, lambda _: True)
    small = given(readers, *names, pages=1)
    assert len(set(gate.expect(IN_FLIGHT))) == IN_FLIGHT
    gate.open()
    read(small)
    stub.put(LARGE, OFFERS[:60])
    stub.override = lambda *_: None
    large, *others = read(given(readers, LARGE, pages=3) + given(readers, *names, pages=1))
    assert min(other.started_at for other in others) > large.pages[0].received_at


def test_a_book_begun_beside_another_that_proves_large_begins_anew_when_its_turn_comes(
    readers: Readers, stub: Stub
) -> None:
    stub.put(LARGE, OFFERS)
    stub.put(OTHER, OFFERS)
    gate = Gate(stub, lambda body: True)
    books = given(readers, LARGE, OTHER)  # of both it is not known how large they are
    assert set(gate.expect(2)) == {(LARGE, 1), (OTHER, 1)}
    first_pages, gate = gate, Gate(stub, lambda body: body["page"] > 1)
    first_pages.open()
    # All four threads ask for pages of one of them: so the other one has been set aside.
    assert len({name for name, _ in gate.expect(IN_FLIGHT)}) == 1
    gate.open()
    first, second = sorted(read(books), key=lambda reading: reading.started_us)
    assert second.started_at > first.pages[-IN_FLIGHT].requested_at
    assert (first.is_complete, first.requests) == (True, 10)
    assert (second.is_complete, second.requests, second.pages_read) == (True, 11, 10)


def test_what_fails_of_a_book_ends_it_and_the_next_is_read(readers: Readers, stub: Stub) -> None:
    stub.put(LARGE, OFFERS)
    stub.put(OTHER, OFFERS[:3])
    stub.override = lambda _path, body, _times: (503, b"") if body["page"] == 3 else None
    broken, whole = read(given(readers, LARGE, OTHER, pages=10))
    assert broken.reason == "http_503"
    assert [page.number for page in broken.pages][:2] == [1, 2]
    assert 3 not in [page.number for page in broken.pages]
    assert whole.is_complete


def test_stopped_in_the_middle_a_book_counts_as_not_read_and_none_is_begun(
    readers: Readers, stub: Stub, stop: threading.Event
) -> None:
    stub.put(LARGE, OFFERS)
    stub.put(OTHER, OFFERS[:3])
    gate = Gate(stub, lambda body: body["page"] == 2)
    books = given(readers, LARGE, OTHER, pages=10)
    gate.expect(2)
    stop.set()
    gate.open()
    assert [book.result(60) for book in books] == [None, None]
    assert given(readers, OTHER)[0].result(60) is None
    assert OTHER not in [name for name, _ in stub.searches()]


def test_an_exchange_that_answers_nothing_is_said_of_the_first_book(
    readers: Readers, stub: Stub
) -> None:
    stub.override = lambda *_: (503, b"")
    with pytest.raises(Unreachable):
        given(readers, LARGE)[0].result(60)


def test_a_fault_of_our_own_in_a_thread_is_raised_and_the_thread_lives_on(
    readers: Readers, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.put(LARGE, OFFERS[:3])
    with monkeypatch.context() as broken:
        broken.setattr("load.book.reading.offer_number", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            given(readers, LARGE)[0].result(60)
    assert read(given(readers, LARGE))[0].is_complete
