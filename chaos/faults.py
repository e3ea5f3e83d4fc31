"""An exchange that fails in every way it is known to, and what the loader makes of it.

Cycle after cycle over a market that moves, each with faults of one kind or several in a share of
its answers; then one transform, and an audit: what could be read was read, what could not says
why, and the facts claim what was shown and no more. Waiting is made up, so a ban costs no time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg

import load.exchange.calls
from chaos import facts
from chaos.audit import Finding, examples, of_snapshots
from chaos.claims import claims
from chaos.facts import Snapshot
from chaos.truth import Truth
from flows.transform import run_dbt
from load.book.readers import ASKED_AGAIN
from load.book.reading import SHORT
from load.exchange.client import Limits
from load.land.state import SUDDENLY_EMPTY
from load.pace.limiter import POLL_SECONDS
from load.pace.pacer import Pacer
from load.pipeline import CycleReport, ExchangeOutOfReach, run_cycle
from ops import record
from ops.migrations import migrate
from simulator.clock import still
from simulator.faults import CHALLENGES, Asked, Fault, Faults
from simulator.market import Market
from simulator.server import Exchange
from warehouse.postgres import Warehouse
from warehouse.settings import Settings, load_settings

RATES = (0.01, 0.1, 0.5)
THROTTLED = ("429", "418")
FORBIDDEN = ("403", "451", *CHALLENGES)
OF_PACE = (*THROTTLED, *FORBIDDEN)
"""Those that tell us to slow down, or to stay away: they may leave books for the next cycle."""
PASSING = (
    "400", "404", "500", "502", "503", "504", "000001", "000002",
    "timeout", "cut", "reset", "shape", "empty", "notjson", "unsuccessful",
)  # fmt: skip
KINDS = (*OF_PACE, *PASSING)

Mixture = Mapping[str, float]
"""Kinds of faults, with the share of the answers that each befalls."""

FIATS, ASSETS, OFFERS = ("VES", "ARS", "BOB", "LKR"), ("USDT", "BTC", "ETH"), 1_500
_MINUTES = 25.0  # between two cycles: more than the interval, so that none goes on with another
_SILENCE = 4.0  # seconds that nothing comes
_PATIENCE = 2.0  # of the loader for such an answer, in place of its quarter of a minute
_MOMENT = 0.005
_CODE_DIGITS = 6
_REASONS = {
    "timeout": ("timeout", "connection"),
    "reset": ("connection",),
    "cut": ("cut",),
    "shape": ("wrong_shape",),
    "notjson": ("not_json",),
    "empty": (SHORT, SUDDENLY_EMPTY),
    "unsuccessful": ("not_successful",),
    **{kind: (f"challenge_{status}",) for kind, status in CHALLENGES.items()},
}


def each_alone() -> list[Mixture]:
    """A cycle for every kind of fault at every rate."""
    return [{kind: rate} for rate in RATES for kind in KINDS]


def those_that_pass_together() -> list[Mixture]:
    """The same in short: together what passes by itself, and what forbids; haste alone."""
    groups = (PASSING, FORBIDDEN, *((kind,) for kind in THROTTLED))
    return [{kind: rate / len(group) for kind in group} for group in groups for rate in RATES]


def reasons_of(kind: str) -> tuple[str, ...]:
    """What a snapshot may say that this kind of fault left incomplete."""
    if kind in _REASONS:
        return _REASONS[kind]
    return (f"code_{kind}" if len(kind) == _CODE_DIGITS else f"http_{kind}",)


class Witnessed(Faults):
    """Faults that remember what befell each request."""

    def __init__(self, rates: Mixture, seed: int) -> None:
        """Nothing was asked yet."""
        super().__init__(rates, seed, stall=_SILENCE)
        self.seen: dict[Asked, list[str | None]] = {}

    def draw(self, asked: Asked) -> Fault | None:
        """The fault for this request, if any."""
        fault = super().draw(asked)
        self.seen.setdefault(asked, []).append(fault.kind if fault else None)
        return fault

    def explains(self, book: tuple[str, str, str], reason: str | None) -> bool:
        """Whether some page of `book` failed in each of its tries, the last time for `reason`."""
        for asked, befell in self.seen.items():
            if (asked.fiat, asked.asset, asked.side) != book or befell[-1] is None:
                continue
            tries = ASKED_AGAIN + 1 if befell[-1] == "empty" else load.exchange.calls.TRIES
            if reason in load.exchange.calls.FINAL:
                tries = 1
            if reason in reasons_of(befell[-1]) and all(befell[-tries:]) and len(befell) >= tries:
                return True
        return False


@dataclass(frozen=True)
class Trial:
    """One cycle under faults."""

    run_id: str
    faults: Witnessed
    report: CycleReport | None
    """None when the exchange was out of reach."""

    @property
    def bears_on_pace(self) -> bool:
        """Whether the exchange told us to slow down or to stay away."""
        return any(self.faults.committed[kind] for kind in OF_PACE)

    def __str__(self) -> str:
        """One line."""
        kinds = list(self.faults.rates)
        named = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds"
        begin = f"{named:>8} at {sum(self.faults.rates.values()):4.0%}"
        begin += f"  {self.faults.committed.total():4} faults"
        if self.report is None:
            return f"{begin}  out of reach, said in one line"
        reasons = ", ".join(f"{why} {n}" for why, n in self.report.incomplete_reasons.items())
        return (
            f"{begin} in {self.report.attempts:4} requests: {self.report.books_complete} books"
            f" whole, {self.report.books_cut_short} left for the next cycle,"
            f" {self.report.incomplete_reasons.total()} incomplete{reasons and f' ({reasons})'}"
        )


@dataclass
class Ordeal:
    """What happened."""

    truth: Truth = field(default_factory=Truth)
    rounds: dict[str, int] = field(default_factory=dict)
    """The round in which each run was made, by its id."""
    trials: list[Trial] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_held(self) -> bool:
        """Whether every question of the audit was answered well."""
        return all(finding.is_so for finding in self.findings)


class MadeUpTime:
    """Seconds that pass only by waiting, and then at once.

    But for a poll, which waits for another thread's answer: that one takes a moment in truth.
    """

    def __init__(self) -> None:
        """Begin."""
        self._now = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the beginning."""
        return self._now

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """They are over."""
        if seconds <= POLL_SECONDS:
            stop.wait(_MOMENT)
        with self._lock:
            self._now += seconds


