"""A real `p2p run` in a process that is to be hit: forked from one that has imported all rooms.

So each costs a second of start rather than twenty. What runs is the command itself, from its
arguments to its exit status; only its settings and its clock are handed in, as functions.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from chaos.places import Watch, all_places
from warehouse.settings import Settings, load_settings

BATCH_PAGES = 12
"""Several loads a cycle, also where the market is small."""

ENDLESS = 124
"""What stands for the exit status of a run that had to be ended."""

PRELOADED = [
    "cli.main",
    "cli.console",
    "flows.elt",
    "flows.transform",
    "expectations.checkpoint",
    "great_expectations",
    "dbt.cli.main",
    "dbt.adapters.postgres",
    "load.pipeline",
    "chaos.victim",
]


@dataclass(frozen=True)
class Orders:
    """How one run is to go; travels to the process."""

    settings: Mapping[str, Any]
    """Of `load_settings`: they win over the environment and `.env`."""
    output: Path
    """Where what it says goes, standard output and error alike."""
    market_time: datetime
    clock_back: timedelta = timedelta()
    """How far its clock is behind the market's: ours, and the one that dlt numbers loads by."""
    place: str | None = None
    skip: int = 0
    delay_seconds: float = 0.0
    largest_file: int | None = None
    """Bytes after which the system refuses to let a file grow while a batch lands."""
    arguments: tuple[str, ...] = field(default=("run",))


class Forge:
    """Makes victims. There is one forking process a Python process, whoever asks for it."""

    def __enter__(self) -> Self:
        """Begin to import, in a process beside this one."""
        from multiprocessing.forkserver import ensure_running

        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        ensure_running()
        return self

    def __exit__(self, *_: object) -> None:
        """End the process that forks: the next one must not inherit what surrounded this one.

        It would, for one, go on asking for a Prefect server that has ended. Python offers no
        public way; who forks after that starts a new one unawares.
        """
        from multiprocessing import forkserver

        vars(forkserver)["_forkserver"]._stop()

    def start(self, orders: Orders) -> Victim:
        """A run under way."""
        ours, theirs = self._context.Pipe()
        process = self.fork(run_command, orders, theirs)
        theirs.close()
        return Victim(process, ours)

    def fork(self, work: Callable[..., None], *arguments: Any) -> BaseProcess:
        """`work`, a function of some module, under way in a process of its own."""
        process = self._context.Process(target=work, args=arguments, daemon=True)
        process.start()
        return process


@dataclass(frozen=True)
class Victim:
    """A run under way. It says `reached` at its place and waits for leave to go on."""

    process: BaseProcess
    line: Connection

    def waits_at_its_place(self, seconds: float | None) -> bool:
        """Whether it comes to its place before it ends, and within so many seconds."""
        from multiprocessing.connection import wait

        if self.line not in wait([self.line, self.process.sentinel], seconds):
            return False
        try:
            self.line.recv()
        except EOFError:
            return False
        return True

    def let_go_on(self) -> None:
        """What was to be done at its place is done."""
        self.line.send("done")

    def end(self, seconds: float) -> int:
        """Its exit status; the negative number of the signal that killed it; or `ENDLESS`."""
        self.process.join(seconds)
        status = self.process.exitcode
        if status is None:
            self.process.kill()
            self.process.join()
        self.line.close()
        return ENDLESS if status is None else status


def run_command(orders: Orders, line: Connection) -> None:
    """In the process: `p2p run`."""
    _speak_into(orders.output)
    import cli.commands.run
    import cli.main
    import flows.cycle
    import load.land.source

    def told_settings(**given: Any) -> Settings:
        return load_settings(**{**orders.settings, **given})

    vars(cli.commands.run)["load_settings"] = told_settings
    vars(flows.cycle)["Surroundings"] = partial(flows.cycle.Surroundings, clock=_clock(orders))
    pace = orders.settings["requests_per_second"]
    vars(load.land.source)["BATCH_SECONDS"] = BATCH_PAGES / pace
    if orders.largest_file is not None:
        _limit_files(orders.largest_file)
    if orders.place is not None:

        def reached() -> None:
            line.send("reached")
            line.recv()

        watch = Watch(reached, orders.skip, orders.delay_seconds)
        all_places()[orders.place].install(watch)
    sys.argv = ["p2p", *orders.arguments]
    cli.main.main()


def _speak_into(path: Path) -> None:
    said = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    os.close(said)


def _clock(orders: Orders) -> Callable[[], datetime]:
    """The market's time, that goes on as ours does, less what it was set back by."""
    begun = datetime.now(UTC)
    back = orders.clock_back
    if back:
        import dlt.common.storages.load_package
        import dlt.common.time

        def time_of_dlt() -> float:
            return (datetime.now(UTC) - back).timestamp()

        for module in (dlt.common.time, dlt.common.storages.load_package):
            vars(module)["precise_time"] = time_of_dlt
        # Made where this process was forked from, and later than what the clock says now.
        vars(dlt.common.time.increasing_precise_time)["_last"] = time_of_dlt()
    return lambda: orders.market_time - back + (datetime.now(UTC) - begun)


def _limit_files(most: int) -> None:
    """Let no file grow beyond `most` bytes while a batch lands: the system answers EFBIG."""
    from load.land.landing import Landing

    real = Landing.land

    def land(self: Landing, *arguments: Any) -> list[str]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            return real(self, *arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    vars_of: Any = Landing
    vars_of.land = land
