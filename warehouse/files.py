"""Files of ours: closed to other users, and there whole or as they were before."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_OTHERS = 0o077
_OURS = {"clients.lock", "dbt", "dbt-docs", "dbt-rebuild", "demo", "dlt", "dlt.lock", "docs"}
_OURS |= {"engine", "exchange.json", "logs", "lost+found", "postgres", "prefect", "run"}
_OURS |= {"start.lock"}
_OF_THE_SERVER = ("engine", "postgres", "run")

_mode_outside = 0o600


def write_privately() -> None:
    """Close to others whatever this process and those that it starts make from here on."""
    global _mode_outside
    given = os.umask(_OTHERS)
    if given != _OTHERS:
        _mode_outside = 0o666 & ~given


def make_home(home: Path) -> None:
    """Make the home, closed to others; close one that an earlier version has left open.

    A folder that holds other things besides ours is left as it is, with ours in it closed: others
    may need those things.

    Raises:
        OSError: it cannot be made.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = home.stat()
    if status.st_uid != os.geteuid() or not status.st_mode & _OTHERS:
        return
    entries = list(home.iterdir())
    ours = [entry for entry in entries if _is_ours(entry.name)]
    for entry in ours:
        _close(entry)
    if ours == entries:
        home.chmod(0o700)


@contextmanager
def whole_file(file: Path, *, is_for_others: bool = False) -> Iterator[IO[bytes]]:
    """A stream whose bytes become `file` when the context ends well, and nothing when it does not.

    One that is for others is as open as the user's other files are.

    Raises:
        OSError: the folder cannot be written, or is full.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("xb") as stream:
            yield stream
            if is_for_others:
                os.fchmod(stream.fileno(), _mode_outside)
        os.replace(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith("engine-") or name.endswith(".tmp")


def _close(entry: Path) -> None:
    """Close a file, or a folder and all below it, to others; the server's own are closed."""
    if entry.is_symlink() or entry.name.split("-")[0] in _OF_THE_SERVER:
        return
    mode = entry.stat().st_mode
    if mode & _OTHERS:
        entry.chmod(mode & 0o700)
        for below in entry.iterdir() if entry.is_dir() else ():
            _close(below)
