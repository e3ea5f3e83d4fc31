"""docker-compose.yml as it is written, and what its service `secrets` makes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.conftest import PROJECT

SECRETS = "/run/secrets/p2p"
ALONE = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}

Services = dict[str, dict[str, Any]]


def written() -> dict[str, Any]:
    """The file as it is written; YAML fills in what is said once for many."""
    whole: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    return whole


SERVICES: Services = written()["services"]


def changed(line: list[str], changes: Mapping[str, object]) -> list[str]:
    """A command with other values for some of its options, each of which must be there."""
    for option, value in changes.items():
        assert any(part.startswith(f"{option}=") for part in line), option
        line = [f"{option}={value}" if part.startswith(f"{option}=") else part for part in line]
    return line


def make_secrets(folder: Path, *more: str, given: str = "", **environment: str) -> None:
    line = [part.replace("/run/made", str(folder)) for part in SERVICES["secrets"]["command"]]
    done = subprocess.run(
        [*line, *more],
        cwd=PROJECT,
        env={**ALONE, **environment},
        input=given,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
