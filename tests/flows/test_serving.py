"""On a schedule with nobody there: killed hard, it goes on by itself; asked to stop, it stops."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from flows.deployments import deployments
from flows.serving import OwnServer
from ops import record
from simulator.market import Market
from tests.conftest import PROJECT
from tests.flows.conftest import (
    PATIENCE,
    START,
    House,
    command,
    overheard,
    settings_of,
    telling_nobody,
)
from tests.flows.conftest import wait_for as wait_and_look
from tests.flows.test_prefect_home import is_there
from warehouse.postgres import single_writer

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
    pytest.mark.timeout(1_200),  # a busy machine takes minutes for what else takes seconds
]

Ask = Callable[[str], float | None]

SECONDS = 6  # from one cycle to the next
RUN = "prefect.engine"
"""What stands in the command line of each run that a schedule started."""
LIBRARIES = {"prefect", "prefect server", "dlt", "dbt", "great_expectations"}
wait_for = partial(wait_and_look, every=0.2)
"""Each look is a question to Prefect's server, or a login: they need the processor themselves."""
PREFECT = Path(sys.executable).with_name("prefect")


@pytest.fixture
def small_house(house: House) -> House:
    house.empty()
    house.exchange.source = Market(seed=7, fiats=["VES"], assets=["USDT"], start=START, offers=30)
    return house


