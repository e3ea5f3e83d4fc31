"""Prefect's own server, started once for many runs rather than by each for itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS_TO_START = 120


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """The address of its API, which runs that are started while the context is open go to.

    Before `prefect` is imported, since that is when it looks for its home. The environment is as
    it was afterwards. Prefect has one such server a process: whoever comes second is given the
    first one's, and leaves it running.
    """
    from flows import prefect_home

    before = dict(os.environ)
    home.mkdir(parents=True, exist_ok=True)
    prefect_home.prepare(home)
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer()
    is_ours = not server.running
    server.start(timeout=_SECONDS_TO_START)
    os.environ["PREFECT_API_URL"] = server.api_url
    try:
        yield server.api_url
    finally:
        if is_ours:
            server.stop()
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
