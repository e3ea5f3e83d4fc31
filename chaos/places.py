"""Places in a run of the flow where a blow may fall, and how a process notices that it is there.

A place is watched by wrapping a function of dlt's, of dbt's or of ours inside the process that is
to be hit, so nothing here waits for a moment or guesses one. What the blow is, is somebody else's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse.settings import PROJECT_ROOT

Install = Callable[["Watch"], None]

_MODELS = PROJECT_ROOT / "dbt_project" / "models"


class Watch:
    """Calls `reached` once: where its place is passed for the `skip + 1`-th time."""

    def __init__(
        self, reached: Callable[[], None], skip: int = 0, delay_seconds: float = 0.0
    ) -> None:
        """Be ready; with a delay the work goes on meanwhile, so that a statement is under way."""
        self._reached, self._left, self._delay = reached, skip, delay_seconds
        self._lock = threading.Lock()
        self._is_done = False

    def pass_by(self) -> None:
        """The place is passed, once more."""
        with self._lock:
            is_time = self._left == 0
            self._left -= 1
        if is_time and self._delay:
            threading.Timer(self._delay, self.strike).start()
        elif is_time:
            self.strike()

    def strike(self) -> None:
        """Now, if it was not before: the place is about to be left."""
        with self._lock:
            was_done, self._is_done = self._is_done, True
        if not was_done:
            self._reached()


def around(
    owner: Any,
    name: str,
    watch: Watch,
    *,
    before: bool,
    when: Callable[..., bool] = lambda *_: True,
) -> None:
    """Pass by `watch` just before, or just after, a function has done its work."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        if before and when(*args):
            watch.pass_by()
        result = real(*args, **options)
        if not before and when(*args):
            watch.pass_by()
        return result

    setattr(owner, name, wrapped)


@dataclass(frozen=True)
class Place:
    """A place with what it belongs to."""

    group: str
    install: Install


def _is_pages(job: Any, *_: Any) -> bool:
    return bool(job.load_table_name == "pages")


def _in_extract(watch: Watch) -> None:
    import load.land.landing

    around(load.land.landing, "binance_p2p", watch, before=True)


def _between_rows(watch: Watch) -> None:
    from dlt.extract.extractors import Extractor

    around(Extractor, "_write_item", watch, before=False)


def _extract_committed(watch: Watch, *, before: bool) -> None:
    from dlt.extract.extract import Extract

    around(Extract, "commit_packages", watch, before=before)


def _before_normalize(watch: Watch) -> None:
    from dlt.pipeline.pipeline import Pipeline

    around(Pipeline, "normalize", watch, before=True)


def _in_normalize(watch: Watch) -> None:
    from dlt.normalize.normalize import Normalize

    around(Normalize, "spool_schema_files", watch, before=True)


def _before_load(watch: Watch) -> None:
    from dlt.pipeline.pipeline import Pipeline

    around(Pipeline, "load", watch, before=True)


def _pages_committed(watch: Watch, *, before: bool) -> None:
    from dlt.destinations.impl.postgres.postgres import PostgresParquetCopyJob

    around(PostgresParquetCopyJob, "run", watch, before=before, when=_is_pages)


def _load_finished(watch: Watch, *, before: bool) -> None:
    from dlt.destinations.job_client_impl import SqlJobClientBase

    around(SqlJobClientBase, "complete_load", watch, before=before)


def _package_archived(watch: Watch) -> None:
    from dlt.common.storages.load_package import PackageStorage

    around(PackageStorage, "complete_loading_package", watch, before=True)


EXTRACT, NORMALIZE, LOAD, MARKER = (
    "inside extract",
    "inside normalize",
    "inside load",
    "between the database's commit and dlt's marker",
)

LOADER_PLACES = {
    "in extract": Place(EXTRACT, _in_extract),
    "between the rows of extract": Place(EXTRACT, _between_rows),
    "before extract is committed": Place(EXTRACT, lambda w: _extract_committed(w, before=True)),
    "before the state is saved": Place(EXTRACT, lambda w: _extract_committed(w, before=False)),
    "before normalize": Place(NORMALIZE, _before_normalize),
    "in normalize": Place(NORMALIZE, _in_normalize),
    "before load": Place(LOAD, _before_load),
    "before the pages are committed": Place(LOAD, lambda w: _pages_committed(w, before=True)),
    "between the commit and dlt's marker": Place(
        MARKER, lambda w: _pages_committed(w, before=False)
    ),
    "before the load is finished": Place(LOAD, lambda w: _load_finished(w, before=True)),
    "after the load is finished": Place(LOAD, lambda w: _load_finished(w, before=False)),
    "before the package is archived": Place(LOAD, _package_archived),
}


