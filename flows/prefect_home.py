"""How Prefect is set up in this process: private, and with no server unless one is named."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from warehouse import masking
from warehouse.errors import UserError
from warehouse.log import words_of
from warehouse.masking import quoted, without_login
from warehouse.settings import PROJECT_ROOT, secret_in

_LOOPBACK = "127.0.0.1"
_FILES_OF_PREFECT = ("prefect.toml", "pyproject.toml", ".env")


def prepare(home: Path) -> None:
    """Set what the user did not set; must run before `prefect` is imported.

    Raises:
        UserError: the file that `PREFECT_API_AUTH_STRING_FILE` names cannot be read.
    """
    if file := os.environ.get("PREFECT_API_AUTH_STRING_FILE"):
        secret = secret_in("PREFECT_API_AUTH_STRING_FILE", Path(file))
        os.environ["PREFECT_API_AUTH_STRING"] = secret
        masking.learn([secret])
    defaults = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A year of runs is of no use to Prefect: what is asked about them is in `ops`.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(30 * 86_400),
        # Of its log what it says of runs, for its own server; a terminal shows ours.
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO",
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "INFO",
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


def is_reported(home: Path) -> bool:
    """Whether runs are to be reported to a server: to the one that `PREFECT_API_URL` names.

    Raises:
        UserError: Prefect's settings cannot be read, or that server does not answer.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    leave_foreign_folder(home)
    try:
        from prefect.settings import PREFECT_API_URL

        address = PREFECT_API_URL.value()
    except ValueError as error:  # pydantic's
        why = " ".join(quoted(str(error)).split())[:200]
        raise UserError(f"Prefect's settings (PREFECT_…) cannot be read: {why}") from error
    _require_answer(address)
    return True


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
