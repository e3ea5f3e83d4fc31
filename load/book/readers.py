"""Reads books one at a time, the pages of a book in flight together.

A book moves while it is read, so its pages have to lie close together: four books read side by side
at two requests a second have each of them two seconds apart. So the thread that has the next turn
of the pacer asks for a page of the book that was begun first, and only where that has none left to
ask for begins the next one. A pace of many requests a second is reached over books of one page as
well.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from load.book.drift import Watch
from load.book.reading import OpenReading, Reading
from load.exchange.calls import CallFailed, Exchange, Unreachable
from load.land.state import Book, BookState
from load.pace.pacer import Stopped

ASKED_AGAIN = 2
"""How often a page without offers is asked for again where some were expected."""


@dataclass(eq=False)
class _Job:
    """A book to be read, and its reading once that has begun."""

    book: Book
    known: BookState
    result: Future[Reading | None] = field(default_factory=Future)
    reading: OpenReading | None = None
    requests: int = 0
    """Of a reading that was given up for a later one."""

    @property
    def next_page(self) -> int | None:
        """The page to ask for now, if there is one."""
        return self.reading.pages.next_page() if self.reading else None

    @property
    def may_have_more(self) -> bool:
        """Whether its first page is under way, and the book is known to have further ones."""
        pages = self.reading.pages if self.reading else None
        return pages is not None and pages.asked == pages.in_flight == 1 < self.known.pages


class Readers:
    """The threads of one cycle that read books, in the order in which they are submitted."""

    def __init__(
        self,
        exchange: Exchange,
        clock: Callable[[], datetime],
        stop: threading.Event,
        watch: Callable[[], Watch],
        in_flight: int,
    ) -> None:
        """Start `in_flight` threads, which wait for books."""
        self._exchange, self._clock, self._stop, self._watch = exchange, clock, stop, watch
        self._waiting: deque[_Job] = deque()
        self._begun: list[_Job] = []
        self._is_closed = self._is_stopped = False
        self._changed = threading.Condition()
        self._turnstile = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"read-{number}", daemon=True)
            for number in range(in_flight)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, book: Book, known: BookState) -> Future[Reading | None]:
        """Read `book` after those that were submitted before it; None if there is no time left.

        The future raises what `Exchange.search` raises where it has not answered in this cycle.
        """
        job = _Job(book, known)
        with self._changed:
            if self._is_stopped:
                job.result.set_result(None)
            else:
                self._waiting.append(job)
                self._changed.notify_all()
        return job.result

    def close(self) -> None:
        """Ask for nothing more, and wait for what is in flight."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def read_page(self, job: _Job, number: int) -> None:
        """Ask for a page, of which the turn has come, and take it in.

        Raises:
            CallFailed: it cannot be had.
            Stopped: there is no time to ask for it again.
        """
        reading = job.reading
        assert reading is not None  # noqa: S101 - for the type checker: it has begun
        for again in range(ASKED_AGAIN + 1):
            answer = self._exchange.search(*job.book, number, self._stop, has_turn=not again)
            with self._changed:
                reading.requests += answer.attempts
                if again == ASKED_AGAIN or reading.believes(number, answer):
                    break
            self._exchange.pacer.back_off(again + 1, self._stop)
        with self._changed:
            reading.add(number, answer)
            if number == 1 and self._is_in_the_way(job):
                self._set_aside(job)
            self._proceed(job)

    def _work(self) -> None:
        while task := self._next_task():
            job, number = task
            try:
                self.read_page(job, number)
            except Unreachable as failure:
                self._give_up(job, failure)
            except CallFailed as failure:
                self._fail(job, failure)
            except Stopped:
                with self._changed:
                    self._cut_short(job)
            except BaseException as error:
                self._give_up(job, error)

    def _next_task(self) -> tuple[_Job, int] | None:
        """Wait for a turn, then choose what to ask for: what is most urgent by then."""
        with self._turnstile:
            self._wait_for_work()
            try:
                if not self._is_closed:
                    self._exchange.pacer.admit(self._stop)
            except Stopped:
                self._stop_all()
            self._wait_for_work()
            with self._changed:
                if self._is_closed:
                    self._exchange.pacer.abandoned()
                    return None
                return self._begin_page()

    def _wait_for_work(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._most_urgent() is not None)

    def _most_urgent(self) -> _Job | None:
        """The book to ask for a page of; it is not begun yet where all others can do without."""
        for job in self._begun:
            if job.next_page:
                return job
        if any(job.may_have_more for job in self._begun):
            return None
        return self._waiting[0] if self._waiting else None

    def _begin_page(self) -> tuple[_Job, int]:
        job = self._most_urgent()
        assert job is not None  # noqa: S101 - for the type checker: it was waited for
        if job.reading is None:
            self._begun.append(self._waiting.popleft())
            job.reading = OpenReading(job.book, job.known, self._clock, self._watch())
            job.reading.requests = job.requests
        number = job.reading.pages.next_page()
        assert number is not None  # noqa: S101 - as above
        job.reading.pages.ask(number)
        return job, number

    def _is_in_the_way(self, job: _Job) -> bool:
        """Whether a book shows, by its first page, that it has to wait for another one."""
        if not job.next_page:
            return False
        return any(other.next_page for other in self._begun if other is not job)

    def _set_aside(self, job: _Job) -> None:
        """Start over with a book when its turn comes: its first page would be too old by then."""
        assert job.reading is not None  # noqa: S101 - for the type checker: it has a page
        job.requests, job.reading = job.reading.requests, None
        self._begun.remove(job)
        self._waiting.appendleft(job)

    def _proceed(self, job: _Job) -> None:
        """Close a book that is read to its end, and let the threads look what is next."""
        is_read = job.reading and not job.next_page and not job.reading.pages.in_flight
        if job.reading and is_read and job in self._begun:
            self._begun.remove(job)
            job.result.set_result(job.reading.close())
        self._changed.notify_all()

    def _fail(self, job: _Job, failure: CallFailed) -> None:
        with self._changed:
            if job.reading:
                job.reading.requests += failure.attempts
                job.reading.fail(failure.reason)
                job.reading.pages.lose()
                self._proceed(job)

    def _give_up(self, job: _Job, error: BaseException) -> None:
        with self._changed:
            self._drop(job)
            if not job.result.done():
                job.result.set_exception(error)

    def _cut_short(self, job: _Job) -> None:
        self._drop(job)
        if not job.result.done():
            job.result.set_result(None)

    def _drop(self, job: _Job) -> None:
        for jobs in (self._begun, self._waiting):
            if job in jobs:
                jobs.remove(job)
        if job.reading:
            job.reading.pages.close()
        self._changed.notify_all()

    def _stop_all(self) -> None:
        """Leave for another time what needs a further page; what is all in flight may end."""
        with self._changed:
            self._is_stopped = True
            for job in [*self._begun, *self._waiting]:
                if job.reading is None or job.next_page or job.may_have_more:
                    self._cut_short(job)
