"""dbt, run in this process against the open warehouse."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from warehouse.masking import quoted
from warehouse.postgres import Warehouse
from warehouse.roles import TRANSFORMER
from warehouse.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg

_LARGEST_LOG, _LOGS_KEPT = 10_000_000, 5  # bytes; as dbt's own

# The plans are made once and their queries are short: compiling them costs more than it saves.
# Facts sort some 100 MB in a cycle. A dbt that is killed leaves its statement to the server, which
# is to notice; and one that waits for a lock for a minute had better say so.
SESSION: Mapping[str, str] = {
    "jit": "off",
    "work_mem": "64MB",
    "client_connection_check_interval": "5s",
    "lock_timeout": "60s",
}


@dataclass(frozen=True)
class Failure:
    """One node of dbt's graph that failed: a model that was not built or a test that is red."""

    node: str
    is_test: bool
    message: str


@dataclass(frozen=True)
class Node:
    """One node of dbt's graph that was run."""

    name: str
    kind: str
    status: str
    seconds: float


@dataclass(frozen=True)
class TransformReport:
    """What one invocation of dbt did."""

    is_success: bool
    models_built: int
    tests_passed: int
    tests_warned: int
    failures: tuple[Failure, ...]
    nodes: tuple[Node, ...]
    """The slowest first."""

    @property
    def tests_failed(self) -> int:
        """How many data tests and unit tests are red."""
        return sum(failure.is_test for failure in self.failures)


def run_dbt(
    warehouse: Warehouse,
    arguments: Sequence[str],
    home: Path,
    *,
    threads: int = 4,
    tested: Literal["all", "new"] = "all",
) -> TransformReport:
    """Run one dbt command (`build`, `docs generate`, …); its files go to `home`.

    Tests look at all of history, or at what is `new`: what no green build has seen whole. As the
    two are parsed apart, give each a `home` of its own.

    Never two at a time in one process: dbt keeps its flags and its connections in globals.

    Raises:
        KeyboardInterrupt: as anywhere.
    """
    from dbt.cli.main import dbtRunner

    home.mkdir(parents=True, exist_ok=True)
    command = [
        *arguments,
        "--project-dir",
        str(PROJECT_ROOT),
        "--profiles-dir",
        str(PROJECT_ROOT),
        "--target-path",
        str(home / "target"),
        "--log-path",
        str(home / "logs"),
        "--threads",
        str(threads),
        # What fails is reported from the result: dbt quotes values as they are, and so an attacker
        # would write on the terminal.
        "--log-level",
        "none",
        "--log-level-file",
        "none",
    ]
    if tested != "all":
        command += ["--vars", json.dumps({"tested": tested})]
    with environment(warehouse.acting_as(TRANSFORMER)), _log(home / "logs") as write:
        outcome = dbtRunner(callbacks=[write]).invoke(command)
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception  # to dbt it is a failure like any other
    return _report(outcome)


@contextmanager
def environment(warehouse: Warehouse) -> Iterator[None]:
    """The variables that `profiles.yml` and libpq read, for as long as dbt runs."""
    wanted = {
        **warehouse.with_session(**SESSION).environment(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _log(folder: Path) -> Iterator[Callable[[EventMsg], None]]:
    """What writes dbt's events from `info` up into `dbt.log`, a line of JSON each.

    dbt's own log renders every event there is before it looks at its level: a tenth of a run. In
    JSON what an attacker wrote is escaped.
    """
    from dbt_common.events.functions import msg_to_json

    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        folder / "dbt.log", encoding="utf-8", maxBytes=_LARGEST_LOG, backupCount=_LOGS_KEPT
    )

    def write(event: EventMsg) -> None:
        if event.info.level not in ("debug", "test"):
            handler.handle(logging.makeLogRecord({"msg": quoted(msg_to_json(event))}))

    with closing(handler):
        yield write


def _report(outcome: Any) -> TransformReport:
    """Read dbt's own result, whatever the command was."""
    results = list(getattr(outcome.result, "results", None) or [])
    models = tests = warned = 0
    failures: list[Failure] = []
    nodes: list[Node] = []
    for result in results:
        node = getattr(result, "node", None)
        if node is None:
            continue
        status = str(result.status)
        kind = str(node.resource_type)
        is_test = kind in ("test", "unit_test")
        nodes.append(Node(node.name, kind, status, float(result.execution_time)))
        if status in ("error", "fail", "runtime error"):
            failures.append(Failure(node.name, is_test, _one_line(result.message)))
        elif status in ("success", "pass", "warn"):
            models += not is_test
            tests += is_test and status != "warn"
            warned += status == "warn"
    if outcome.exception is not None:
        failures.append(Failure("dbt", False, _one_line(str(outcome.exception))))
    return TransformReport(
        is_success=bool(outcome.success),
        models_built=models,
        tests_passed=tests,
        tests_warned=warned,
        failures=tuple(failures),
        nodes=tuple(sorted(nodes, key=lambda node: -node.seconds)),
    )


def _one_line(message: str | None) -> str:
    """What dbt said, on one line; its first words say what failed."""
    return " ".join(quoted(message or "no message").split())[:300]
