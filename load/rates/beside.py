"""Two hosts beside the exchange: official daily rates, and spot prices.

Each is asked once a cycle at most, one try, while the books are read; what fails is a reading
without rows and with a reason, and never a failed cycle: the marts carry forward what they have.
Reasons: `http_503` …, those of `load.exchange.client`, `too_deep`, and those of the modules
`official_rates` and `spot_prices`.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from load.exchange.client import Client, Limits, Refused
from load.pace.pacer import Stopped
from load.text import clean, printable

log = logging.getLogger(__name__)

LIMITS = Limits(seconds=8.0, connect_seconds=3.0, silent_seconds=5.0)
WAIT_SECONDS = 10.0
"""How long a cycle that has read its books waits for these, from when they were asked."""
_NAMED = 5  # of what was left out, in the log


@dataclass
class PriceReading:
    """One row of `staging.price_readings` and the rows that it brings."""

    kind: str
    """`official_rates` or `spot_prices`: the table of its rows."""
    source: str
    read_at: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What was refused of it, by name and reason, such as `VES: not_positive`."""
    published_at: datetime | None = None
    """When the source says it was renewed."""
    next_at: datetime | None = None
    """When the source says it will be."""
    is_unchanged: bool = False
    """The source has published nothing since what landed: no rows."""
    reason: str | None = None

    @property
    def reading_id(self) -> str:
        """Readable and unique."""
        return f"{self.kind}-{self.source}-{self.read_at:%Y%m%dT%H%M%S.%fZ}"

    @property
    def outcome(self) -> str:
        """What it came to: `landed`, `unchanged`, or why not."""
        return self.reason or ("unchanged" if self.is_unchanged else "landed")

    def refuse(self, reason: str) -> None:
        """Keep the row and let the entries go."""
        self.rows, self.reason = [], reason


class Host:
    """One of the two hosts, for one job."""

    def __init__(self, base_url: str, user_agent: str, stop: threading.Event) -> None:
        """Ask nothing yet; once `stop` is set, no answer is waited for."""
        headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "gzip"}
        self._client, self._stop = Client(base_url, headers, LIMITS), stop

    def get_json(self, path: str, query: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """The status and the document of one GET.

        Raises:
            Refused: there is none, or its status is neither 200 nor 400.
            Stopped: nobody waits for it any more.
        """
        reply = self._client.get(path, self._stop, query)
        if reply.status not in (200, 400):
            raise Refused(f"http_{reply.status}")
        try:
            return reply.status, orjson.loads(clean(reply.body)[0])
        except orjson.JSONDecodeError as error:
            raise Refused("too_deep" if "depth" in str(error) else "not_json") from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


Job = Callable[[PriceReading, Host], None]
"""Fills a reading from what a host answers; raises `Refused`."""


class Beside:
    """What is asked of the two hosts in one cycle, in threads that nobody has to wait for."""

    def __init__(self, user_agent: str) -> None:
        """Ask nothing yet."""
        self._user_agent, self._stop = user_agent, threading.Event()
        self.outcomes: dict[str, str] = {}
        """By kind: `landed`, `unchanged`, `current` (what has landed holds), `off`, or why not."""
        self._asked: list[tuple[PriceReading, threading.Thread, list[PriceReading]]] = []
        self._give_up_at = 0.0

    def ask(self, reading: PriceReading, base_url: str, job: Job) -> None:
        """Begin to fill a reading."""
        done: list[PriceReading] = []

        def work() -> None:
            host = Host(base_url, self._user_agent, self._stop)
            try:
                job(reading, host)
            except Refused as refusal:
                reading.refuse(refusal.reason)
            except Stopped:
                reading.refuse("timeout")
            except Exception:
                # Strangers' content must not cost the cycle, whatever it is.
                log.exception("answer not understood", extra={"source": reading.source})
                reading.refuse("not_understood")
            finally:
                host.close()
            done.append(reading)

        thread = threading.Thread(target=work, name=reading.kind, daemon=True)
        self._asked.append((reading, thread, done))
        self._give_up_at = time.monotonic() + WAIT_SECONDS
        thread.start()

    def collect(self, is_stopping: bool = False) -> list[PriceReading]:
        """The readings, filled or refused; waits no longer than `WAIT_SECONDS` from the asking."""
        collected = []
        for begun, thread, done in self._asked:
            thread.join(0.0 if is_stopping else max(0.0, self._give_up_at - time.monotonic()))
            reading = (
                done[0]
                if done
                # The thread may still write into the one that it was given.
                else PriceReading(begun.kind, begun.source, begun.read_at, reason="timeout")
            )
            collected.append(reading)
            self.outcomes[reading.kind] = reading.outcome
            _tell(reading)
        self._asked = []
        self._stop.set()
        return collected


def _tell(reading: PriceReading) -> None:
    what = {"source": reading.source, "outcome": reading.outcome, "rows": len(reading.rows)}
    log.log(logging.WARNING if reading.reason else logging.INFO, reading.kind, extra=what)
    if reading.left_out:
        log.warning(
            "entries left out",
            extra={
                "source": reading.source,
                "entries": len(reading.left_out),
                "first": shown(reading.left_out),
            },
        )


def shown(left_out: Iterable[str]) -> str:
    """The first of what was left out, as a terminal can be trusted with it."""
    return printable("; ".join(list(left_out)[:_NAMED]), 300)
