"""The full pipeline in one process: one warehouse and one exchange a session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaos.facts import everything
from chaos.prefect import prefect_server as running_prefect
from load.pace.pacer import Pacer
from simulator.market import Market
from simulator.replay import Replay
from simulator.server import Exchange
from tests.conftest import PROJECT
from tests.flows.recordings import recorded_frames, write_recordings
from tests.flows.victim import Killer
from tests.load.conftest import FakeTime
from warehouse.postgres import Warehouse
from warehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from ops.summary import CycleOutcome

# Some checks weigh the past by its age, and some cycles run on the real clock.
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
MINUTES = 20
DATABASE = "flows_tests"
PATIENCE = 120.0  # seconds

Table = list[tuple[Any, ...]]


def moment(number: float) -> datetime:
    """When the cycle of this number is, counted from 0."""
    return START + timedelta(minutes=MINUTES * number)


@dataclass
class House:
    """The warehouse, and the flow on it; a clock that stands still during each cycle."""

    settings: Settings
    warehouse: Warehouse
    server: Warehouse
    exchange: Exchange
    killer: Killer
    stages: dict[str, Path] = attribute(default_factory=dict)

    def cycle(
        self,
        at: datetime,
        on_step: Callable[[str], None] = lambda step: None,
        on_progress: Callable[[Any], None] | None = None,
    ) -> CycleOutcome:
        """Run a cycle in this process, as `p2p run` does."""
        from flows.steps import run_cycle

        self.surround(at, on_step=on_step, on_progress=on_progress)
        return run_cycle()

    def reported_cycle(self, at: datetime) -> CycleOutcome:
        """Run a cycle in this process that is told to Prefect's server."""
        from flows.elt import elt

        self.surround(at)
        return elt()

    def surround(self, at: datetime, **calls: Any) -> None:
        """Have the next flow in this process run in this house, at this time."""
        from flows.cycle import SURROUNDINGS, Surroundings

        SURROUNDINGS.set(Surroundings(settings=self.settings, clock=lambda: at, **calls))

    def rows(self, query: str, *parameters: Any) -> Table:
        """Fetch the rows of a query."""
        with self.warehouse.connect() as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def runs(self) -> Table:
        """State and error of each run, in order; of two that began at once the failed one first."""
        return self.rows("select state, error from ops.runs order by started_at, state")

    def history(self) -> dict[str, list[str]]:
        """Everything that the marts tell, in every column."""
        with self.warehouse.connect() as connection:
            return everything(connection)

    def empty(self) -> None:
        """Start over; what dbt has parsed stays."""
        self._make(DATABASE, "template0")
        shutil.rmtree(self._dlt, ignore_errors=True)

    def keep(self, stage: str) -> None:
        """Keep the warehouse as it stands, to be returned to."""
        self._make(f"{DATABASE}_{stage}", DATABASE)
        self.stages[stage] = self.settings.home.parent / stage
        shutil.rmtree(self.stages[stage], ignore_errors=True)
        shutil.copytree(self._dlt, self.stages[stage])

    def go_back_to(self, stage: str) -> None:
        """Put the warehouse back as it was kept."""
        self._make(DATABASE, f"{DATABASE}_{stage}")
        shutil.rmtree(self._dlt, ignore_errors=True)
        shutil.copytree(self.stages[stage], self._dlt)

    @property
    def _dlt(self) -> Path:
        return self.settings.home / "dlt"

    def _make(self, name: str, template: str) -> None:
        # Another name would have dbt parse its project again: the stages are copies, not places.
        with self.server.connect(autocommit=True) as connection:
            for database in (name, template):
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = %s and pid != pg_backend_pid()",
                    [database],
                )
            connection.execute(f"drop database if exists {name} with (force)".encode())
            connection.execute(f"create database {name} template {template}".encode())


@pytest.fixture(scope="session")
def nobodys_settings() -> Iterator[None]:
    """An environment without the settings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("P2P_", "PREFECT_"))]:
            patch.delenv(name)
        for name in ("DATABASE_URL", "BINANCE_API_KEY", "EXTRACTION_INTERVAL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def prefects_own(nobodys_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prefect's own server, which only those are told of who ask for `prefect_server`."""
    with running_prefect(tmp_path_factory.mktemp("prefect")) as address:
        del os.environ["PREFECT_API_URL"]
        yield address


