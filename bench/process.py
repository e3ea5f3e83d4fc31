"""A piece of work in a process of its own, which tells what it took."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.cpu import own_cpu_seconds
from warehouse.settings import PROJECT_ROOT

LONGEST_SECONDS = 900
_SAID_LAST = 2_000  # characters


@dataclass
class Told:
    """What a worker tells at its end."""

    seconds: float
    """Of the work itself."""
    import_seconds: float = 0.0
    """Of loading the libraries, which every fresh process pays."""
    waiting_seconds: float = 0.0
    """Of `seconds`, in which the loader waited for the exchange and did nothing else."""
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0
    """Of the whole process, from its start."""
    details: dict[str, Any] = field(default_factory=dict)


class WorkFailed(Exception):
    """A worker ended without telling anything; the message ends with what it said last."""


def in_own_process(module: str, work: str, told: dict[str, Any]) -> Told:
    """Run `work` of `module` in a fresh process and return what it tells on its last line.

    Raises:
        WorkFailed: it failed.
        subprocess.TimeoutExpired: it took longer than anything here may.
    """
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, work],
        cwd=PROJECT_ROOT,
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise WorkFailed(f"{work} failed: {done.stderr.strip()[-_SAID_LAST:]}")
    return Told(**json.loads(done.stdout.splitlines()[-1]))


def tell(told: Told) -> None:
    """In the worker: the last line of its output."""
    told.peak_mb, told.cpu_seconds = peak_mb(), own_cpu_seconds()
    print(json.dumps(asdict(told)), flush=True)


def peak_mb() -> float:
    """The most memory that this process has ever held, in MB of 10^6 bytes."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) * 1024 / 1e6 if match else 0.0