def _while_reading(watch: Watch) -> None:
    from load.book.readers import Readers

    around(Readers, "read_page", watch, before=True)


def _after_recording(watch: Watch) -> None:
    from ops import record

    around(record, "open_run", watch, before=False)


def _a_check(watch: Watch, *, before: bool) -> None:
    import expectations.checkpoint

    around(expectations.checkpoint, "run_suite", watch, before=before)


def _dbt(watch: Watch, *, before: bool) -> None:
    import flows.transform

    around(flows.transform, "run_dbt", watch, before=before)


def _closing(watch: Watch, *, before: bool) -> None:
    from ops.summary import CycleOutcome

    around(CycleOutcome, "close", watch, before=before)


FLOW = "in the flow, between its steps"

FLOW_PLACES = {
    "while books are read": Place("while books are read", _while_reading),
    "after the run is recorded": Place(FLOW, _after_recording),
    "before a check": Place(FLOW, lambda w: _a_check(w, before=True)),
    "after a check": Place(FLOW, lambda w: _a_check(w, before=False)),
    "before dbt": Place(FLOW, lambda w: _dbt(w, before=True)),
    "after dbt": Place(FLOW, lambda w: _dbt(w, before=False)),
    "before the end is recorded": Place(FLOW, lambda w: _closing(w, before=True)),
    "after the end is recorded": Place(FLOW, lambda w: _closing(w, before=False)),
}


def _node(watch: Watch, runner: type[Any], name: str | None) -> None:
    """Pass by before and after each statement that dbt sends for the node `name` (None: any).

    A node with fewer statements than are skipped is hit as it ends, still inside.
    """
    from dbt.adapters.sql.connections import SQLConnectionManager

    inside = threading.local()
    real_execute, real_query = runner.execute, SQLConnectionManager.add_query

    def execute(self: Any, node: Any, manifest: Any) -> Any:
        inside.now = name is None or node.name == name
        try:
            result = real_execute(self, node, manifest)
            if inside.now:
                watch.strike()
            return result
        finally:
            inside.now = False

    def add_query(self: Any, *args: Any, **options: Any) -> Any:
        if not getattr(inside, "now", False):
            return real_query(self, *args, **options)
        watch.pass_by()
        sent = real_query(self, *args, **options)
        watch.pass_by()
        return sent

    vars_of: Any = runner
    vars_of.execute = execute
    manager: Any = SQLConnectionManager
    manager.add_query = add_query


def _model(name: str, *, changes_with_the_market: bool) -> Install:
    def install(watch: Watch) -> None:
        from dbt.task.run import ModelRunner

        from flows import standing

        if not changes_with_the_market:
            # dbt comes by only where the project is another than the one that stands.
            vars(standing)["project_digest"] = lambda: "another version"
        _node(watch, ModelRunner, name)

    return install


def _test(watch: Watch) -> None:
    from dbt.task.test import TestRunner

    _node(watch, TestRunner, None)


def models() -> list[str]:
    """Every model of the project, by name."""
    return sorted(path.stem for path in _MODELS.rglob("*.sql"))


def _is_view(path: Path) -> bool:
    text = path.read_text()
    is_one_by_default = path.relative_to(_MODELS).parts[0] != "marts"
    return "materialized='view'" in text or (is_one_by_default and "materialized=" not in text)


SEEDS, TESTS = "inside a seed", "inside a test of dbt's"


def dbt_places() -> dict[str, Place]:
    """Inside each model, and inside seeds and tests."""
    seeds = sorted(path.stem for path in (PROJECT_ROOT / "dbt_project" / "seeds").glob("*.csv"))
    views = {path.stem for path in _MODELS.rglob("*.sql") if _is_view(path)}
    in_models = {
        f"inside {name}": Place(
            f"inside {name}", _model(name, changes_with_the_market=name not in views)
        )
        for name in models()
    }
    # A seed's runner is a model's.
    in_seeds = {
        f"inside the seed {name}": Place(SEEDS, _model(name, changes_with_the_market=False))
        for name in seeds
    }
    return {**in_models, **in_seeds, TESTS: Place(TESTS, _test)}


def all_places() -> dict[str, Place]:
    """Every place there is, by name."""
    return {**LOADER_PLACES, **FLOW_PLACES, **dbt_places()}
