"""What `p2p serve` shows to Prometheus, read from the warehouse when it is asked for.

docs/operations.md explains each name. Base units; few labels, and none that the exchange or its
users could write: no offer, no advertiser, and pairs only as `P2P_HOT` names them.
"""

from __future__ import annotations

import logging
import math
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ops.tally import BOUNDS, OUTCOMES
from ops.watch import Sight, Sums, Watch
from warehouse.clock import utc_now
from warehouse.errors import UserError
from warehouse.postgres import Warehouse
from warehouse.roles import TRANSFORMER
from warehouse.settings import Settings

log = logging.getLogger(__name__)

PATIENCE = 4.0  # seconds that a scrape waits for the warehouse: Prometheus gives it 10
CYCLE_STATES = ("success", "failed", "stopped")
BREAKER_STATES = ("closed", "half-open", "open")

# Counters without a label, by the name of their sum.
_COUNTERS = {
    "books_planned": ("p2p_books_planned", "Books that cycles planned to read."),
    "books_read": ("p2p_books_read", "Books that were read and landed."),
    "books_complete": ("p2p_books_complete", "Books that were read from first to last page."),
    "books_unchanged": ("p2p_books_unchanged", "Books in which nothing had moved."),
    "books_cut_short": ("p2p_books_cut_short", "Books planned and left for the next cycle."),
    "offers": ("p2p_offers_read", "Offers in the books that were read."),
    "pages": ("p2p_pages_read", "Pages that were read."),
    "pages_landed": ("p2p_pages_landed", "Pages that were kept in staging."),
    "bytes": ("p2p_read_bytes", "Bytes of answers, unpacked."),
    "cleaned_characters": ("p2p_cleaned_characters", "Characters that PostgreSQL cannot hold."),
    "retries": ("p2p_request_retries", "Requests that were tried again."),
    "waited_seconds": ("p2p_limiter_wait_seconds", "Time that requests waited for their turn."),
    "blocked_seconds": ("p2p_limiter_blocked_seconds", "Time that the exchange had us wait."),
    "breaker_opened": ("p2p_breaker_openings", "How often the breaker opened."),
    "tests_failed": ("p2p_dbt_tests_failed", "Tests of dbt that were red."),
    "models_failed": ("p2p_dbt_models_failed", "Models that dbt could not build."),
}


class WarehouseMetrics(Collector):
    """Collects from the warehouse; when that is silent, shows what it saw last, and says so."""

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        clock: Callable[[], datetime] = utc_now,
        patience: float = PATIENCE,
    ) -> None:
        """Look at nothing yet."""
        self._settings, self._warehouse = settings, warehouse
        self._clock, self._patience = clock, patience
        self._watch = Watch(settings.hot)
        self._sight: Sight | None = None
        self._looker = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._looking: Future[Sight] | None = None
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing beforehand: to register must not wait for the warehouse."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        with self._lock:
            is_up = self._look()
            sight = self._sight
        yield _gauge("p2p_up", "Whether the warehouse answered this scrape.", is_up)
        yield _gauge(
            "p2p_interval_seconds",
            "Time from one cycle to the next, as set.",
            self._settings.extraction_interval * 60,
        )
        yield _gauge(
            "p2p_limiter_full_requests_per_second",
            "The pace that is set.",
            self._settings.requests_per_second,
        )
        yield from self._home()
        if sight is not None:
            age = (self._clock() - sight.at).total_seconds()
            yield _gauge("p2p_values_age_seconds", "Age of all that the warehouse told.", age)
            yield from _counted(sight)
            yield from _standing(sight)
            yield from _aged(sight, self._clock())

    def _look(self) -> bool:
        """Bring the sight up to date within the patience; one look at a time."""
        if self._looking is None:
            self._looking = self._looker.submit(self._see)
        wait([self._looking], timeout=self._patience)
        if not self._looking.done():
            return False
        seen, self._looking = self._looking, None
        failure = seen.exception()
        if failure is None:
            self._sight = seen.result()
        elif isinstance(failure, psycopg.Error):
            log.warning("the warehouse does not answer a scrape", extra={"why": _first(failure)})
        else:
            log.error("a scrape failed", exc_info=failure)
        return failure is None

    def _see(self) -> Sight:
        reader = self._warehouse.acting_as(TRANSFORMER).with_session(
            statement_timeout="10s", default_transaction_read_only="on"
        )
        with reader.connect(autocommit=True, connect_timeout=2) as connection:
            return self._watch.look(connection, self._clock())

    def _home(self) -> Iterator[Metric]:
        home = self._settings.home
        yield _gauge(
            "p2p_pending_packages",
            "Packages of the loader that are not in the warehouse yet.",
            pending_packages(home),
        )
        try:
            disk = shutil.disk_usage(home)
        except OSError:
            return
        yield _gauge("p2p_disk_free_bytes", "Free on the disk of P2P_HOME.", disk.free)
        yield _gauge("p2p_disk_size_bytes", "Size of the disk of P2P_HOME.", disk.total)


def pending_packages(home: Path) -> int:
    """Load packages of dlt that were extracted and did not get into the warehouse."""
    pipelines = home / "dlt" / "pipelines"
    waiting = ("*/normalize/extracted/*", "*/load/normalized/*")
    return sum(path.is_dir() for pattern in waiting for path in pipelines.glob(pattern))


