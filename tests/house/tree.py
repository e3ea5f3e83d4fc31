"""The files of the project: what git would take, read without git."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file that `.gitignore` does not leave out."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split() if line]
    return tuple(sorted(_walk(ROOT, [".git", *ignored])))


def _walk(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        place = str(path.relative_to(ROOT))
        if any(fnmatch(path.name, name) or place == name for name in ignored):
            continue
        if path.is_dir():
            yield from _walk(path, ignored)
        else:
            yield path


@cache
def text(path: Path) -> str:
    """What a file says; what is no text (a picture) says nothing."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def of(*suffixes: str) -> list[Path]:
    """The files of some kinds."""
    return [path for path in files() if path.suffix in suffixes]


def places(pattern: str, paths: list[Path]) -> list[str]:
    """Where a pattern is found, as `file:line: what`; a failing test shows this."""
    found = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in paths
        for number, line in enumerate(text(path).splitlines(), 1)
        if (match := found.search(line))
    ]
