"""The cheap level: unit tests, run by dbt on each mutant of a model or of a macro.

dbt is given its parsed project with the mutant in its place: no file changes, and nothing is parsed
again. A mutant costs half a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from flows.transform import environment
from warehouse.postgres import Warehouse
from warehouse.settings import PROJECT_ROOT

Outcome = Literal["killed", "survived", "unseen", "not SQL"]
"""What tests say of a mutant.

Unseen is what no unit test renders, as the branches of an incremental run. Not SQL is what
PostgreSQL refuses to plan: nobody would miss that mistake.
"""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant, and the test that killed it."""

    outcome: Outcome
    killer: str = ""


class Units:
    """A dbt project whose unit tests can be run on mutants, over an open warehouse."""

    def __init__(self, warehouse: Warehouse, home: Path, project: Path = PROJECT_ROOT) -> None:
        """Parse the project and make its tables, of which unit tests take the types of their rows.

        Args:
            warehouse: its database holds the project's sources, which can be empty.
            home: where dbt's files go.
            project: the folder of the dbt project and of its profile.

        Raises:
            RuntimeError: something cannot be built.
        """
        self._warehouse, self._home, self._project = warehouse, home, project
        self._manifest: Any = None
        self._manifest = self._invoke("parse").result
        built = self._invoke("build", "--exclude-resource-type", "test", "unit_test")
        if not built.success:
            raise RuntimeError(f"dbt build: {_failures(built)}")
        # What dbt does before and after a run is nothing to a unit test.
        for name in [name for name in self._manifest.nodes if name.startswith("operation.")]:
            del self._manifest.nodes[name]
        models = [m for m in self._manifest.nodes.values() if m.resource_type == "model"]
        macros = [
            m for m in self._manifest.macros.values() if m.package_name == models[0].package_name
        ]
        self._nodes = {node.name: node for node in (*macros, *models)}

    def sources(self) -> dict[str, str]:
        """The source of each model and each macro of the project."""
        return {name: getattr(node, _text(node)) for name, node in self._nodes.items()}

    def path(self, name: str) -> Path:
        """The file of a model or a macro, in the project."""
        return Path(self._nodes[name].original_file_path)

    def models(self, name: str) -> list[str]:
        """A model itself; of a macro, the models that call it, or call what calls it."""
        node = self._nodes[name]
        if node.resource_type == "model":
            return [name]
        calling = {node.unique_id}
        while (
            more := {
                macro.unique_id
                for macro in self._manifest.macros.values()
                if calling & set(macro.depends_on.macros)
            }
            - calling
        ):
            calling |= more
        return sorted(
            model.name
            for model in self._nodes.values()
            if model.resource_type == "model" and calling & set(model.depends_on.macros)
        )

    def tested_models(self) -> list[str]:
        """The models that have unit tests."""
        return sorted({test.model for test in self._manifest.unit_tests.values()})

    def types(self) -> dict[str, str]:
        """The type of each column that some model states, by the column's name."""
        return {
            name: column.data_type
            for node in self._nodes.values()
            if node.resource_type == "model"
            for name, column in node.columns.items()
            if column.data_type
        }

    def tests(self, name: str) -> set[str]:
        """The names of the unit tests of a model, or of the models that call a macro."""
        models = set(self.models(name))
        return {test.name for test in self._manifest.unit_tests.values() if test.model in models}

    def rendered(self, name: str) -> dict[str, str]:
        """The SQL of these unit tests as it is; nothing where there are none.

        Raises:
            RuntimeError: one of them is red, and so would kill anything.
        """
        if not self.tests(name):
            return {}
        outcome = self._test(name)
        if not outcome.success:
            raise RuntimeError(f"the unit tests of {name}: {_failures(outcome)}")
        return self._compiled(self.tests(name))

    def judge(self, name: str, mutant: str, rendered: dict[str, str]) -> Verdict:
        """Run these unit tests on a mutant; `rendered` is their SQL without it."""
        with self._in_its_place(name, mutant):
            outcome = self._test(name)
        red = [result for result in outcome.result.results if result.status in ("fail", "error")]
        # Where two tests end at once, `--fail-fast` now and then says of the red one: skipped.
        if red or not outcome.success:
            is_mutant = any(r.status == "fail" for r in red) or self.is_sql(name, mutant)
            killer = red[0].node.name if red else ""
            return Verdict("killed", killer) if is_mutant else Verdict("not SQL")
        is_seen = self._compiled(self.tests(name)) != rendered
        return Verdict("survived" if is_seen else "unseen")

    def is_sql(self, name: str, mutant: str) -> bool:
        """Whether PostgreSQL finds a plan for a mutant."""
        models = self.models(name)
        with self._in_its_place(name, mutant):
            self._invoke("compile", "--full-refresh", "--select", *models)
        compiled = self._compiled(set(models)).values()
        with self._warehouse.connect(autocommit=True) as connection:
            try:
                for query in compiled:
                    connection.execute(f"explain {query}".encode())
            except (psycopg.ProgrammingError, psycopg.DataError):  # a constant of no such type
                return False
        return True

    @contextmanager
    def _in_its_place(self, name: str, mutant: str) -> Iterator[None]:
        node = self._nodes[name]
        original = getattr(node, _text(node))
        setattr(node, _text(node), mutant)
        try:
            yield
        finally:
            setattr(node, _text(node), original)

    def _test(self, name: str) -> Any:
        chosen = [f"{model},test_type:unit" for model in self.models(name)]
        return self._invoke("test", "--fail-fast", "--select", *chosen)

    def _compiled(self, names: set[str]) -> dict[str, str]:
        """What dbt last compiled for models or unit tests, by their names."""
        files = (self._home / "target" / "compiled").rglob("*.sql")
        # The rows given to a unit test are written beside it, in folders named as its file.
        return {
            file.stem: file.read_text()
            for file in files
            if file.stem in names and not file.parent.suffix
        }

    def _invoke(self, *arguments: str) -> Any:
        from dbt.cli.main import dbtRunner

        target, logs = str(self._home / "target"), str(self._home / "logs")
        project = str(self._project)
        with environment(self._warehouse):
            outcome = dbtRunner(manifest=self._manifest).invoke(
                [
                    *arguments,
                    *("--project-dir", project, "--profiles-dir", project),
                    *("--target-path", target, "--log-path", logs, "--log-level", "none"),
                    *("--log-level-file", "none", "--no-write-json", "--threads", "2"),
                ]
            )
        if isinstance(outcome.exception, (SystemExit, KeyboardInterrupt)):
            raise outcome.exception  # dbt would go on to the next mutant
        return outcome


def _text(node: Any) -> str:
    """The attribute of a model or a macro that holds its source."""
    return "raw_code" if node.resource_type == "model" else "macro_sql"


def _failures(outcome: Any) -> str:
    """What dbt says went wrong, on one line."""
    results = getattr(outcome.result, "results", None) or []
    red = [f"{r.node.name}: {r.message}" for r in results if r.status in ("fail", "error")]
    return " ".join(str(outcome.exception or "; ".join(red)).split())[:500]