@pytest.fixture
def environment(small_house: House, tmp_path: Path) -> dict[str, str]:
    """Of what is served: short intervals, a port and a folder for what is temporary of its own."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outside = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    return {
        **overheard(tmp_path / "overheard", outside),
        **settings_of(
            small_house,
            EXTRACTION_INTERVAL=str(SECONDS / 60),
            P2P_METRICS_PORT=str(port),
            TMPDIR=str(temporary),
            PREFECT_RUNNER_POLL_FREQUENCY="1",
            PREFECT_WORKER_QUERY_SECONDS="1",
        ),
    }


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their command lines."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if stat[0] != "Z":
            parents[int(folder.name)] = int(stat[1])
    found, new = dict[int, str](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= {child: commands[child] for child in new}
    return found


def engine_of(pid: int) -> int | None:
    """The process of the run that is under way below `pid`."""
    return next((child for child, line in descendants(pid).items() if RUN in line), None)


def cycles(house: House) -> list[str]:
    """The states of all cycles, in order."""
    if house.rows("select to_regclass('ops.runs')") == [(None,)]:
        return []
    return [state for state, _ in house.runs()]


def kill_the_next_run(house: House, parent: int) -> None:
    """Kill a run in the middle of its cycle, hard."""
    before = len(cycles(house))
    wait_for(lambda: cycles(house)[before:] == ["running"], patience=5 * PATIENCE)
    engine = engine_of(parent)
    assert engine is not None
    os.kill(engine, signal.SIGKILL)


def assert_it_goes_on(house: House) -> None:
    """The cycle that was killed is followed by one that succeeds; nobody lends a hand."""
    before = cycles(house)
    assert before[-1] == "running"
    wait_for(lambda: "success" in cycles(house)[len(before) :], patience=5 * PATIENCE)
    assert cycles(house)[len(before) - 1 :][:2] == ["failed", "success"]
    assert house.runs()[len(before) - 1] == ("failed", record.ZOMBIE)


@contextmanager
def started(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[Any]:
    """A process that ends with the test, and all below it too."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        below = descendants(process.pid)
        process.kill()
        process.wait()
        for pid in below:
            if is_there(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def prometheus(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[str], float | None]]:
    """Ask a real Prometheus, which scrapes what is served."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = yaml.safe_load((PROJECT / "monitoring/prometheus/prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(PROJECT / "monitoring/prometheus/alerts.yml")]
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [
        f"127.0.0.1:{environment['P2P_METRICS_PORT']}"
    ]
    del configuration["alerting"]
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    arguments = [f"--config.file={path}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]

    def ask(query: str) -> float | None:
        try:
            answer = requests.get(
                f"http://{address}/api/v1/query", params={"query": query}, timeout=30
            ).json()
        except requests.ConnectionError:
            return None
        found = answer["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    with started(
        [program, *arguments, f"--web.listen-address={address}"], environment, tmp_path / "log"
    ):
        yield ask


def test_what_is_served_survives_being_killed_and_prometheus_sees_it(
    small_house: House,
    environment: dict[str, str],
    prometheus: Ask,
    tmp_path: Path,
) -> None:
    house, log = small_house, tmp_path / "serve.log"
    # There, as another user's would be: Prefect would have its own folder in it.
    (tmp_path / "temporary" / "runner_storage").touch()
    with started(command("serve"), environment, log) as first:
        kill_the_next_run(house, first.pid)
        assert_it_goes_on(house)
        wait_for(lambda: (prometheus('p2p_cycles_total{state="success"}') or 0) >= 1)
        assert prometheus('p2p_cycles_total{state="failed"}') == 1
        assert (prometheus('p2p_requests_total{outcome="understood"}') or 0) > 0
        assert prometheus("p2p_up") == 1
        assert prometheus('count(up{job="p2p"})') == 1

        # Killed itself in the middle of a cycle: its server and its run end with it.
        done = len(cycles(house))
        wait_for(lambda: cycles(house)[done:] == ["running"] or cycles(house)[done + 1 :] != [])
        below = descendants(first.pid)
        first.kill()
        first.wait()
        # Its run finishes the transform if that is under way.
        wait_for(lambda: not [pid for pid in below if is_there(pid)], patience=5 * PATIENCE)
    seen = prometheus('p2p_cycles_total{state="success"}') or 0

    before = len(cycles(house))
    with started(command("serve"), environment, log) as second:
        wait_for(lambda: "success" in cycles(house)[before:], patience=5 * PATIENCE)
        wait_for(lambda: (prometheus('p2p_cycles_total{state="success"}') or 0) > seen)

        # Asked to stop in the middle of a cycle.
        done = len(cycles(house))
        wait_for(lambda: cycles(house)[done:] == ["running"])
        below = descendants(second.pid)
        second.terminate()
        assert second.wait(PATIENCE) == 0, log.read_text()
        assert not [line for pid, line in below.items() if is_there(pid)]
    assert "running" not in cycles(house)
    assert "Traceback" not in log.read_text()
    assert log.read_text().endswith("Stopped.\n")
    assert telling_nobody(tmp_path / "overheard", RUN) == LIBRARIES
    assert telling_nobody(tmp_path / "overheard", "import main; main() serve")


def test_a_worker_on_a_pool_survives_being_killed_and_does_not_make_up_for_what_was_missed(
    small_house: House, environment: dict[str, str], tmp_path: Path
) -> None:
    house = small_house
    server = OwnServer(house.settings.home)  # one that schedules; its database is there already
    environment |= server.environment
    environment |= {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
    }
    server.ensure_running(threading.Event())
    page = requests.get(server.address, timeout=PATIENCE)
    assert "<title>Prefect" in page.text
    assert page.headers["content-type"].startswith("text/html")
    closed = requests.post(f"{server.address}/api/flow_runs/filter", json={}, timeout=PATIENCE)
    assert closed.status_code == 401
    assert server.password_file.stat().st_mode & 0o077 == 0
    project = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    project["deployments"][0]["schedules"][0]["interval"] = SECONDS
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump(project))
    worker = [
        str(PREFECT),
        "worker",
        "start",
        "--pool",
        "market",
        "--type",
        "process",
        "--limit",
        "1",
    ]
    log = tmp_path / "worker.log"
    try:
        for arguments in (
            ["work-pool", "create", "market", "--type", "process"],
            ["work-pool", "create", "forecasts", "--type", "process"],
            ["--no-prompt", "deploy", "--all", "--prefect-file", str(file)],
        ):
            subprocess.run([PREFECT, *arguments], cwd=PROJECT, env=environment, check=True)
        with started(worker, environment, log) as first:
            with single_writer(house.warehouse, "cycle"):
                change(server, "maintenance", "create_flow_run")
                wait_for_a_run(server, "crawl-and-transform", "Skipped")
                wait_for_a_run(server, "maintenance", "Skipped")
            assert cycles(house) == []
            kill_the_next_run(house, first.pid)
            assert_it_goes_on(house)
            done = len(cycles(house))
            wait_for(lambda: cycles(house)[done:] == ["running"])
            below = descendants(first.pid)
            first.kill()
            first.wait()
            wait_for(lambda: not [pid for pid in below if is_there(pid)], patience=5 * PATIENCE)
        before = len(cycles(house))
        wait_for(lambda: runs_that_are(server, "Late") >= 3)
        with started(worker, environment, log):
            wait_for(lambda: "success" in cycles(house)[before:], patience=5 * PATIENCE)
            assert len(cycles(house)) <= before + 2
            wait_for(lambda: runs_that_are(server, "Missed") >= 2)
            assert runs_that_are(server, "Failed") == 0
            # Killed runs are not left as running for ever.
            assert runs_that_are(server, "Running") <= 1

            # What else is deployed, once a day; tomorrow's pages have a place again after it.
            change(server, "crawl-and-transform", "pause_deployment")
            wait_for(lambda: not runs_that_are(server, "Running"), patience=5 * PATIENCE)
            tomorrow = f"staging.pages_{datetime.now(UTC) + timedelta(days=1):%Y%m%d}"
            with house.warehouse.connect() as connection:
                connection.execute(f"drop table {tomorrow}".encode())
            for name in ("catalogue", "maintenance"):
                change(server, name, "create_flow_run")
            for name in ("catalogue", "maintenance"):
                wait_for_a_run(server, name, "Completed")
        assert house.rows("select state, error from ops.catalogue_runs") == [("success", None)]
        assert house.rows("select to_regclass(%s) is not null", tomorrow) == [(True,)]
        assert telling_nobody(tmp_path / "overheard", RUN) == LIBRARIES
    finally:
        server.stop()


def runs_that_are(server: OwnServer, state: str, deployment: str | None = None) -> int:
    """How many runs, of all or of one deployment, Prefect knows in a state of this name."""
    wanted: dict[str, Any] = {"flow_runs": {"state": {"name": {"any_": [state]}}}}
    if deployment:
        wanted["deployments"] = {"name": {"any_": [deployment]}}
    return len(ask_prefect(server, "flow_runs/filter", wanted))


def wait_for_a_run(server: OwnServer, deployment: str, state: str) -> None:
    """Wait until Prefect knows a run of this deployment in this state."""
    wait_for(lambda: runs_that_are(server, state, deployment) > 0, patience=5 * PATIENCE)


def change(server: OwnServer, deployment: str, what: str) -> None:
    """Have Prefect do this to a deployment."""
    named = {"deployments": {"name": {"any_": [deployment]}}}
    (found,) = ask_prefect(server, "deployments/filter", named)
    ask_prefect(server, f"deployments/{found['id']}/{what}", {})


def ask_prefect(server: OwnServer, path: str, said: dict[str, Any]) -> Any:
    """What it answers; as its own clients do, asked again where its database is busy."""
    session = requests.Session()
    patient = Retry(total=8, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
    session.mount("http://", HTTPAdapter(max_retries=patient))
    answer = session.post(
        f"{server.environment['PREFECT_API_URL']}/{path}",
        json=said,
        auth=("p2p", server.secret),
        timeout=PATIENCE,
    )
    answer.raise_for_status()
    return answer.json() if answer.content else None


def test_prefect_yaml_says_what_is_served_by_names_that_do_not_overwrite_each_other() -> None:
    written = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    told = {
        (
            f"{entry['name']} (p2p serve)",
            entry["entrypoint"],
            *entry["tags"],
            *entry["schedules"][0].values(),
        )
        for entry in written["deployments"]
    }
    served = set()
    for deployment in deployments(timedelta(minutes=20)):
        assert deployment.schedules
        schedule: Any = deployment.schedules[0].schedule
        beat = (
            (int(schedule.interval.total_seconds()), schedule.anchor_date.isoformat())
            if hasattr(schedule, "interval")
            else (schedule.cron, schedule.timezone)
        )
        served.add((deployment.name, deployment.entrypoint, *deployment.tags, *beat))
    assert told == served
    assert "concurrency" not in str(written)
