"""The dear level: tests/dbt, which knows the numbers of a model by another way, in plain Python.

They build whole warehouses from readings, incrementally and from the beginning, so they see what no
unit test renders. A mutant costs a minute or more: its file is written in a copy of the project.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mutate.units import Verdict
from warehouse.settings import PROJECT_ROOT

_LEFT = shutil.ignore_patterns(".*_cache", ".git", ".venv", ".p2p", "target", "logs", "*.egg-info")


class Oracles:
    """A copy of the project whose tests can be run on mutants."""

    def __init__(self, folder: Path, project: Path = PROJECT_ROOT) -> None:
        """Copy the project into a folder."""
        self._copy = folder / "project"
        shutil.copytree(project, self._copy, ignore=_LEFT)

    def tests(self, models: Iterable[str]) -> list[str]:
        """The files of tests that speak of one of some models, by their names in the project."""
        named = re.compile(rf"\b(?:{'|'.join(models)})\b")
        return [
            str(path.relative_to(self._copy))
            for path in sorted((self._copy / "tests" / "dbt").glob("test_*.py"))
            if named.search(path.read_text())
        ]

    def judge(self, models: Sequence[str], path: Path, source: str, mutant: str) -> Verdict:
        """Run the tests that speak of some models, with a mutant in the place of a source.

        Raises:
            RuntimeError: they could not be run.
        """
        file = self._copy / path
        original = file.read_text()
        if source not in original:
            raise RuntimeError(f"{path} does not hold what dbt read there")
        file.write_text(original.replace(source, mutant, 1))
        try:
            return self._run(models)
        finally:
            file.write_text(original)

    def check(self, models: Sequence[str]) -> None:
        """Run them on the models as they are.

        Raises:
            RuntimeError: one of them is red, and so would kill anything.
        """
        verdict = self._run(models)
        if verdict.outcome != "survived":
            raise RuntimeError(f"the tests of {', '.join(models)}: {verdict.killer} is red")

    def _run(self, models: Sequence[str]) -> Verdict:
        ran = subprocess.run(  # noqa: S603 - this very Python, and names of files of ours
            [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", *self.tests(models)],
            cwd=self._copy,
            env=os.environ | {"PYTHONPATH": str(self._copy)},
            capture_output=True,
            text=True,
        )
        if ran.returncode == 0:
            return Verdict("survived")
        killers = re.findall(r"(?m)^(?:FAILED|ERROR) \S+::(\w+)", ran.stdout)
        if ran.returncode != 1 or not killers:
            raise RuntimeError(f"pytest on {models}: {ran.stdout[-500:]}{ran.stderr}")
        return Verdict("killed", killers[0])
