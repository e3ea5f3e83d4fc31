"""The folders of the embedded PostgreSQL: where its data, its socket and its log may stand.

    P2P_HOME/postgres   the data folder, or a link to it; the server's socket is in it
    P2P_HOME/run        a link that leads to the socket
    P2P_HOME/engine     a link to a copy of the binaries, where one had to be made elsewhere

The server may run as another user than the command (see `engine.Account`), to whom the home is
closed: its working folder is then the only one of ours that it gets to. What cannot be in the home
is made elsewhere, under a name nobody could have taken before us, and remembered by the link alone.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warehouse.engine import Account
from warehouse.errors import UserError

PORT = 5432  # of no network: it only names the socket's file
SOCKET_FILE = f".s.PGSQL.{PORT}"
_LONGEST_SOCKET_PATH = 103  # bytes; 107 on Linux, 103 on macOS


@dataclass(frozen=True)
class Premises:
    """Where one embedded server lives: `room` holds its data."""

    home: Path
    room: Path
    account: Account

    @property
    def data(self) -> Path:
        """The data folder itself, never a link to it."""
        return self.room / "postgres"


def settle(home: Path) -> Premises:
    """Where the server of `home` lives, or is to live if it has no data yet.

    Root may be unable to give a folder in its home away, as on some network file systems: the data
    then go to a folder of their own in `/var/lib`.

    Raises:
        UserError: the data are gone, or belong to someone else.
    """
    data = home / "postgres"
    if data.is_symlink():
        data = Path(os.readlink(data))
        if not data.is_dir() or data.parent.stat().st_uid != os.geteuid():
            raise UserError(
                f"P2P_HOME: the database of {home} was kept in {data}, which is gone or not ours: "
                f"bring it back, or remove {home / 'postgres'} to start an empty one."
            )
    account = Account.for_data(data)
    if data.exists():
        if os.geteuid() == 0 and not account.can_work_in(data):
            raise UserError(
                f"P2P_HOME: the user {account.name}, who owns the database, cannot reach {data}: "
                "mount /proc, or set P2P_HOME to a folder that this user can reach."
            )
        return Premises(home, data.parent, account)
    if _can_house(home, account):
        return Premises(home, home, account)
    return Premises(home, _room_elsewhere(home, account), account)


def private_folder(folder: Path, account: Account) -> Path:
    """Give a folder that we have just made to `account` alone."""
    folder.chmod(0o700)
    if os.geteuid() != account.uid:
        os.chown(folder, account.uid, account.gid)
    return folder


def engine_room(premises: Premises) -> Path:
    """Where a copy of the binaries can be made: the account has to get there by their path."""
    if premises.account.uid == os.geteuid() or premises.account.can_enter(premises.room):
        return premises.room
    link = premises.home / "engine"
    if link.is_symlink():
        room = Path(os.readlink(link))
        if room.is_dir() and room.stat().st_uid == os.geteuid():
            return room
        link.unlink()
    room = _room_elsewhere(premises.home, premises.account)
    link.symlink_to(room)
    return room


def lead_to_socket(premises: Premises) -> Path:
    """A path of the data folder that is short enough for the socket in it.

    A home too deep for a socket's path, or with odd characters, gets a link in the system's
    temporary folder, in a folder that only we may enter.
    """
    stable = premises.home / "run"
    if _fits(stable):
        _link(stable, premises.data)
        return stable
    if stable.is_symlink():
        short = Path(os.readlink(stable))
        if short.is_symlink() and _is_private(short.parent):
            _link(short, premises.data)
            return short
    short = _short_folder() / "run"
    _link(short, premises.data)
    _link(stable, short)
    return short


def forget_way(premises: Premises, way: Path) -> None:
    """Leave nothing in the system's temporary folder once the server is down."""
    if way.parent != premises.home:
        shutil.rmtree(way.parent, ignore_errors=True)
        _remove(premises.home / "run")


def remove_scratch(room: Path) -> None:
    """Remove what a killed command left half made."""
    for folder in room.glob("*-*.tmp"):
        shutil.rmtree(folder, ignore_errors=True)


def _can_house(folder: Path, account: Account) -> bool:
    """Whether `account` could own and work in a folder in `folder`.

    Tried rather than computed: ACLs, and file systems that let nobody give a file away.
    """
    if os.geteuid() == account.uid:
        return True
    trial = Path(tempfile.mkdtemp(prefix="trial-", suffix=".tmp", dir=folder))
    try:
        return account.can_work_in(private_folder(trial, account))
    except OSError:
        return False
    finally:
        trial.rmdir()


def _room_elsewhere(home: Path, account: Account) -> Path:
    """A new folder of ours that `account` can reach; its name tells the home it belongs to."""
    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    for base in ("/var/lib", "/var/tmp"):  # noqa: S108 - made exclusively, by mkdtemp
        try:
            room = Path(tempfile.mkdtemp(prefix=f"p2p-{name}-", dir=base))
        except OSError:
            continue
        room.chmod(0o711)
        if account.can_enter(room) and _can_house(room, account):
            return room
        room.rmdir()
    raise UserError(
        f"P2P_HOME: the user {account.name}, whom the database runs as, cannot reach {home}: "
        "set P2P_HOME to a folder that this user can reach, or set DATABASE_URL."
    )


def _short_folder() -> Path:
    """A new private folder whose path leaves room for a socket's name."""
    for base in _temporary_folders():
        if _fits(base / "p2p-12345678" / "run"):
            return Path(tempfile.mkdtemp(prefix="p2p-", dir=base))
    raise UserError(
        "P2P_HOME is too deep for a socket and so is every temporary folder: "
        "set P2P_HOME to a shorter path."
    )


def _temporary_folders() -> Iterator[Path]:
    """Places for a short path, the user's choice first."""
    yield Path(tempfile.gettempdir())
    yield from (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - made exclusively, by mkdtemp


def _fits(folder: Path) -> bool:
    """Whether a socket in `folder` has a path that the kernel and each library take as it stands.

    A comma makes a list of it to libpq, a space a plus to dlt, a % means something to others.
    """
    path = str(folder / SOCKET_FILE)
    return len(path) <= _LONGEST_SOCKET_PATH and re.fullmatch(r"[A-Za-z0-9_./-]+", path) is not None


def _is_private(folder: Path) -> bool:
    """Whether `folder` is a folder of ours that nobody else may enter."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    status = folder.stat()
    return status.st_uid == os.geteuid() and status.st_mode & 0o077 == 0


def _link(path: Path, target: Path) -> None:
    """Have `path` lead to `target`, whatever it was before."""
    if not (path.is_symlink() and Path(os.readlink(path)) == target):
        _remove(path)
        path.symlink_to(target)


def _remove(path: Path) -> None:
    """Remove a link of ours, or the folder of sockets that was there in an earlier version.

    Whatever else is there stays, and what was to take its place says so.
    """
    if path.is_symlink():
        target = Path(os.readlink(path))
        if target.name == "postgres" or "p2p-" in (target.name[:4], target.parent.name[:4]):
            path.unlink()
    elif path.is_dir():
        for name in (SOCKET_FILE, f"{SOCKET_FILE}.lock"):
            (path / name).unlink(missing_ok=True)
        path.rmdir()
