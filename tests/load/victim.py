"""A loader that kills itself, hard, at a point that is named: python -m tests.load.victim POINT.

Run as a process of its own by `test_recovery`; settings come as JSON on standard input.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt.destinations.job_client_impl as job_client
from dlt.common.storages.load_package import PackageStorage
from dlt.destinations.impl.postgres.postgres import PostgresParquetCopyJob
from dlt.extract.extract import Extract
from dlt.normalize.normalize import Normalize
from dlt.pipeline.pipeline import Pipeline

import load.landing
import load.source
from load.pacing import Pacer
from load.pipeline import run_cycle
from tests.load.conftest import Clock, FakeTime
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings


def die() -> None:
    """As the kernel's out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


def around(
    owner: Any, name: str, *, before: bool, when: Callable[..., bool] = lambda *_: True
) -> None:
    """Die just before, or just after, a function of dlt's has done its work."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        if before and when(*args):
            die()
        result = real(*args, **options)
        if not before and when(*args):
            die()
        return result

    setattr(owner, name, wrapped)


def is_pages(job: PostgresParquetCopyJob, *_: Any) -> bool:
    return job.load_table_name == "pages"


POINTS: dict[str, Callable[[], None]] = {
    "in extract": lambda: around(load.landing, "binance_p2p", before=True),
    "before extract is committed": lambda: around(Extract, "commit_packages", before=True),
    "before the state is saved": lambda: around(Extract, "commit_packages", before=False),
    "before normalize": lambda: around(Pipeline, "normalize", before=True),
    "in normalize": lambda: around(Normalize, "spool_schema_files", before=True),
    "before load": lambda: around(Pipeline, "load", before=True),
    "before the pages are committed": lambda: around(
        PostgresParquetCopyJob, "run", before=True, when=is_pages
    ),
    "between the commit and dlt's marker": lambda: around(
        PostgresParquetCopyJob, "run", before=False, when=is_pages
    ),
    "before the load is finished": lambda: around(
        job_client.SqlJobClientBase, "complete_load", before=True
    ),
    "after the load is finished": lambda: around(
        job_client.SqlJobClientBase, "complete_load", before=False
    ),
    "before the package is archived": lambda: around(
        PackageStorage, "complete_loading_package", before=True
    ),
}

RATE = 1_000.0


def main() -> None:
    told = json.load(sys.stdin)
    batches = told["batches"]
    real = load.landing.Landing.land

    def land(self: Any, batch: Any, state: Any) -> Any:
        nonlocal batches
        batches -= 1
        if batches == 0:
            POINTS[sys.argv[1]]()
        return real(self, batch, state)

    load.landing.Landing.land = land  # type: ignore[method-assign]
    load.source.BATCH_SECONDS = told["batch_pages"] / RATE
    clock = Clock()
    clock.advance(told["minutes"])
    run_cycle(
        load_settings(
            database_url=None,
            home=Path(told["home"]),
            api_url=told["api_url"],
            rates_url=None,
            spot_url=None,
            requests_per_second=RATE,
        ),
        Warehouse(**told["warehouse"]),
        "victim",
        clock=clock,
        pacer=Pacer(RATE, time=FakeTime()),
    )


if __name__ == "__main__":
    main()
