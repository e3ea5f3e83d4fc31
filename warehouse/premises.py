"""The folders of the embedded PostgreSQL: where its data, its socket and its log may stand.

    P2P_HOME/postgres   the data folder, or a link to it
    P2P_HOME/run        the socket's folder, or a link to it: always the way to the server

The server may run as another user than the command (see `engine.Account`), and a socket's path
is short by law of the kernel, so either may have to stand elsewhere. Whatever is made elsewhere
is made anew under a name nobody could have taken before us, and remembered by the link alone.
The permissions of a folder that was there before are never touched.
"""

import hashlib
import os
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
    """Where one embedded server lives: `room` holds its data and, if need be, its binaries."""

    home: Path
    room: Path
    account: Account

    @property
    def data(self) -> Path:
        """The data folder itself, never a link to it."""
        return self.room / "postgres"


def make_home(home: Path) -> None:
    """Make the home and what is missing above it, so that the server's account can pass through.

    Raises:
        OSError: it cannot be made.
    """
    for folder in reversed([home, *home.parents]):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:  # under a strict umask nobody else could enter
                folder.chmod(folder.stat().st_mode | 0o011)


def settle(home: Path) -> Premises:
    """Where the server of `home` lives, or is to live if it has no data yet.

    Root's home may be closed to the account that the server runs as. Opening it would show the
    folders above to everybody, so the data go to a folder of their own in `/var/lib`.

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
        if os.geteuid() == 0 and not account.can_enter(data):
            raise UserError(
                f"P2P_HOME: the user {account.name}, who owns the database, cannot reach {data}: "
                "a folder above it was closed; open it, or set P2P_HOME."
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


def open_socket_folder(premises: Premises) -> Path:
    """The folder for the server's socket, which only its account (and root) may enter.

    Whoever reaches the socket is let in without a password, hence 0700. A home too deep for a
    socket's path, or with a comma, gets a short folder in the system's temporary folder.
    """
    stable, own = premises.home / "run", premises.room / "run"
    if _fits(own):
        if not _is_private(own, premises.account):
            _remove(own)
            own.mkdir(mode=0o700)
            private_folder(own, premises.account)
        folder = own
    elif stable.is_symlink() and _is_private(stable.resolve(), premises.account):
        folder = stable.resolve()
    else:
        folder = _short_folder(premises.account)
    if folder != stable and not (stable.is_symlink() and Path(os.readlink(stable)) == folder):
        _remove(stable)
        stable.symlink_to(folder)
    return folder


def close_socket_folder(premises: Premises, folder: Path) -> None:
    """Leave nothing in the system's temporary folder once the server is down."""
    if folder.parent != premises.room:
        shutil.rmtree(folder, ignore_errors=True)
        _remove(premises.home / "run")


def remove_scratch(room: Path) -> None:
    """Remove what a killed command left half made."""
    for folder in room.glob("*-*.tmp"):
        shutil.rmtree(folder, ignore_errors=True)


def _can_house(folder: Path, account: Account) -> bool:
    """Whether `account` could own and reach a folder in `folder`.

    Tried rather than computed: ACLs, and file systems that let nobody give a file away.
    """
    if os.geteuid() == account.uid:
        return True
    trial = Path(tempfile.mkdtemp(prefix="trial-", suffix=".tmp", dir=folder))
    try:
        return account.can_enter(private_folder(trial, account))
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
        if _can_house(room, account):
            return room
        room.rmdir()
    raise UserError(
        f"P2P_HOME: the user {account.name}, whom the database runs as, cannot reach {home}: "
        "set P2P_HOME to a folder that this user can reach, or set DATABASE_URL."
    )


def _short_folder(account: Account) -> Path:
    """A new private folder whose path leaves room for a socket's name."""
    for base in _temporary_folders():
        if not _fits(base / "p2p-12345678"):
            continue
        folder = private_folder(Path(tempfile.mkdtemp(prefix="p2p-", dir=base)), account)
        if account.can_enter(folder):
            return folder
        folder.rmdir()
    raise UserError(
        "P2P_HOME is too deep for a socket and so is every temporary folder: "
        "set P2P_HOME to a shorter path."
    )


def _temporary_folders() -> Iterator[Path]:
    """Places for a short path, the user's choice first."""
    yield Path(tempfile.gettempdir())
    yield from (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - made exclusively, by mkdtemp


def _fits(folder: Path) -> bool:
    """Whether a socket in `folder` has a path that the kernel takes, and libpq: no list to it."""
    path = os.fsencode(folder / SOCKET_FILE)
    return len(path) <= _LONGEST_SOCKET_PATH and b"," not in path


def _is_private(folder: Path, account: Account) -> bool:
    """Whether `folder` is a folder of the account's that nobody else may enter."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    status = folder.stat()
    return status.st_uid == account.uid and status.st_mode & 0o077 == 0


def _remove(path: Path) -> None:
    """Remove a link, or a folder of sockets, if it is there."""
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