def undergo(
    warehouse: Warehouse, home: Path, mixtures: Sequence[Mixture], seed: int, *, core_only: bool
) -> Ordeal:
    """A quiet cycle, one under each of `mixtures`, a quiet one again; then transform and audit.

    `warehouse` is an empty one; `core_only` leaves out the marts that stand on the core tables.
    """
    ordeal = Ordeal()
    start = datetime.now(UTC).replace(microsecond=0)
    start -= timedelta(minutes=_MINUTES * (len(mixtures) + 1))
    market = Market(seed, FIATS, ASSETS, start=start, offers=OFFERS)
    with Exchange(market, clock=still()) as exchange, _impatience():
        settings = load_settings(
            home=home,
            database_url=warehouse.url,
            binance_api_key=None,
            redis_url=None,
            api_url=exchange.url,
            rates_url=None,
            spot_url=None,
            fiats=(),
            assets=(),
            hot=(),
            requests_per_second=1_000,
        )
        for number, mixture in enumerate([{}, *mixtures, {}]):
            if number:
                exchange.advance(_MINUTES)
            ordeal.truth.add(market)
            exchange.faults = faults = Witnessed(mixture, seed + number)
            run_id = f"run{number:03}"
            cycle = _cycle(settings, warehouse, exchange, run_id, seed + number)
            trial = Trial(run_id, faults, cycle)
            ordeal.rounds[trial.run_id] = number
            ordeal.trials.append(trial)
    with record.connected(warehouse) as connection:
        migrate(connection)
    selected = ("--select", "+marts.core") if core_only else ()
    without = ("--exclude-resource-type", "test", "unit_test")
    report = run_dbt(warehouse, ["build", *without, *selected], home / "dbt")
    if not report.is_success:
        raise RuntimeError(f"the transform failed: {report.failures}")
    with warehouse.connect() as connection:
        ordeal.findings = audited(connection, ordeal)
    return ordeal


