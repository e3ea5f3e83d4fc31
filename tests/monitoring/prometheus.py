"""A Prometheus of Debian's over what promtool wrote, asked for a range of time as Grafana asks."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
PATIENCE = 180.0  # seconds; on a busy machine a database takes its time to be made


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def backfill(openmetrics: str, folder: Path) -> Path:
    """The folder of a Prometheus that holds these samples."""
    assert PROMTOOL
    written = folder / "samples.om"
    written.write_text(openmetrics)
    data = folder / "data"
    subprocess.run(
        [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", "--quiet", written, data],
        check=True,
        capture_output=True,
    )
    return data


@contextmanager
def running(
    arguments: list[str],
    port: int,
    ready: str,
    log: Path,
    environment: dict[str, str] | None = None,
) -> Iterator[str]:
    """A server while the context is open; its address is given once `ready` answers."""
    with log.open("wb") as said:
        process = subprocess.Popen(arguments, env=environment, stdout=said, stderr=said)
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(address + ready, timeout=5).close()  # noqa: S310
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def ask(address: str, expression: str, since: float, until: float) -> list[dict[str, Any]]:
    """The series that an expression gives in a range of time, a point a minute."""
    query = urllib.parse.urlencode(
        {"query": expression, "start": since, "end": until, "step": "60"}
    )
    with urllib.request.urlopen(  # noqa: S310
        f"{address}/api/v1/query_range?{query}", timeout=PATIENCE
    ) as answer:
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return result
