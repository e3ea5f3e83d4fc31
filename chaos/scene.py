"""Where it happens: a market that stands still while runs are struck down upon it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from chaos.blows import (
    ANYWHERE,
    BACKEND,
    CONNECTIONS,
    DISK,
    HTTP,
    KILL,
    OF_POSTGRES,
    POSTMASTER,
    Blow,
)
from chaos.places import all_places
from chaos.victim import Forge, Orders, Victim
from simulator.server import Exchange
from warehouse.embedded import erase
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse
from warehouse.settings import load_settings

PATIENCE = 900.0  # seconds for one run, which takes some 15 where nothing else runs
DISK_BYTES = 64_000_000
_LARGEST_FILE = 4_000  # bytes, where no disk can be filled


@dataclass(frozen=True)
class Outcome:
    """How a run that was, or was not, struck came to its end."""

    blow: Blow | None
    is_hit: bool
    status: int
    """What it ended with; negative: the signal that killed it."""
    said: str
    seconds: float

    @property
    def place(self) -> str:
        """What is counted: the group that the blow's place belongs to."""
        if self.blow is None or self.blow.place == ANYWHERE:
            return ANYWHERE
        return all_places()[self.blow.place].group


@dataclass
class Scene:
    """One home with its embedded PostgreSQL, and one exchange."""

    home: Path
    exchange: Exchange
    forge: Forge
    chance: Random
    disk: Disk
    began: float = field(default_factory=time.monotonic)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What every run here is told; nothing of the environment's or of `.env` comes through."""
        return {
            "home": self.home,
            "database_url": None,
            "binance_api_key": None,
            "redis_url": None,
            "api_url": self.exchange.url,
            "rates_url": self.exchange.url,
            "spot_url": self.exchange.url,
            "fiats": (),
            "assets": (),
            "hot": (),
            "requests_per_second": 1_000,
            "extraction_interval": 20,
        }

    def begin_round(self, minutes: float) -> None:
        """Let the market go on; it then stands still until the next round."""
        if minutes:
            self.exchange.advance(minutes)
        self.began = time.monotonic()

    def run(self, blow: Blow | None = None) -> Outcome:
        """One `p2p run`, struck by `blow`, to its end."""
        output = self.home / "said.txt"
        output.unlink(missing_ok=True)
        orders = self._orders(blow, output)
        begun = time.monotonic()
        is_hit = False
        with self.disk.full(blow.free_bytes) if blow and blow.what == DISK else nullcontext():
            victim = self.forge.start(orders)
            try:
                if blow and blow.what != DISK:
                    is_hit = self._strike(victim, blow)
                status = victim.end(PATIENCE)
            finally:
                victim.process.kill()
                victim.process.join()
        said = output.read_text(errors="replace") if output.exists() else ""
        if blow and blow.what == DISK:
            is_hit = self.disk.is_refused_in(said)
        if blow and blow.loses_folder and is_hit:
            self.disk.empty()
        return Outcome(blow, is_hit, status, said, time.monotonic() - begun)

    def _orders(self, blow: Blow | None, output: Path) -> Orders:
        at = self.exchange.source.now + timedelta(seconds=time.monotonic() - self.began)
        if blow is None:
            return Orders(self.settings, output, at)
        return Orders(
            self.settings,
            output,
            at,
            clock_back=blow.clock_back,
            place=None if blow.place == ANYWHERE else blow.place,
            skip=blow.skip,
            delay_seconds=blow.delay_seconds,
            largest_file=_LARGEST_FILE if blow.what == DISK and not self.disk.is_real else None,
        )

    def _strike(self, victim: Victim, blow: Blow) -> bool:
        """Do to it what is to be done; whether it came to its place at all."""
        if blow.place == ANYWHERE:
            victim.process.join(blow.delay_seconds)
            is_there = victim.process.exitcode is None
        else:
            is_there = victim.waits_at_its_place(PATIENCE)
        if not is_there:
            return False
        if blow.what == KILL:
            victim.process.kill()
            return True
        if blow.what in OF_POSTGRES:
            self._kill_postgres(blow.what)
        elif blow.what == CONNECTIONS:
            self._cut_connections()
        elif blow.what == HTTP:
            self.exchange.drop_connections()
        victim.let_go_on()
        return True

    def _kill_postgres(self, what: str) -> None:
        data = (self.home / "postgres").resolve()
        first = int((data / "postmaster.pid").read_text().split()[0])
        if what == POSTMASTER:
            doomed = {first}
        else:
            doomed = _processes_in(data)
            if what == BACKEND:
                clients = sorted(pid for pid in doomed - {first} if b"[local]" in _title(pid))
                doomed = {self.chance.choice(clients)}
        for pid in doomed:
            with suppress(ProcessLookupError):  # it followed the first one of itself
                os.kill(pid, signal.SIGKILL)

    def _cut_connections(self) -> None:
        with open_warehouse(load_settings(**self.settings)) as warehouse:
            with warehouse.connect(autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid != pg_backend_pid()"
                )


class Disk:
    """The disk that dlt's folder stands on: a small one of its own where the system lets us."""

    def __init__(self, folder: Path, is_real: bool) -> None:
        """Stand for `folder`; `is_real`: it is a file system of its own, which can be filled."""
        self.folder, self.is_real = folder, is_real

    @property
    def how(self) -> str:
        """How it is filled."""
        if self.is_real:
            return f"a tmpfs of {DISK_BYTES // 1_000_000} MB, filled: ENOSPC"
        return f"no file may grow beyond {_LARGEST_FILE} bytes while a batch lands: EFBIG"

    @contextmanager
    def full(self, free_bytes: int) -> Iterator[None]:
        """All of it is taken but so many bytes, while the context is open."""
        if not self.is_real:
            yield
            return
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            status = os.statvfs(self.folder)
            left = max(0, status.f_bavail * status.f_frsize - free_bytes)
            file.write(b"\0" * left)
        try:
            yield
        finally:
            filler.unlink()

    def is_refused_in(self, said: str) -> bool:
        """Whether a run met it: by what the system said, in our words or its own."""
        words = ("No space left", "File too large")
        return any(word in said for word in words)

    def empty(self) -> None:
        """Lose all that is on it."""
        for path in self.folder.iterdir() if self.folder.exists() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextmanager
def disk_of(home: Path) -> Iterator[Disk]:
    """A disk of its own for dlt's folder, which goes with the context; as root, on Linux."""
    folder = home / "dlt"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0755", "p2p-chaos"]
    is_real = os.geteuid() == 0 and _is_done([*command, str(folder)])
    try:
        yield Disk(folder, is_real)
    finally:
        if is_real:
            _is_done(["umount", "--lazy", str(folder)])


@contextmanager
def scene_in(home: Path, exchange: Exchange, forge: Forge, seed: int) -> Iterator[Scene]:
    """A scene in an empty home, of which nothing is left afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    with disk_of(home) as disk:
        try:
            yield Scene(home, exchange, forge, Random(seed), disk)  # noqa: S311 - no secret
        except BaseException:
            with suppress(UserError):  # what went wrong before tells more
                erase(home)
            raise
        erase(home)
    shutil.rmtree(home, ignore_errors=True)


def _is_done(command: list[str]) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603
    except OSError:
        return False


def _processes_in(folder: Path) -> set[int]:
    """The processes that work in `folder`: a PostgreSQL's are all in its data."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(folder):
                found.add(int(entry.name))
        except OSError:
            continue  # gone, or someone else's
    return found


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
