"""One cycle: what it works on, and how it was called."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from load.report import CycleReport, Progress
from warehouse.clock import utc_now
from warehouse.errors import UserError
from warehouse.postgres import (
    Warehouse,
    Writer,
    open_warehouse,
    require_write_access,
    single_writer,
)
from warehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from flows.transform import TransformReport


def dbt_home(settings: Settings) -> Path:
    """Where dbt keeps its parsed project and its logs."""
    return settings.home / "dbt"


@dataclass(frozen=True)
class Surroundings:
    """What a caller in this process may hand to the flow beside its parameters.

    A flow's own parameters travel to Prefect's server, so they are plain, few and never secret.
    """

    settings: Settings | None = None
    clock: Callable[[], datetime] = utc_now
    stop: threading.Event = field(default_factory=threading.Event)
    on_progress: Callable[[Progress], None] | None = None
    on_step: Callable[[str], None] = lambda step: None
    on_unlisted: Callable[[list[str]], None] = lambda fiats: None
    on_built: Callable[[TransformReport], None] = lambda built: None


SURROUNDINGS: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)


@dataclass(frozen=True)
class Cycle:
    """One run of the flow, while it holds the warehouse."""

    run_id: str
    settings: Settings
    warehouse: Warehouse
    surroundings: Surroundings
    writer: Writer
    flow_run_id: str | None = None
    """Which run of Prefect's it is, if it is one."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self.surroundings.stop.is_set()

    @property
    def data_docs(self) -> Path:
        """Where the pages of the checks are written."""
        return self.settings.home / "docs" / "checks"

    def read(
        self, on_pulse: Callable[[CycleReport], None], *, catalogue_only: bool = False
    ) -> CycleReport:
        """Read what is due of the market into `staging`: see `load.pipeline.run_cycle`."""
        from load.pipeline import run_cycle
        from ops import record

        with record.connected(self.warehouse) as connection:
            holds_simulated = record.holds_simulated(connection)
        return run_cycle(
            self.settings,
            self.warehouse,
            self.run_id,
            clock=self.surroundings.clock,
            stop=self.surroundings.stop,
            on_progress=self.surroundings.on_progress,
            on_pulse=on_pulse,
            catalogue_only=catalogue_only,
            holds_simulated=holds_simulated,
        )


@contextmanager
def open_cycle(
    fiats: list[str] | None, assets: list[str] | None, flow_run_id: str | None = None
) -> Iterator[Cycle]:
    """The cycle to run: settings read, warehouse open, and no other cycle on it.

    Raises:
        UserError: a setting is wrong, the warehouse is out of reach, or another cycle runs.
    """
    surroundings = SURROUNDINGS.get() or Surroundings()
    settings = surroundings.settings or load_settings()
    limits = {"fiats": fiats, "assets": assets}
    settings = settings.model_copy(
        update={name: tuple(codes) for name, codes in limits.items() if codes}
    )
    with open_warehouse(settings) as warehouse:
        require_write_access(warehouse)
        with single_writer(warehouse, "cycle") as writer:
            started = surroundings.clock()
            run_id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
            with _stop_on_signal(surroundings):
                yield Cycle(run_id, settings, warehouse, surroundings, writer, flow_run_id)


@contextmanager
def _stop_on_signal(surroundings: Surroundings) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks for a clean stop, a second SIGINT insists.

    Inside the flow, since Prefect puts a handler of its own in place around it that would break
    off whatever runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        if surroundings.stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        surroundings.stop.set()
        surroundings.on_step("stopping: what is in hand is landed first")

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class CheckFailed(UserError):
    """What was landed or built is not fit to go on with."""
