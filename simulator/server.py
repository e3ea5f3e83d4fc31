"""The exchange on a loopback port: HTTP/1.1, keep-alive, gzip, any number of clients at once."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread
from types import FrameType

from simulator import outside
from simulator.answers import (
    ENDPOINTS,
    Illegal,
    Response,
    answer,
    illegal,
    not_found,
    read_body,
    spoilt,
    what_is_asked,
)
from simulator.clock import Clock, by_request, by_wall_clock
from simulator.control import control, tell
from simulator.faults import Asked, Fault, Faults
from simulator.manners import AT_ONCE, REAL, Manners, Throttle
from simulator.source import Source
from simulator.wire import Server


class Exchange:
    """A source served over HTTP while the context is open.

    Attributes:
        requests: how many requests came, by endpoint: search, twin, fiat-list, portal-config,
            filter-conditions, unknown (a wrong path); and of the two other hosts: rates, spot.
        times: `time.monotonic()` of each of the exchange's, in order of arrival.
        faults: what goes wrong; may be replaced or set to None at any time.
        clock: how the market's time passes while it is read; may be replaced at any time.
        in_flight_peak: the most requests to the exchange that were under way at once.
    """

    def __init__(
        self,
        source: Source,
        faults: Faults | None = None,
        port: int = 0,
        *,
        clock: Clock | None = None,
        manners: Manners = AT_ONCE,
    ) -> None:
        """Prepares to serve `source` on 127.0.0.1.

        Args:
            source: a market or a replay.
            faults: what goes wrong, nothing by default.
            port: 0 takes a free one.
            clock: how the source's time passes while it is read; by default each page of the
                search takes what it takes at the default pace. `still()` has it stand still.
            manners: how long an answer takes and who is refused; by default none and nobody, for
                tests do not wait.
        """
        self.source = source
        self.faults = faults
        self.clock = clock or by_request()
        self.requests: Counter[str] = Counter()
        self.times: list[float] = []
        self.in_flight_peak = 0
        self._port = port
        self._manners = manners
        self._throttle = Throttle(manners)
        self._lock = Lock()
        self._in_flight = 0
        self._closing = Event()
        self._server: Server | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Exchange:
        """Starts to serve.

        Raises:
            OSError: if the port is taken.
        """
        self._closing.clear()
        self._server = Server(self, self._port)
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.05,), name="exchange", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops serving and drops every connection."""
        self._closing.set()
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.drop_connections()
            self._server.server_close()

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the exchange serves only inside its context")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def advance(self, minutes: float = 0.0) -> None:
        """Move the market's clock, or a replay to its next frame."""
        self.source.advance(minutes)

    def drop_connections(self) -> None:
        """Hang up on everybody, in the middle of whatever they are told; they may come again."""
        if self._server:
            self._server.drop_connections()

    def most_requests_within(self, seconds: float) -> int:
        """The largest number of requests in any window of this length, to check pacing by."""
        most, first = 0, 0
        for last, at in enumerate(self.times):
            while self.times[first] <= at - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    @contextlib.contextmanager
    def counted(self, endpoint: str) -> Iterator[None]:
        """Count a request while it is answered."""
        with self._lock:
            self.requests[endpoint] += 1
            self.times.append(time.monotonic())
            self._in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def respond(self, path: str, body: bytes) -> tuple[Response | None, Fault | None]:
        """The answer to a request of the API, and the fault in it; no answer means hang up."""
        endpoint = ENDPOINTS.get(path)
        if refusal := self._throttle.refusal():
            return spoilt(refusal, illegal()), refusal
        self.stall(self._manners.seconds(self.source.seed, len(self.times)))
        if endpoint is None:
            return not_found(path), None
        try:
            request = read_body(body)
            faults, asked = self.faults, what_is_asked(endpoint, request)
            fault = faults.draw(asked) if faults else None
            if fault and fault.kind in ("timeout", "reset"):
                return None, fault
            self.source.pass_time(self.clock(endpoint))
            wrong = faults.of_book(asked) if faults else None
            honest = answer(endpoint, request, self.source, wrong)
        except Illegal:
            return illegal(), None
        return (spoilt(fault, honest) if fault else honest), fault

    def respond_outside(self, path: str, query: str) -> tuple[Response | None, Fault | None]:
        """The same for a request to one of the hosts beside the exchange."""
        endpoint = outside.OUTSIDE[path]
        with self._lock:
            self.requests[endpoint] += 1
        self.stall(self._manners.seconds(self.source.seed, self.requests[endpoint]))
        fault = self.faults.draw(Asked(endpoint)) if self.faults else None
        if fault and fault.kind in ("timeout", "reset"):
            return None, fault
        self.source.pass_time(self.clock(endpoint))
        honest = outside.answer(endpoint, query, self.source)
        return (spoilt(fault, honest) if fault else honest), fault

    def stall(self, seconds: float) -> None:
        """Keep one client waiting, at most until the exchange closes."""
        if seconds:
            self._closing.wait(seconds)

    def control(self, path: str, body: bytes) -> Response:
        """The answer to a request about the simulator itself."""
        self.source.pass_time(self.clock("simulator"))
        return control(self, path, body)

    def tell(self, path: str, query: str) -> Response:
        """The answer to a question about the simulator itself."""
        self.source.pass_time(self.clock("simulator"))
        return tell(self, path, query)


def serve(
    source: Source,
    faults: Faults | None = None,
    port: int = 0,
    on_ready: Callable[[Exchange], None] | None = None,
    *,
    clock: Clock | None = None,
    manners: Manners = REAL,
) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is called once requests are answered.

    As the real exchange would, unless `clock` and `manners` say otherwise: the market moves by the
    clock on the wall, an answer takes its time, and haste is refused. Must run in the main thread,
    for the signals' sake.

    Raises:
        OSError: if the port is taken.
    """
    stop = Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with Exchange(
            source, faults, port, clock=clock or by_wall_clock(), manners=manners
        ) as exchange:
            if on_ready:
                on_ready(exchange)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