def _cycle(
    settings: Settings, warehouse: Warehouse, exchange: Exchange, run_id: str, seed: int
) -> CycleReport | None:
    begun = datetime.now(UTC)
    chance = Random(seed)  # noqa: S311 - no secret
    try:
        return run_cycle(
            settings,
            warehouse,
            run_id,
            clock=lambda: exchange.source.now + (datetime.now(UTC) - begun),
            pacer=Pacer(settings.requests_per_second, time=MadeUpTime(), chance=chance),
        )
    except ExchangeOutOfReach as refusal:
        if "\n" in str(refusal):
            raise
        return None


def audited(connection: psycopg.Connection[Any], ordeal: Ordeal) -> list[Finding]:
    """What can be asked of the warehouse when the cycles are over and the facts are built."""
    truth, rounds, trials = ordeal.truth, ordeal.rounds, ordeal.trials
    readings = facts.snapshots(connection)
    told = facts.told(connection, rounds)
    by_run = {trial.run_id: trial for trial in trials}
    incomplete = [reading for reading in readings if not reading.is_complete]
    unexplained = [
        f"{reading.snapshot_id} ({reading.reason})"
        for reading in incomplete
        if not by_run[reading.run_id].faults.explains(reading.book, reading.reason)
        and not _has_emptied(reading, truth, rounds)
    ]
    idle = [str(trial) for trial in trials if not _is_all_accounted_for(trial)]
    implied = claims(truth, rounds, readings)
    missing, surplus = implied.versions - told.versions, told.versions - implied.versions
    return [
        *of_snapshots(connection, truth, rounds),
        Finding(
            "what could be read was read: what was not had failed in every try, and says for what",
            not unexplained and not idle,
            f"{len(incomplete)} books incomplete, {len(unexplained)} of them without cause,"
            f" {len(idle)} cycles left something for no reason" + examples([*unexplained, *idle]),
        ),
        Finding(
            "the facts claim what was shown, and an outage ends no version of what it did not show",
            not missing and not surplus and not told.unexplained and implied.kept > 0,
            f"{told.versions.total():,} versions, {missing.total()} missing,"
            f" {surplus.total()} too many; {implied.outages} outages hid {implied.kept:,} offers"
            " whose versions went on" + examples([*missing, *surplus]),
        ),
    ]


def _has_emptied(reading: Snapshot, truth: Truth, rounds: dict[str, int]) -> bool:
    """Whether a book that says it is empty, and is not believed yet, speaks the truth."""
    return (
        reading.reason == SUDDENLY_EMPTY
        and not (truth.states[rounds[reading.run_id]][reading.book])
    )


def _is_all_accounted_for(trial: Trial) -> bool:
    """Whether each book was read, or was left over by an exchange that told us to wait."""
    report = trial.report
    if report is None:
        return trial.faults.committed.total() > 0
    if report.books_read + report.books_cut_short != report.books_listed:
        return False
    return not report.books_cut_short or trial.bears_on_pace


@contextmanager
def _impatience() -> Iterator[None]:
    """Have the loader wait less for an answer that does not come."""
    of_loader = vars(load.exchange.calls)
    before = of_loader["LIMITS"]
    of_loader["LIMITS"] = Limits(silent_seconds=_PATIENCE)
    try:
        yield
    finally:
        of_loader["LIMITS"] = before
