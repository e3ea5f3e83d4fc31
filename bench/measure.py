"""What is measured, in order."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cpu import server_cpu_seconds
from bench.exchange import RunningExchange, exchange_process
from bench.figures import Figures
from bench.process import Told, in_own_process
from ops import record
from ops.migrations import migrate
from simulator.universe import FIATS
from warehouse.embedded import erase
from warehouse.postgres import Warehouse, open_warehouse
from warehouse.settings import load_settings

MINUTES_BETWEEN = 15
CYCLES = {"first": 0, "second": MINUTES_BETWEEN, "third": 0}
"""By name, the minutes that the market goes on before: all new, little new, nothing new."""
STEPS = ("load", "check_landing", "transform", "check_core")
PARTS = ("landing", "flow")
"""What is measured beside the steps."""


@dataclass(frozen=True)
class Plan:
    """How much of it. `offers` is what the market has on average over a day.

    In the ten largest fiats they fill 2,641 pages in 232 books; over all of them 4,170 in 2,176.
    """

    offers: int = 46_000
    fiats: tuple[str, ...] = tuple(FIATS)[:10]
    parts: Sequence[str] = PARTS
    steps: Sequence[str] = STEPS
    cycles: int = len(CYCLES)
    repetitions: int = 5


@dataclass(frozen=True)
class Subject:
    """A warehouse of its own, from empty on, with the loader's and dbt's folders beside it."""

    warehouse: Warehouse
    home: Path
    exchange: RunningExchange

    def run(self, step: str, run_id: str, market_time: datetime) -> Told:
        """One step, or the whole flow, in a process of its own."""
        told = {
            "home": str(self.home),
            "database_url": self.warehouse.url,
            "api_url": self.exchange.url,
            "run_id": run_id,
            "market_time": market_time.isoformat(),
        }
        return in_own_process("bench.worker", step, told)


def measure(plan: Plan, figures: Figures) -> None:
    """Measure all that `plan` names.

    Raises:
        WorkFailed: a step failed: there is nothing to measure about it.
    """
    figures.add("machine.cpus", os.cpu_count() or 0, "cpus")
    figures.load_average("before")
    with (
        TemporaryDirectory(prefix="p2p-bench-") as folder,
        exchange_process(plan.offers, plan.fiats, moves=False) as exchange,
        own_server(Path(folder)) as server,
        own_database(server) as by_step,
        own_database(server) as by_flow,
    ):
        steps = Subject(by_step, Path(folder) / "steps", exchange)
        flow = Subject(by_flow, Path(folder) / "flow", exchange)
        clock = exchange.advance(0)
        for number, (cycle, minutes) in enumerate(list(CYCLES.items())[: plan.cycles]):
            exchange.advance(minutes)
            # The readers' clock goes on also where the market stands still.
            market_time = clock + number * timedelta(minutes=MINUTES_BETWEEN)
            _measure_steps(plan, figures, steps, cycle, market_time)
            if cycle == "first":
                _measure_disk(figures, by_step)
                if "landing" in plan.parts:
                    _measure_landing(plan, figures, by_step)
            if "flow" in plan.parts:
                _measure_flow(figures, flow, cycle, market_time)
    figures.load_average("after")


def _measure_steps(
    plan: Plan, figures: Figures, subject: Subject, cycle: str, market_time: datetime
) -> None:
    with record.connected(subject.warehouse) as connection:
        migrate(connection)
        record.open_run(connection, cycle, market_time)
    rows_before = _rows_in_marts(subject.warehouse)
    for step in plan.steps:
        server_before = server_cpu_seconds(subject.warehouse)
        told = subject.run(step, cycle, market_time)
        server_cpu = server_cpu_seconds(subject.warehouse) - server_before
        name = f"{cycle}.{step}"
        if step == "load":
            for count in ("offers", "books", "books_incomplete", "pages", "pages_landed", "loads"):
                figures.add(f"{name}.{count}", told.details[count], count.split("_")[0])
        figures.add(f"{name}.seconds", told.seconds, "s")
        if step == "load":
            figures.add(f"{name}.waiting", told.waiting_seconds, "s")
            figures.add(f"{name}.landing", told.details["landing_seconds"], "s")
        if step == "transform":
            rows = _rows_in_marts(subject.warehouse) - rows_before
            figures.add(f"{name}.rows", rows, "rows")
            figures.add(f"{name}.rows_per_second", rows / told.seconds, "rows/s")
        figures.add(f"{name}.import", told.import_seconds, "s")
        figures.add(f"{name}.cpu", told.cpu_seconds, "s")
        figures.add(f"{name}.server_cpu", server_cpu, "s")
        figures.add(f"{name}.peak_memory", told.peak_mb, "MB")


def _measure_landing(plan: Plan, figures: Figures, warehouse: Warehouse) -> None:
    told = in_own_process(
        "bench.landing",
        "compare",
        {"database_url": warehouse.url, "repetitions": plan.repetitions},
    )
    figures.add("landing.pages", told.details["pages"], "pages")
    figures.add("landing.bytes", told.details["bytes"] / 1e6, "MB")
    figures.add("landing.batches", told.details["batches"], "batches")
    figures.add("landing.dlt", told.details["dlt_seconds"], "s")
    figures.add("landing.copy", told.details["copy_seconds"], "s")
    figures.add("landing_vs_copy", told.details["ratio"], "ratio")
    figures.add("landing_vs_copy.cpu", told.details["cpu_ratio"], "ratio")


def _measure_flow(figures: Figures, subject: Subject, cycle: str, market_time: datetime) -> None:
    server_before = server_cpu_seconds(subject.warehouse)
    told = subject.run("flow", cycle, market_time)
    server_cpu = server_cpu_seconds(subject.warehouse) - server_before
    steps = told.details["seconds_by_step"]
    for step in STEPS:
        figures.add(f"{cycle}.flow.{step}", steps.get(step.replace("_", " "), 0.0), "s")
    figures.add(f"{cycle}.flow.seconds", told.seconds, "s")
    figures.add(f"{cycle}.flow.waiting", told.waiting_seconds, "s")
    figures.add(f"{cycle}.flow.import", told.import_seconds, "s")
    figures.add(
        f"{cycle}.flow.without_waiting",
        told.seconds - told.waiting_seconds + told.import_seconds,
        "s",
    )
    figures.add(f"{cycle}.flow.cpu", told.cpu_seconds, "s")
    figures.add(f"{cycle}.flow.server_cpu", server_cpu, "s")
    figures.add(f"{cycle}.flow.peak_memory", told.peak_mb, "MB")


def _measure_disk(figures: Figures, warehouse: Warehouse) -> None:
    """Tables with their indexes and what is stored out of line, after a first cycle."""
    offers = figures.value("first.load.offers")
    with warehouse.connect() as connection:
        sizes = connection.execute(
            """
            select nspname, sum(pg_total_relation_size(pg_class.oid))::bigint
            from pg_class
            inner join pg_namespace on pg_namespace.oid = relnamespace
            where nspname in ('staging', 'marts') and relkind in ('r', 'm')
            group by nspname
            order by nspname
            """
        ).fetchall()
    for schema, size in sizes:
        figures.add(f"disk.{schema}.bytes_per_offer", size / offers, "bytes")


def _rows_in_marts(warehouse: Warehouse) -> int:
    """Rows that stand in the tables that dbt builds."""
    with warehouse.connect() as connection:
        tables = connection.execute(
            "select format('select count(*) from %I.%I', schemaname, tablename)"
            " from pg_tables where schemaname = 'marts'"
        ).fetchall()
        counts = [connection.execute(query.encode()).fetchone() for (query,) in tables]
    return sum(count[0] for count in counts if count)


@contextmanager
def own_server(home: Path) -> Iterator[Warehouse]:
    """An embedded server for as long as it is measured, and nothing of it afterwards."""
    try:
        with open_warehouse(load_settings(home=home, database_url=None)) as warehouse:
            yield warehouse
    finally:
        # Started by root, its data stands elsewhere, where its user can reach it.
        erase(home)


@contextmanager
def own_database(server: Warehouse) -> Iterator[Warehouse]:
    """An empty database on it."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with server.connect(autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    yield replace(server, database=name)