@pytest.fixture(scope="module")
def prefect_server(prefects_own: str) -> Iterator[str]:
    """The address of the server's API, to which the runs of this file report from now on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", prefects_own)
        yield prefects_own


@pytest.fixture(scope="session")
def house(
    server: Warehouse, nobodys_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """The one house of the session; whoever uses it begins with `empty` or `go_back_to`."""
    warehouse = replace(server, database=DATABASE)
    home = tmp_path_factory.mktemp("flows") / "home"
    with Exchange(Market(1, ["VES"], ["USDT"], START, offers=0)) as exchange, Killer() as killer:
        settings = load_settings(
            home=home,
            database_url=warehouse.url,
            api_url=exchange.url,
            rates_url=exchange.url,
            spot_url=exchange.url,
            requests_per_second=1_000,
            fiats=(),
            assets=(),
        )
        yield House(settings, warehouse, server, exchange, killer)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loader's back-off pass at once."""
    passing = FakeTime()
    monkeypatch.setattr(
        "load.pipeline.pacer_of",
        lambda settings: Pacer(settings.requests_per_second, time=passing),
    )


def p2p(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the `p2p` command as a user does, with only these settings."""
    return subprocess.run(
        command(*arguments),
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    """The command line of `p2p` with these arguments."""
    return [sys.executable, "-c", "from cli.main import main; main()", *arguments]


def settings_of(house: House, **changes: str) -> dict[str, str]:
    """The environment that leads `p2p` to the house."""
    assert house.settings.database_url is not None
    url = house.settings.database_url.get_secret_value()
    return {**settings_at(house.settings.home, house.exchange), "DATABASE_URL": url, **changes}


def settings_at(home: Path, exchange: Exchange) -> dict[str, str]:
    """The environment that has `p2p` work in a home and ask this exchange, without a pace."""
    return {
        "P2P_HOME": str(home),
        "P2P_API_URL": exchange.url,
        "P2P_RATES_URL": exchange.url,
        "P2P_SPOT_URL": exchange.url,
        "P2P_REQUESTS_PER_SECOND": "1000",
    }


def overheard(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment in which each Python process tells in `folder` what it sends, and to whom.

    Without what silences a library for other reasons: that this is a test.
    """
    folder.mkdir(exist_ok=True)
    quieted = {"CI", "DO_NOT_TRACK", "GITHUB_ACTIONS", "PREFECT_SERVER_ANALYTICS_ENABLED"}
    return {
        **{name: value for name, value in environment.items() if name not in quieted},
        "OVERHEARD": str(folder),
        "PYTHONPATH": str(Path(__file__).parent / "overheard"),
    }


def telling_nobody(folder: Path, program: str) -> set[str]:
    """See that no such process sent anything home; the libraries that were asked about it."""
    said = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    ours = [one for one in said if program in " ".join(one["line"])]
    for one in ours:
        assert set(one["hosts"]) <= {"127.0.0.1", "localhost"}, one["line"]
        assert not [name for name, sends in one["sends"].items() if sends], one["line"]
    return {name for one in ours for name in one["sends"]}


def files_with(home: Path, secrets: Iterable[str]) -> list[Path]:
    """The files below `home` that hold one of these."""
    return [
        path
        for path in home.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command which was refused says to its user; the log is beside it."""
    assert not [line for line in done.stderr.splitlines() if line.startswith("Traceback")]
    assert "Traceback" not in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("p2p: ")]
    return line


def wait_for(what: Callable[[], bool], patience: float = PATIENCE, every: float = 0.02) -> None:
    """Poll what another process is to do, `every` so many seconds; gives up after `patience`."""
    give_up = time.monotonic() + patience
    while not what():
        assert time.monotonic() < give_up
        time.sleep(every)


@dataclass
class Story:
    """A recording of three books, and what the marts tell after its frames.

    The house is kept as `first` after the first frame.
    """

    paths: list[Path]
    first: dict[str, list[str]]
    second: dict[str, list[str]]
    """After the second frame."""
    again: dict[str, list[str]]
    """After the second frame was read twice."""

    def at(self, frame: int) -> Replay:
        """The exchange at this frame."""
        replay = Replay(self.paths)
        for _ in range(frame):
            replay.advance()
        return replay


@pytest.fixture(scope="session")
def story(house: House, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """What undisturbed cycles make of the recording."""
    story = Story(
        write_recordings(tmp_path_factory.mktemp("recordings"), recorded_frames()), {}, {}, {}
    )
    house.empty()
    house.exchange.source = story.at(0)
    house.cycle(moment(0))
    house.keep("first")
    story.first = house.history()
    house.exchange.source = story.at(1)
    house.cycle(moment(1))
    story.second = house.history()
    house.cycle(moment(1))
    story.again = house.history()
    return story
