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
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml  # type: ignore[import-untyped]

from flows import ops
from flows.serving import OwnServer
from simulator.market import Market
from tests.conftest import PROJECT
from tests.flows.conftest import PATIENCE, START, House, command, settings_of, wait_for
from tests.flows.test_prefect_home import is_there
from warehouse.postgres import single_writer

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
    pytest.mark.timeout(1_200),  # a busy machine takes minutes for what else takes seconds
]

Ask = Callable[[str], float | None]

SECONDS = 6  # from one cycle to the next
PREFECT = Path(sys.executable).with_name("prefect")


@pytest.fixture
def small_house(house: House) -> House:
    house.empty()
    house.exchange.source = Market(seed=7, fiats=["VES"], assets=["USDT"], start=START, offers=30)
    return house


@pytest.fixture
def environment(small_house: House) -> dict[str, str]:
    """Of what is served: short intervals, a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outside = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    return {
        **outside,
        **settings_of(
            small_house,
            EXTRACTION_INTERVAL=str(SECONDS / 60),
            P2P_METRICS_PORT=str(port),
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
    return next(
        (child for child, line in descendants(pid).items() if "prefect.engine" in line), None
    )


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
    assert house.runs()[len(before) - 1] == ("failed", ops.ZOMBIE)


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


def test_a_worker_on_a_pool_survives_being_killed_and_does_not_make_up_for_what_was_missed(
    small_house: House, environment: dict[str, str], tmp_path: Path
) -> None:
    house = small_house
    server = OwnServer(house.settings.home)  # one that schedules; its database is there already
    environment |= server.environment
    environment |= {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    server.ensure_running(threading.Event())
    deployments = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    deployments["deployments"][0]["schedules"][0]["interval"] = SECONDS
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump(deployments))
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
            ["--no-prompt", "deploy", "--all", "--prefect-file", str(file)],
        ):
            subprocess.run([PREFECT, *arguments], cwd=PROJECT, env=environment, check=True)
        with started(worker, environment, log) as first:
            with single_writer(house.warehouse, "cycle"):
                wait_for(lambda: runs_that_are(server, "Skipped") >= 1, patience=5 * PATIENCE)
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
    finally:
        server.stop()


def runs_that_are(server: OwnServer, state: str) -> int:
    """How many runs Prefect knows in a state of this name."""
    answer = requests.post(
        f"{server.environment['PREFECT_API_URL']}/flow_runs/filter",
        json={"flow_runs": {"state": {"name": {"any_": [state]}}}},
        auth=("p2p", server.secret),
        timeout=30,
    )
    return len(answer.json())


def test_prefect_yaml_says_what_is_served() -> None:
    from flows.deployments import deployments

    written = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    told = {
        (entry["name"], entry["entrypoint"], *entry["schedules"][0].values())
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
        served.add((deployment.name, deployment.entrypoint, *beat))
    assert told == served
    assert "concurrency" not in str(written)
