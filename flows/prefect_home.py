"""How Prefect is set up in this process: quiet, private, and with no server to look after."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# An ephemeral server that migrates its database for the first time took up to 28 s here.
_EPHEMERAL_STARTUP_SECONDS = 120


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
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(_EPHEMERAL_STARTUP_SECONDS),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLI_COLORS": "false",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def begin_server() -> Callable[[], None] | None:
    """Start the server that this process needs for itself, and return what waits until it answers.

    Its libraries and its database take it some seconds. Nothing is started, nor to be waited for,
    where `PREFECT_API_URL` names a server.
    """
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        return None
    _guard_server()
    # Prefect keeps one a process: whoever asks for a client gets this one.
    server, failures = SubprocessASGIServer(), list[BaseException]()

    def begin() -> None:
        try:
            server.start()
        except BaseException as failure:  # raised where it is waited for
            failures.append(failure)

    thread = threading.Thread(target=begin, name="prefect-server", daemon=True)
    thread.start()

    def wait() -> None:
        thread.join()
        for failure in failures:
            raise failure

    return wait


def _guard_server() -> None:
    """Have the server that this process starts for itself end with it, and not before.

    Prefect starts it in our process group and ends it when Python exits. So a Ctrl-C would end it
    under a cycle that is being stopped cleanly, and a `kill -9` would leave it, 200 MB a time.
    """
    from prefect.server.api import server

    def start(args: list[str], **kwargs: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - Prefect's own command
            args, start_new_session=True, **kwargs
        )
        end_with_us(process.pid)
        return process

    vars(server)["subprocess"] = SimpleNamespace(
        Popen=start, TimeoutExpired=subprocess.TimeoutExpired
    )


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
