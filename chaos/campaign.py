"""A siege: rounds of blows upon one warehouse, its undisturbed twin, and the audit of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from chaos import audit, facts
from chaos.audit import Finding
from chaos.blows import Blow
from chaos.facts import Rounds, Told
from chaos.scene import Outcome, Scene, scene_in
from chaos.truth import Truth
from chaos.victim import Forge
from simulator.clock import still
from simulator.market import Market
from simulator.server import Exchange
from warehouse.postgres import Warehouse, open_warehouse
from warehouse.settings import load_settings

FIATS, ASSETS, OFFERS = ("VES", "ARS", "BOB"), ("USDT", "BTC", "ETH"), 500
_MOST_MINUTES = 45.0
_TRIES = 3  # of a blow whose place was not passed
_LOOKS = 3  # ordinary runs until each book was read to its end in a round


@dataclass
class Siege:
    """What happened."""

    struck: list[Outcome] = field(default_factory=list)
    healing: list[Outcome] = field(default_factory=list)
    """Runs that nobody disturbed, the last ones of each round."""
    missed: list[Blow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    disk: str = ""

    def kills(self) -> Counter[str]:
        """Kills by place."""
        return Counter(
            f"{run.place}: {run.blow.what}"
            for run in self.struck
            if run.is_hit and run.blow and run.blow.is_kill
        )

    def others(self) -> Counter[str]:
        """What else went wrong, by kind."""
        found: Counter[str] = Counter()
        for run in self.struck:
            if run.is_hit and run.blow:
                found[run.blow.what] += not run.blow.is_kill
                found["dlt's folder is lost"] += run.blow.loses_folder
                found["the clock is set back"] += bool(run.blow.clock_back)
        return +found

    @property
    def is_held(self) -> bool:
        """Whether every question of the audit was answered well."""
        return all(finding.is_so for finding in self.findings)


def besiege(
    folder: Path,
    forge: Forge,
    rounds: Sequence[Sequence[Blow]],
    seed: int,
    tell: Callable[[str], None],
    *,
    wanted: Sequence[str] = (),
    thorough: bool = True,
    look: Callable[[Warehouse, Truth, Rounds], None] = lambda *_: None,
) -> Siege:
    """Strike as `rounds` say, with an undisturbed run at the end of each, and audit the outcome.

    `wanted` are the places that a kill has to hit. What is `thorough` has an undisturbed twin,
    which sees the same market in a warehouse of its own, and a full rebuild at the end. `look` is
    called when all is over, while the warehouse still stands.
    """
    siege, truth, run_rounds = Siege(), Truth(), dict[str, int]()
    minutes = _minutes(len(rounds), seed)
    # The market will have come to our time at the last round.
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=sum(minutes))
    with ThreadPoolExecutor(1) as beside, _market(seed, start) as (market, exchange):
        looks = minutes if thorough else []
        twin = beside.submit(_twin, folder / "twin", forge, seed, start, looks)
        with scene_in(folder / "besieged", exchange, forge, seed) as scene:
            siege.disk = scene.disk.how
            waiting: list[tuple[Blow, int]] = []
            for number, blows in enumerate(rounds):
                scene.begin_round(minutes[number])
                truth.add(market)
                tell(f"round {number + 1} of {len(rounds)}: {market.count()} offers")
                waiting = _strike(siege, scene, [*waiting, *((blow, 1) for blow in blows)], tell)
                siege.healing += _look(scene, tell)
                _learn_runs(scene, run_rounds, number)
            siege.missed = [blow for blow, _ in waiting]
            tell("the audit")
            undisturbed = twin.result()
            with open_warehouse(load_settings(**scene.settings)) as warehouse:
                siege.findings += _audited(siege, warehouse, truth, run_rounds, undisturbed, wanted)
                look(warehouse, truth, run_rounds)
                if thorough:
                    siege.findings += _rebuilt(warehouse, scene.home)
    return siege


def _minutes(rounds: int, seed: int) -> list[float]:
    """How long the market goes on before each round."""
    chance = Random(seed)  # noqa: S311 - no secret
    return [0.0, *(round(chance.uniform(20, _MOST_MINUTES), 1) for _ in range(rounds - 1))]


@contextmanager
def _market(seed: int, start: datetime) -> Iterator[tuple[Market, Exchange]]:
    """The market of this seed: the same to the byte, however often it is opened."""
    market = Market(seed, FIATS, ASSETS, start=start, offers=OFFERS)
    with Exchange(market, clock=still()) as exchange:
        yield market, exchange


def _strike(
    siege: Siege, scene: Scene, blows: Sequence[tuple[Blow, int]], tell: Callable[[str], None]
) -> list[tuple[Blow, int]]:
    """One run a blow; returns those whose place was not passed, to be tried once more."""
    missed = []
    for blow, tries in sorted(blows, key=lambda each: not each[0].is_in_loader):
        outcome = scene.run(blow)
        siege.struck.append(outcome)
        tell(_line(outcome))
        if not outcome.is_hit and tries < _TRIES:
            missed.append((replace(blow, skip=0), tries + 1))
    return missed


def _look(scene: Scene, tell: Callable[[str], None]) -> list[Outcome]:
    """Ordinary runs until every book was read to its end in this round: one, as a rule."""
    runs = []
    for _ in range(_LOOKS):
        runs.append(scene.run())
        tell(_line(runs[-1]))
        if "incomplete" not in runs[-1].said.rpartition("cycle planned")[2]:
            break
    return runs


def _line(outcome: Outcome) -> str:
    blow = outcome.blow
    what = "undisturbed" if blow is None else f"{blow.what}: {blow.place}"
    if blow and blow.loses_folder:
        what += ", dlt's folder is lost"
    if blow and blow.clock_back:
        what += f", the clock is {blow.clock_back} behind"
    ended = f"signal {-outcome.status}" if outcome.status < 0 else f"status {outcome.status}"
    hit = "" if blow is None or outcome.is_hit else " (not met)"
    return f"  {outcome.seconds:5.1f} s  {ended:9}  {what}{hit}{_last_word(outcome)}"


def _last_word(outcome: Outcome) -> str:
    """What a run that failed told its user."""
    words = [line for line in outcome.said.splitlines() if line.startswith("p2p: ")]
    return "".join(f"\n{'':22}{word[:200]}" for word in words)


def _learn_runs(scene: Scene, run_rounds: dict[str, int], number: int) -> None:
    """Whatever run is new was made in this round."""
    with open_warehouse(load_settings(**scene.settings)) as warehouse:
        with warehouse.connect() as connection:
            for (run_id,) in connection.execute("select run_id from ops.runs"):
                run_rounds.setdefault(run_id, number)


def _twin(
    folder: Path, forge: Forge, seed: int, start: datetime, minutes: Sequence[float]
) -> Told | None:
    """What the facts are where nobody disturbs, on the same market, a round after each of these."""
    run_rounds: dict[str, int] = {}
    if not minutes:
        return None
    with _market(seed, start) as (_, exchange):
        with scene_in(folder, exchange, forge, seed) as scene:
            for number, some in enumerate(minutes):
                scene.begin_round(some)
                for outcome in _look(scene, lambda _: None):
                    if outcome.status:
                        raise RuntimeError(f"an undisturbed run failed: {outcome.said[-1000:]}")
                _learn_runs(scene, run_rounds, number)
            with open_warehouse(load_settings(**scene.settings)) as warehouse:
                with warehouse.connect() as connection:
                    return facts.told(connection, run_rounds)


def _audited(
    siege: Siege,
    warehouse: Warehouse,
    truth: Truth,
    run_rounds: dict[str, int],
    undisturbed: Told | None,
    wanted: Sequence[str],
) -> list[Finding]:
    with warehouse.connect() as connection:
        return [
            *audit.of_places(siege.struck, wanted),
            *audit.of_runs(siege.struck, siege.healing),
            *audit.of_warehouse(connection, truth, run_rounds, undisturbed),
        ]


def _rebuilt(warehouse: Warehouse, home: Path) -> list[Finding]:
    """Rebuild all, and compare."""
    from flows.transform import run_dbt

    with warehouse.connect() as connection:
        before = facts.everything(connection)
    report = run_dbt(warehouse, ["run", "--full-refresh"], home / "dbt")
    if not report.is_success:
        return [Finding("a full rebuild succeeds", False, str(report.failures))]
    with warehouse.connect() as connection:
        return audit.of_rebuild(before, facts.everything(connection))
