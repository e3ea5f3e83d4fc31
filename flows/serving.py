"""`p2p serve`: Prefect's runner for the deployments, on a given server or on one of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from flows.prefect_home import free_port, leave_foreign_folder, start_server
from flows.proxies import require_usable
from warehouse import masking
from warehouse.errors import UserError
from warehouse.log import words_of

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner

log = logging.getLogger(__name__)

_USUAL_PORT = 4200
_SECONDS_TO_START = 300  # a first start migrates a database; on a busy machine that takes minutes
_SECONDS_TO_STOP = 10
_SECONDS_BETWEEN_TRIES = 5.0
_GLANCE_SECONDS = 0.2


def _port() -> int:
    """Prefect's usual port, so that its pages are where they were; another where it is taken."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", _USUAL_PORT))
        except OSError:
            return free_port()
    return _USUAL_PORT


@dataclass
class OwnServer:
    """Prefect's server for this process alone: on loopback, closed to who has not its secret."""

    home: Path
    port: int = field(default_factory=_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        """The file with the password for the server and its pages."""
        return self.home / "prefect" / "password"

    @cached_property
    def secret(self) -> str:
        """The password, the same one from start to start."""
        self.password_file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if kept := self.password_file.read_text(encoding="utf-8").strip().removeprefix("p2p:"):
                return kept
        made = secrets.token_urlsafe(32)
        self.password_file.write_text(f"p2p:{made}\n", encoding="utf-8")
        self.password_file.chmod(0o600)
        return made

    @property
    def environment(self) -> dict[str, str]:
        """What leads to it.

        Anyone who may change a deployment may run anything as this user, so that listening on
        loopback alone does not protect a machine that has other users.
        """
        return {
            "PREFECT_API_URL": f"{self.address}/api",
            "PREFECT_API_AUTH_STRING": f"p2p:{self.secret}",
        }

    def ensure_running(self, stop: threading.Event) -> None:
        """Start it unless it runs, and wait until it answers.

        Raises:
            UserError: it does not start.
        """
        if self.process is not None and self.process.poll() is None:
            return
        folder = self.home / "prefect"
        folder.mkdir(parents=True, exist_ok=True)
        database = f"sqlite+aiosqlite:///{folder / 'schedule.db'}"
        said = self.home / "logs" / "prefect.log"
        said.parent.mkdir(exist_ok=True)
        with said.open("wb") as output:
            self.process = start_server(
                self.port,
                {
                    **self.environment,
                    "PREFECT_SERVER_API_AUTH_STRING": f"p2p:{self.secret}",
                    "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
                    "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "ui"),
                },
                output,
            )
        give_up = time.monotonic() + _SECONDS_TO_START
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise UserError(f"Prefect's own server does not start: see {said}.")
            if stop.wait(_GLANCE_SECONDS):
                return

    def stop(self) -> None:
        """End it; what it knows stays."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/api/health", timeout=5).ok
        except requests.RequestException:
            return False


@contextmanager
def own_server(home: Path) -> Iterator[OwnServer | None]:
    """A server of our own unless `PREFECT_API_URL` names one; stopped at the end.

    Before `prefect` is imported, since it then looks where its server is.
    """
    require_usable()
    leave_foreign_folder(home)
    if os.environ.get("PREFECT_API_URL"):
        yield None
        return
    server = OwnServer(home)
    os.environ.update(server.environment)
    masking.learn([server.secret])
    try:
        yield server
    finally:
        server.stop()


def serve(
    server: OwnServer | None,
    interval: timedelta,
    is_due: Callable[[], bool],
    stop: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Run what is due until `stop` is set; then ask what runs to stop, and wait for it.

    A server that is gone for a while, given or our own, is a pause and not an end. `is_due` says
    whether a cycle is to begin at once, without waiting for the first beat of the interval.

    Raises:
        UserError: our own server does not start at all.
    """
    from flows.deployments import deployments

    planned, said = deployments(interval), ""
    while not stop.is_set():
        if server is not None:
            server.ensure_running(stop)
        failure = _run_until(planned, is_due, stop)
        if failure is None:
            continue
        why = f"{type(failure).__name__}: {words_of(failure)}"
        log.warning("Prefect's server does not answer", extra={"why": why}, exc_info=failure)
        if why != said:
            place = masking.without_login(os.environ["PREFECT_API_URL"])
            say(f"Prefect's server at {place} does not answer: trying again.")
        said = why
        stop.wait(_SECONDS_BETWEEN_TRIES)


def _run_until(
    planned: list[RunnerDeployment], is_due: Callable[[], bool], stop: threading.Event
) -> BaseException | None:
    """One runner, in a thread of its own: it would take over the signals of the main one."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_runner(planned, is_due, stop))
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, name="runner")
    thread.start()
    while thread.is_alive():
        thread.join(_GLANCE_SECONDS)  # in pieces, so that a signal gets through
    return failures[0] if failures else None


async def _runner(
    planned: list[RunnerDeployment], is_due: Callable[[], bool], stop: threading.Event
) -> None:
    from prefect.client.orchestration import get_client

    from flows.deployments import CYCLE, FORECAST

    # One at a time, but for forecasts: they have a turn of their own, or a cycle would wait.
    runners = {is_forecast: _new_runner(is_forecast) for is_forecast in (False, True)}
    for deployment in planned:
        runner = runners[deployment.name == FORECAST]
        deployment_id = await runner.aadd_deployment(deployment)
        if deployment.name == CYCLE and is_due():
            async with get_client() as client:
                await client.create_flow_run_from_deployment(deployment_id)
    running = [asyncio.create_task(runner.start()) for runner in runners.values()]
    while not any(task.done() for task in running) and not stop.is_set():
        await asyncio.sleep(_GLANCE_SECONDS)
    for task, runner in zip(running, runners.values(), strict=True):
        if not task.done() and runner.started:
            await runner.astop()
    await asyncio.gather(*running)


def _new_runner(is_for_forecasts: bool) -> Runner:
    from prefect.runner import Runner
    from prefect.settings import PREFECT_HOME

    # No schedule without us: what nobody runs would pile up.
    name = "p2p-forecast" if is_for_forecasts else "p2p"
    runner = Runner(name=name, limit=1, pause_on_shutdown=True)
    # Prefect's place for it is the same for all users of a machine, and belongs to the first.
    storage = runner._tmp_dir
    runner._tmp_dir = PREFECT_HOME.value() / "runner_storage" / storage.name
    return runner
