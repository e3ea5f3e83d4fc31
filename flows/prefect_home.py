"""How Prefect is set up in this process: quiet, private, and with no server to look after."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

import requests

from flows.log import words_of
from warehouse.errors import UserError
from warehouse.masking import quoted, without_login
from warehouse.settings import PROJECT_ROOT

# A server that migrates its database for the first time took up to 28 s here.
_STARTUP_SECONDS = 120
_SECONDS_TO_ANSWER = 10
_SECONDS_TO_END = 5
_GLANCE_SECONDS = 0.05
_LOOPBACK = "127.0.0.1"
_NO_SERVER = "Prefect's own server, which a run starts for itself,"
_MEND = (
    "see that P2P_HOME/prefect can be written and its disk has room, "
    "or set PREFECT_API_URL to a server that is there."
)
_FILES_OF_PREFECT = ("prefect.toml", "pyproject.toml", ".env")


def prepare(home: Path) -> None:
    """Set what the user did not set; must run before `prefect` is imported.

    With `PREFECT_API_URL` set the runs go to that server, else to one that lives as long as this
    process, with its database in the home.
    """
    defaults = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A year of runs is of no use to Prefect: what is asked about them is in `ops`.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(30 * 86_400),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(_STARTUP_SECONDS),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLI_COLORS": "false",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def leave_foreign_folder(home: Path) -> None:
    """Work elsewhere if the working folder holds what would set Prefect up for another project.

    Prefect reads such files wherever it is run, again and again; they may name another server, or
    another database for ours to be moved into. What is in the project's own folder is ours.
    """
    if Path.cwd() == PROJECT_ROOT or not any(map(_sets_prefect_up, _FILES_OF_PREFECT)):
        return
    folder = home / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)


def _sets_prefect_up(name: str) -> bool:
    with suppress(OSError):
        text = Path(name).read_text(encoding="utf-8", errors="replace")
        return name == "prefect.toml" or "tool.prefect" in text or "PREFECT_" in text
    return False


def begin_server(home: Path) -> Callable[[], None] | None:
    """Start the server that this process needs for itself, and return what waits until it answers.

    Its libraries and its database take it some seconds, in a first run its database a dozen.
    Nothing is started, nor to be waited for, where `PREFECT_API_URL` names a server.

    What waits raises UserError as well: the server has ended, or has not answered in time.

    Raises:
        UserError: Prefect's settings cannot be read, or the server that they name does not answer.
    """
    leave_foreign_folder(home)
    try:
        # Of Prefect no more than this: its own way to such a server imports all of it first.
        from prefect.settings import PREFECT_API_URL, get_current_settings

        address = PREFECT_API_URL.value()
    except ValueError as error:  # pydantic's
        why = " ".join(quoted(str(error)).split())[:200]
        raise UserError(f"Prefect's settings (PREFECT_…) cannot be read: {why}") from error

    if address:
        _require_answer(address)
        return None
    port = free_port()
    server = start_server(
        port,
        {
            **get_current_settings().to_environment_variables(exclude_unset=True),
            "PREFECT_UI_ENABLED": "false",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        },
    )
    has_answered = threading.Event()
    atexit.register(_end, server, has_answered)

    def wait() -> None:
        url = f"http://{_LOOPBACK}:{port}/api"
        _wait_for_answer(server, f"{url}/health")
        has_answered.set()
        from prefect.context import refresh_global_settings_context

        os.environ["PREFECT_API_URL"] = url
        refresh_global_settings_context()

    return wait


def _require_answer(address: str) -> None:
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            client.raise_for_api_version_mismatch()
    except Exception as error:  # whatever its client raises: there is no server to go on with
        raise UserError(
            f"PREFECT_API_URL={without_login(address)} cannot be used ({words_of(error)}): "
            "start that server, or unset it."
        ) from error


def start_server(
    port: int, environment: Mapping[str, str], output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start Prefect's server on this port of loopback; what it says goes to `output`.

    It ends with this process at the latest.
    """
    server = subprocess.Popen(  # noqa: S603 - no shell; of ours but for the port's number
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"),
            *("--host", _LOOPBACK, "--port", str(port), "--log-level", "error"),
            *("--lifespan", "on"),
        ],
        env={**os.environ, **environment},
        stdout=output,
        stderr=output,
        # A Ctrl-C goes to our group, and would end it under what is being stopped cleanly.
        start_new_session=True,
    )
    end_with_us(server.pid)  # for a `kill -9`, after which it would stay, 200 MB a time
    return server


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as opened:
        opened.bind((_LOOPBACK, 0))
        return int(opened.getsockname()[1])


def _wait_for_answer(server: subprocess.Popen[bytes], health: str) -> None:
    latest = time.monotonic() + _STARTUP_SECONDS
    with requests.Session() as session:
        session.trust_env = False  # no proxy leads to this machine itself
        while time.monotonic() < latest:
            if server.poll() is not None:
                raise UserError(f"{_NO_SERVER} ended at its start ({server.returncode}): {_MEND}")
            with suppress(requests.RequestException):
                if session.get(health, timeout=_SECONDS_TO_ANSWER).ok:
                    return
            time.sleep(_GLANCE_SECONDS)
    raise UserError(f"{_NO_SERVER} did not answer within {_STARTUP_SECONDS} s: {_MEND}")


def _end(server: subprocess.Popen[bytes], has_answered: threading.Event) -> None:
    if has_answered.is_set():
        server.terminate()
    else:
        # At its start it hears nothing else; what it leaves the next one makes good.
        server.kill()
    try:
        server.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@cache
def end_with_us(pid: int) -> None:
    """Have the process `pid` told to end as soon as this one is gone, however it goes."""
    read, _ = os.pipe()  # the other end is ours alone, and the kernel closes it with us
    # In a session of its own: what ends our group must leave the watcher to its work.
    subprocess.Popen(  # noqa: S603 - the command is ours, with a number in it
        ["/bin/sh", "-c", f"read _ || kill {pid}"],
        stdin=read,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read)
