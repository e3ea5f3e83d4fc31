"""The simulated exchange in a process of its own, which ends with the one that started it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import requests

from simulator.clock import by_request, still
from simulator.manners import AT_ONCE
from simulator.market import Market
from simulator.server import serve
from warehouse.settings import PROJECT_ROOT

SEED = 7
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class RunningExchange:
    """The way to the process."""

    url: str

    def advance(self, minutes: float) -> datetime:
        """Let the market go on, and return its time."""
        answer = requests.post(
            f"{self.url}/simulator/advance", json={"minutes": minutes}, timeout=_SECONDS_TO_ANSWER
        )
        answer.raise_for_status()
        return datetime.fromisoformat(answer.json()["now"])


@contextmanager
def exchange_process(
    offers: int | None, fiats: tuple[str, ...] | None, *, moves: bool
) -> Iterator[RunningExchange]:
    """Serve a market of about `offers` offers while the context is open, as fast as it can.

    Args:
        offers: None for as many as the real exchange has in these fiats.
        fiats: None for all.
        moves: whether it moves while it is read, by what a page takes at the default pace; else
            it stands still until `advance`, so that a cycle may find nothing new.
    """
    arguments = json.dumps({"offers": offers, "fiats": fiats, "moves": moves})
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.exchange", arguments],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError("the exchange did not start: see the lines above")
            yield RunningExchange(url)
        finally:
            process.terminate()


def _end_with_parent() -> None:
    """The pipe from the parent ends with it, however it ended."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve until told to stop, or until nobody is left to serve."""
    told = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(
        Market(SEED, fiats=told["fiats"], offers=told["offers"]),
        on_ready=lambda exchange: print(exchange.url, flush=True),
        clock=by_request() if told["moves"] else still(),
        manners=AT_ONCE,
    )


if __name__ == "__main__":
    main()
