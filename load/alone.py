"""That nobody else loads: neither into this warehouse, nor with this folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.errors import UserError
from warehouse.postgres import Warehouse, Writer, single_writer

_PATIENCE = 3.0  # seconds, as for the lock in the warehouse


@contextmanager
def only_loader(home: Path, warehouse: Warehouse) -> Iterator[Writer]:
    """Be the only one who loads into `warehouse`, and who works in dlt's folder below `home`.

    The lock in the warehouse keeps loaders of one warehouse apart; two of different ones, started
    in one home, would share a state and land each other's packages. A file's lock is the kernel's,
    which drops it with the process; the file stands beside the folder, which may get lost.

    Raises:
        UserError: another process is at it, also after a short wait.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / "dlt.lock", os.O_RDONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(
            f"P2P_HOME={home} cannot be used ({error.filename}: {error.strerror}): "
            "fix that, or set P2P_HOME to another folder."
        ) from None
    try:
        give_up = time.monotonic() + _PATIENCE
        while not _is_locked(lock):
            if time.monotonic() > give_up:
                raise UserError(
                    f"Another process is loading already in P2P_HOME={home}: wait until it has "
                    "ended, or set P2P_HOME to another folder."
                )
            time.sleep(0.05)
        with single_writer(warehouse, "load") as writer:
            yield writer
    finally:
        os.close(lock)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