@contextmanager
def shown(settings: Settings, warehouse: Warehouse) -> Iterator[str]:
    """Answer scrapes while the context is open; yields the address.

    Raises:
        UserError: the port is taken, or the address is not one of this machine.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(WarehouseMetrics(settings, warehouse))
    host, port = settings.metrics_host, settings.metrics_port
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UserError(
            f"P2P_METRICS_PORT={port}: no metrics can be shown at {host}:{port} "
            f"({error.strerror or error}): name another port, or another P2P_METRICS_HOST."
        ) from None
    try:
        yield f"http://{host}:{port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _counted(sight: Sight) -> Iterator[Metric]:
    sums = sight.sums
    for name, (metric, explained) in _COUNTERS.items():
        family = CounterMetricFamily(metric, explained)
        family.add_metric([], sums[name, ""])
        yield family
    yield _labelled("p2p_cycles", "Cycles that ended.", "state", sums, "cycles", CYCLE_STATES)
    yield _labelled("p2p_requests", "Requests.", "outcome", sums, "requests", OUTCOMES)
    steps = sorted(label for name, label in sums if name == "steps")
    yield _labelled("p2p_step_seconds", "Time in steps.", "step", sums, "steps", steps)
    checks = CounterMetricFamily("p2p_checks_failed", "Checks that were red.", labels=["severity"])
    checks.add_metric(["critical"], sums["checks_failed", ""])
    checks.add_metric(["warning"], sums["checks_warned", ""])
    yield checks
    total, buckets = 0.0, []
    for nth, bound in enumerate((*map(str, BOUNDS), "+Inf"), 1):
        total += sums["request_buckets", str(nth)]
        buckets.append((bound, total))
    took = HistogramMetricFamily("p2p_request_duration_seconds", "How long requests took.")
    took.add_metric([], buckets, sums["request_seconds", ""])
    yield took


def _standing(sight: Sight) -> Iterator[Metric]:
    yield _gauge("p2p_cycle_running", "Whether a cycle runs.", sight.is_running)
    if sight.breaker_state is not None:
        breaker = GaugeMetricFamily(
            "p2p_breaker_state", "1 for the state that the breaker is in.", labels=["state"]
        )
        for state in BREAKER_STATES:
            breaker.add_metric([state], state == sight.breaker_state)
        yield breaker
    failures = GaugeMetricFamily(
        "p2p_last_cycle_failures", "Red in the last cycle that ended.", labels=["kind"]
    )
    for kind, count in sight.failures.items():
        failures.add_metric([kind], count)
    yield failures
    optional: tuple[tuple[str, str, float | None], ...] = (
        ("p2p_limiter_requests_per_second", "The present pace.", sight.requests_per_second),
        ("p2p_books_listed", "Books that the exchange lists.", sight.books_listed),
        ("p2p_books_stale", "Books that are older than twice their cadence.", sight.stale_books),
        (
            "p2p_coverage_ratio",
            "Complete snapshots of the last day among those expected, mean of all books.",
            sight.coverage,
        ),
        (
            "p2p_pending_packages_cycles",
            "Of the last cycles in a row, how many found packages left by the one before.",
            sight.recoveries_in_a_row,
        ),
        ("p2p_database_size_bytes", "Size of the database.", sight.database_bytes),
    )
    for name, explained, value in optional:
        if value is not None:
            yield _gauge(name, explained, value)


def _aged(sight: Sight, now: datetime) -> Iterator[Metric]:
    if sight.succeeded_at is not None:
        yield _gauge(
            "p2p_last_success_age_seconds",
            "Time since a cycle ended in success.",
            (now - sight.succeeded_at).total_seconds(),
        )
    if sight.covered_until is not None:
        yield _gauge(
            "p2p_partition_headroom_seconds",
            "Time until staging.pages has no partition for what is read.",
            max(0.0, (sight.covered_until - now).total_seconds()),
        )
    books = GaugeMetricFamily(
        "p2p_book_age_seconds",
        "Time since a book of P2P_HOT was read whole; +Inf where it never was.",
        labels=["pair", "side"],
    )
    for book in sight.books:
        age = (now - book.complete_at).total_seconds() if book.complete_at else math.inf
        books.add_metric([book.pair, book.side], age)
    yield books
    alerts = GaugeMetricFamily(
        "p2p_market_alert",
        "Alerts of the market that have not cooled down, by rule; pairs of P2P_HOT by name.",
        labels=["rule", "pair"],
    )
    for alert in sight.alerts:
        alerts.add_metric([alert.rule, alert.pair], alert.count)
    yield alerts


def _gauge(name: str, explained: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, explained, value=float(value))


def _labelled(
    metric: str,
    explained: str,
    label: str,
    sums: Sums,
    name: str,
    values: Iterable[str],
) -> CounterMetricFamily:
    """A counter with a series for each of `values`, also where it is 0: then a first one shows."""
    family = CounterMetricFamily(metric, explained, labels=[label])
    for value in values:
        family.add_metric([value], sums[name, value])
    return family


def _first(error: BaseException) -> str:
    from warehouse.log import words_of

    return words_of(error)
