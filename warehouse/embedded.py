"""The embedded PostgreSQL: one server a home, up while any command needs it.

Who is here is kept by file locks, which the kernel drops with the process, however it ends:
every command that has the warehouse open shares `clients.lock`, and whoever is just starting or
stopping the server holds `start.lock`. The last command to leave stops the server. A killed one
cannot, and leaves it running for the next.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.errors import UserError
from warehouse.files import make_home
from warehouse.premises import settle
from warehouse.server import Server

_PATIENCE = 180.0  # seconds that a command waits for another one to start or stop the server


@contextmanager
def embedded_server(home: Path) -> Iterator[Path]:
    """The folder of the server's socket, with the server up while the context is open.

    Raises:
        UserError: the server cannot be started; the line says why and what to do.
    """
    caller = os.getpid()
    with _explained(home):
        make_home(home)
        presence = _open(home / "clients.lock")
        try:
            with _start_lock(home):
                fcntl.flock(presence, fcntl.LOCK_SH)
                server = Server(settle(home))
                server.ensure_running()
        except BaseException:
            os.close(presence)
            raise
    try:
        yield server.socket_folder
    finally:
        if os.getpid() == caller:  # not in a forked child, whose parent still needs the server
            with _explained(home), _start_lock(home):
                _leave(presence, server)


def erase(home: Path) -> None:
    """Remove the database of `home` and all that was made for it, wherever it stands.

    Removing the home by hand would leave behind data that had to be kept elsewhere.

    Raises:
        UserError: another command has the warehouse open.
    """
    if not (home / "clients.lock").exists():
        return
    with _explained(home), _start_lock(home):
        presence = _open(home / "clients.lock")
        try:
            fcntl.flock(presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Server(settle(home)).erase()
        except BlockingIOError:
            raise UserError(f"Another command has the database in {home} open: end it.") from None
        finally:
            os.close(presence)


def _leave(presence: int, server: Server) -> None:
    """Give up our share of the clients' lock, and stop the server if nobody else has one.

    To take the lock whole is to know that nobody shares it.
    """
    try:
        fcntl.flock(presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(presence, fcntl.LOCK_UN)
    else:
        server.stop()
    finally:
        os.close(presence)


@contextmanager
def _start_lock(home: Path) -> Iterator[None]:
    """Be the only one who starts or stops the server of `home`."""
    descriptor = _open(home / "start.lock")
    try:
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise UserError(
                        f"Another command has been starting or stopping the database in {home} "
                        f"for {_PATIENCE:.0f} s: end it, or set P2P_HOME to another folder."
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Open a lock file, for reading only: so another user of the same home can lock it as well.

    Python's descriptors are not passed on to programs, so the server never holds a lock itself.
    """
    return os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    """Turn what a file system refuses into a line for the user."""
    try:
        yield
    except OSError as error:
        place = error.filename or home
        raise UserError(
            f"P2P_HOME={home} cannot be used ({place}: {error.strerror}): "
            "fix that, or set P2P_HOME to another folder."
        ) from None
