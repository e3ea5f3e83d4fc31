"""Files that others read: there whole, or as they were before."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """A stream whose bytes become `file` when the context ends well, and nothing when it does not.

    Raises:
        OSError: the folder cannot be written, or is full.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("xb") as stream:
            yield stream
        os.replace(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)
