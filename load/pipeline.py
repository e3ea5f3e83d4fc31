"""One cycle of the loader: recover, plan, read in batches, land each, report."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime

from load.alone import only_loader
from load.book.readers import Readers
from load.book.reading import Reading
from load.exchange import catalogue
from load.exchange.calls import Exchange, Unreachable
from load.exchange.catalogue import CatalogueReading
from load.exchange.listing import Listing, require_books, unlisted
from load.exchange.meter import Meter
from load.exchange.reach import (
    ExchangeOutOfReach,
    out_of_reach,
    require_reach,
    require_same_kind,
)
from load.land.landed import follow, follow_catalogue
from load.land.landing import Landing, Refused, share_arenas
from load.land.memory import remember_batch
from load.land.source import Batch, pages_ahead
from load.land.state import Book, BookState, CycleState, State, from_microseconds, to_microseconds
from load.pace.pacer import Pacer, Stopped, pacer_of
from load.plan import crawl as plan
from load.rates.prices import ask_beside
from load.report import CycleReport, Progress
from warehouse.clock import utc_now
from warehouse.postgres import Warehouse, Writer, require_write_access
from warehouse.roles import LOADER
from warehouse.settings import Settings
from warehouse.trouble import trouble_in_one_line

__all__ = ["CycleReport", "ExchangeOutOfReach", "Progress", "run_cycle"]

log = logging.getLogger(__name__)

IN_FLIGHT = 4
SHORTEST_CYCLE_SECONDS = 300.0
SMALL_CATALOGUE = 20  # readings that may wait for the first batch of books: a load costs 0.3 s
NOT_LANDABLE = "refused_by_warehouse"


def run_cycle(
    settings: Settings,
    warehouse: Warehouse,
    run_id: str,
    *,
    clock: Callable[[], datetime] = utc_now,
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_pulse: Callable[[CycleReport], None] | None = None,
    pacer: Pacer | None = None,
    catalogue_only: bool = False,
    holds_simulated: bool | None = None,
) -> CycleReport:
    """Read what is due of the market into `staging`, and say how that went.

    A book that fails is an incomplete snapshot with a reason. `stop` ends the cycle cleanly: what
    was read completely lands, the rest is left for the next cycle. `on_pulse` is told of the
    report as it stands every some seconds, also while nothing may go out. `pacer` is
    for tests and for processes that run many cycles. `catalogue_only` reads what the exchange
    lists, however young what is known of it, and no book. `holds_simulated` says which kind of
    exchange the readings of this warehouse came from, None where it holds none: what another kind
    answers does not land.

    Raises:
        ExchangeOutOfReach: nothing at all could be read.
        UserError: another loader runs, the warehouse or Redis is silent, a limit names nothing, or
            the exchange is of another kind than the readings of this warehouse.
    """
    share_arenas()
    warehouse = warehouse.acting_as(LOADER)
    with trouble_in_one_line("the warehouse does not answer"):
        require_write_access(warehouse, ("staging",))
        with only_loader(settings.home, warehouse) as writer:
            cycle = _Cycle(
                settings,
                warehouse,
                writer,
                run_id,
                clock,
                stop or threading.Event(),
                on_progress or (lambda _: None),
                on_pulse or (lambda _: None),
                pacer or pacer_of(settings),
                holds_simulated,
            )
            return cycle.run(catalogue_only)


class _Cycle:
    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        writer: Writer,
        run_id: str,
        clock: Callable[[], datetime],
        stop: threading.Event,
        on_progress: Callable[[Progress], None],
        on_pulse: Callable[[CycleReport], None],
        pacer: Pacer,
        holds_simulated: bool | None,
    ) -> None:
        self.settings, self.warehouse, self.writer = settings, warehouse, writer
        self.run_id, self.holds_simulated = run_id, holds_simulated
        self.clock, self.stop, self.on_progress, self.pacer = clock, stop, on_progress, pacer
        self.report = CycleReport(run_id, clock())
        self.state = State()
        key = settings.binance_api_key
        self.exchange = Exchange(
            settings.api_url,
            pacer,
            user_agent=settings.user_agent,
            api_key=key.get_secret_value() if key else None,
            clock=clock,
        )
        self.meter = Meter(pacer, self.exchange, self.report, on_pulse)
        self.interval_seconds = settings.extraction_interval * 60
        self.rounds = plan.Rounds(
            settings.requests_per_second, settings.extraction_interval, settings.hot
        )

    def run(self, catalogue_only: bool = False) -> CycleReport:
        with self._step("recover"):
            self.landing = Landing(self.settings.home, self.warehouse, self.pacer.time, self.stop)
            self.report.recovered = self.landing.recover()
            self.state = self.landing.state()
            with self.warehouse.connect(autocommit=True) as connection:
                follow_catalogue(self.state, connection, self.clock() - catalogue.MAX_AGE)
        self.pacer.open(max(self.interval_seconds, SHORTEST_CYCLE_SECONDS))
        if catalogue_only:
            catalogue.outdate(self.state.catalogue)
        else:
            self._open_cycle()
        self.readers = Readers(
            self.exchange, self.clock, self.stop, lambda: self.state.watch, IN_FLIGHT
        )
        try:
            with self._step("catalogue"):
                self._read_catalogue()
            if not catalogue_only:
                books = self._plan()
                assets = {book.asset for book in books}
                started = self.report.started_at
                self.beside = ask_beside(self.settings, self.warehouse, assets, started)
                with self._step("read"):
                    self._read_books(books)
            elif self.unlanded.catalogue:
                self._land(self.unlanded)
        except Unreachable as failure:
            raise out_of_reach(self.exchange, self.settings.api_url, self.clock) from failure
        finally:
            self.meter.pulse()  # also of a cycle that fails: what it was answered counts
            self.pacer.close()
            self.readers.close()
            self.exchange.close()
        require_reach(self.exchange, self.settings.api_url, self.clock, self.stop)
        if not catalogue_only:
            self._finish()
        return self.report

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.report.seconds[name] = self.report.seconds.get(name, 0.0) + spent

    def _open_cycle(self) -> None:
        """Go on with an interrupted cycle that is younger than the interval, or begin one."""
        limits = f"{','.join(self.settings.fiats)}|{','.join(self.settings.assets)}"
        now, last = self.clock(), self.state.cycle
        age = (now - from_microseconds(last.started_us)).total_seconds()
        if last.is_open and last.limits == limits and 0 <= age < self.interval_seconds:
            self.report.resumed = True
        else:
            self.state.cycle = CycleState(self.run_id, to_microseconds(now), limits, True)
            self.state.watch.begin()

    def _read_catalogue(self) -> None:
        listing = Listing(self.exchange, self.clock, self.stop, self.meter, self._tell)
        readings = listing.readings
        try:
            listing.read(self.state.catalogue, self.settings.fiats, IN_FLIGHT)
        except Stopped:
            self.report.stopped = self.stop.is_set()
        except Unreachable as failure:
            # The books that are known may still be had; if not, the first of them will tell.
            if not self._listed():
                raise
            readings.append(CatalogueReading("fiats", None, self.clock(), reason=failure.reason))
        for reading in readings:
            catalogue.remember(self.state.catalogue, reading)
        self.unlanded = Batch(self.run_id, catalogue=readings)
        if len(readings) > SMALL_CATALOGUE:
            self._land(self.unlanded)
            self.unlanded = Batch(self.run_id)

    def _plan(self) -> deque[Book]:
        listed, limits = self._listed(), (self.settings.fiats, self.settings.assets)
        require_books(self.state.catalogue, *limits)
        self.report.unlisted = unlisted(self.state.catalogue, *limits)
        if self.report.unlisted:
            log.warning("the exchange lists no book of %s", ",".join(self.report.unlisted))
        with self.warehouse.connect(autocommit=True) as connection:
            self.report.books_corrected = follow(self.state, connection, listed)
        begun = self.state.cycle.started_us
        due = [book for book in listed if not self._was_read_since(book, begun)]
        if self.report.resumed and not due:
            self.report.resumed = False
            self.state.cycle.started_us = to_microseconds(self.clock())
            due = listed
        self.report.books_listed = len(listed)
        self.spent_before = self.pacer.counts.attempts
        return self._plan_round(due if self.report.resumed else listed)

    def _plan_round(self, listed: list[Book]) -> deque[Book]:
        chosen = self.rounds.plan(listed, self.state.books, self._spent(), self.clock())
        self.report.books_planned += len(chosen.books)
        log.info(
            "cycle planned: %d books in about %d requests, %d left for later%s",
            len(chosen.books),
            chosen.requests,
            chosen.left_out,
            "; it resumes one that was cut off" if self.report.resumed else "",
            extra={"run_id": self.run_id},
        )
        return deque(chosen.books)

    def _spent(self) -> int:
        """Requests of this cycle's books."""
        return self.pacer.counts.attempts - self.spent_before

    def _listed(self) -> list[Book]:
        return self.state.catalogue.books(self.settings.fiats, self.settings.assets)

    def _was_read_since(self, book: Book, begun_us: int) -> bool:
        known = self.state.books.get(book)
        return known is not None and known.landed and known.read_us >= begun_us

    def _read_books(self, books: deque[Book]) -> None:
        """Read one book after the other; land when a batch is full, or a round is over.

        While a batch lands, some books are read on, a few pages' worth: so memory holds one batch
        and little more, however slow the warehouse is.
        """
        in_flight: set[Future[Reading | None]] = set()
        batch, is_left_open = self.unlanded, False
        while books or in_flight:
            while books and len(in_flight) < IN_FLIGHT:
                in_flight.add(self._submit(books.popleft()))
            done, in_flight = self.meter.first_of(in_flight)
            for future in done:
                reading = future.result()
                if reading is None:
                    self.report.books_cut_short += 1
                else:
                    self._take(reading, batch)
            if books and self._is_over():
                self.report.books_cut_short += len(books)
                books.clear()
            is_last = not books and not in_flight
            looks_again = is_last and not self._is_over() and self.rounds.has_more(self._spent())
            if looks_again or batch.is_full(self.settings.requests_per_second):
                self._close_cycle(looks_again or not is_last)
                ahead = pages_ahead(self.settings.requests_per_second)
                for book in plan.take_first(books, self.state.books, ahead):
                    in_flight.add(self._submit(book))
                self._land(batch)
                batch = Batch(self.run_id)
            if looks_again:
                books = self._plan_round(self._listed())
                is_left_open = not books
        self.report.stopped |= self.stop.is_set() and self.report.books_cut_short > 0
        self._close_cycle(False)
        batch.prices = self.beside.collect(self.stop.is_set())
        if batch.readings or batch.catalogue or batch.prices or is_left_open:
            self._land(batch)

    def _is_over(self) -> bool:
        return self.stop.is_set() or self.pacer.time.now() > self.pacer.deadline

    def _submit(self, book: Book) -> Future[Reading | None]:
        return self.readers.submit(book, self.state.books.get(book, BookState()))

    def _take(self, reading: Reading, batch: Batch) -> None:
        self._require_same_kind()
        if reading.reason:
            log.warning("book incomplete: %s, %s", reading.snapshot_id, reading.reason)
        batch.add(reading)
        self._tell(reading.book.name, batch)

    def _require_same_kind(self) -> None:
        require_same_kind(self.exchange, self.settings.api_url, self.holds_simulated)

    def _close_cycle(self, more_to_come: bool) -> None:
        self.state.cycle.is_open = more_to_come or self.report.books_cut_short > 0

    def _land(self, batch: Batch) -> None:
        """Land `batch`; if a value in it cannot be kept, land it in halves, down to the culprit.

        One reading that cannot land is landed as an incomplete one without its pages, so that it
        costs nobody else's.
        """
        self._require_same_kind()
        if self.report.is_simulated is None and self.exchange.is_simulated is not None:
            self.report.is_simulated = self.exchange.is_simulated
            self.meter.pulse()  # recorded before anything of it is in the warehouse
        before = self.state.dump()
        remember_batch(self.state, batch, self.clock)
        try:
            with self._step("land"):
                load_ids = self.landing.land(batch, self.state, self.writer.require)
        except Refused:
            self.state = State.load(before)
            parts = batch.halves()
            if not parts:
                if not batch.refuse(NOT_LANDABLE):
                    raise
                parts = [batch]
            for part in parts:
                self._land(part)
            return
        self.report.load_ids += load_ids
        for reading in batch.readings:
            self.report.add(reading)
        for entry in batch.catalogue:
            self.report.catalogue_readings += 1
            self.report.catalogue_incomplete += entry.reason is not None
            self.report.dropped_codes += entry.dropped
        self.report.new_fields += [row["path"] for row in batch.new_fields]
        self.report.drift += batch.drift
        log.info(
            "batch landed: %d books, %d pages",
            len(batch.readings),
            batch.pages,
            extra={"run_id": self.run_id, "load_ids": load_ids},
        )

    def _finish(self) -> None:
        report = self.report
        if report.load_ids:
            self.landing.tidy()
        report.finished_at, report.beside = self.clock(), self.beside.outcomes
        self.meter.read()
        log.info(
            "reading %s: %d books, %d of them complete and %d unchanged; %d pages, %d requests",
            "stopped" if report.stopped else "ended",
            report.books_read,
            report.books_complete,
            report.books_unchanged,
            report.pages,
            report.attempts,
            extra={"run_id": self.run_id},
        )

    def _tell(self, message: str, batch: Batch | None = None) -> None:
        waiting = batch or Batch(self.run_id)
        self.on_progress(
            Progress(
                self.report.books_read + len(waiting.readings),
                self.report.books_planned,
                self.report.pages + waiting.pages_read,
                self.report.offers + waiting.offers_read,
                message,
            )
        )
