"""The worker's image, without an engine: its steps in a plain folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT


def dockerfile(instruction: str) -> list[str]:
    """What an instruction of the Dockerfile is given, each time that it is used."""
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"(?m)^{instruction} (.+)$", text)


def test_the_base_of_our_own_image_is_pinned_too() -> None:
    for base in dockerfile("FROM"):
        assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+( AS build)?", base)


def test_nothing_that_runs_from_the_image_tells_prefects_makers_of_it() -> None:
    set_in_it = dict(pair.split("=", 1) for pair in " ".join(dockerfile("ENV")).split())
    asked = (
        "from prefect._internal.analytics import is_telemetry_enabled as sdk;"
        "from prefect.settings import get_current_settings as settings;"
        "print(sdk(), settings().server.analytics_enabled)"
    )
    for environment, sends in ((set_in_it, "False False"), ({}, "True True")):
        done = subprocess.run(
            [sys.executable, "-c", asked],
            env={**environment, "PATH": "", "HOME": "/nowhere"},
            capture_output=True,
            text=True,
        )
        assert done.stdout.split("\n")[0] == sends, done.stderr


def test_the_steps_of_the_image_make_an_environment_that_runs_the_command(tmp_path: Path) -> None:
    """Each COPY and RUN in a plain folder; the same lock, hashes and wheels, and no engine."""
    app = tmp_path / "app"
    app.mkdir()
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    assert set(re.findall(r"(?m)^([A-Z]+) ", text)) == {
        "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "CMD",
    }  # fmt: skip
    # The image has a `python`; a machine may have it by another name only.
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.base_prefix}/bin/python3" "$@"\n')
    python.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    owner = f"-o {os.getuid()} -g {os.getgid()}"
    for instruction, given in re.findall(r"(?m)^(COPY|RUN) (.+)$", text):
        if given == "--from=build /app /app":
            continue  # here it is the same folder
        if instruction == "COPY":
            copy(given.split(), app)
            continue
        step = given.replace(" /var/", f" {tmp_path}/var/").replace(" /run/", f" {tmp_path}/run/")
        # Most of the time that it would take, and of interest to Python alone.
        step = step.replace(" .venv/lib ", " ")
        if os.getuid() != 0:
            step = step.replace("-o 10001 -g 10001", owner)
        done = subprocess.run(
            ["sh", "-c", step], cwd=app, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{given}\n{done.stderr}"
    assert not (app / ".git").exists()
    assert not (app / "tests").exists()
    done = subprocess.run(
        [app / ".venv" / "bin" / "p2p", "--help"], cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "serve" in done.stdout
    libraries = {
        folder.name.partition("-")[0]
        for folder in app.glob(".venv/lib/*/site-packages/*.dist-info")
    }
    assert {"s3fs", "gcsfs", "adlfs"} < libraries
    assert libraries.isdisjoint({"uv", "pip", "setuptools", "pytest", "mypy", "ruff", "sqlfluff"})
    home = tmp_path / "run" / "made" / "redis"
    assert home.stat().st_uid == (10001 if os.getuid() == 0 else os.getuid())


def copy(given: list[str], app: Path) -> None:
    """COPY, of what .dockerignore lets in."""
    if given == [".", "."]:
        ignored = [
            line.removeprefix("**/")
            for line in (PROJECT / ".dockerignore").read_text().splitlines()
            if line and not line.startswith("#")
        ]
        names = [name for name in ignored if "/" not in name]
        shutil.copytree(
            PROJECT, app, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*names), symlinks=True
        )
        return
    *sources, target = given
    for source in sources:
        shutil.copy(PROJECT / source, app / target)
