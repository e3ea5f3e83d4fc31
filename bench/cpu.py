"""How much of a processor something took: what wall seconds do not tell on a busy machine."""

import os
import resource
from contextlib import suppress
from pathlib import Path

from warehouse.postgres import Warehouse

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _REAPED_SYSTEM = 1, 11, 14
"""Where in /proc/PID/stat, counted behind the name: proc(5)."""


def own_cpu_seconds() -> float:
    """Of this process since it began, and of the children that it has seen end."""
    used = 0.0
    for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(whose)
        used += usage.ru_utime + usage.ru_stime
    return used


def server_cpu_seconds(warehouse: Warehouse) -> float:
    """Of a server on this machine since it began, all that it ever started included."""
    with warehouse.connect() as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None  # noqa: S101 - for the type checker
        server = int(_stat(row[0])[_PARENT])
        used = 0.0
        for name in os.listdir("/proc"):
            with suppress(OSError):  # ended meanwhile
                if name.isdigit() and int((stat := _stat(int(name)))[_PARENT]) == server:
                    used += _seconds(stat)
    return used + _seconds(_stat(server))


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _seconds(stat: list[str]) -> float:
    return sum(map(int, stat[_USER : _REAPED_SYSTEM + 1])) / _TICKS
