"""The HTTP client of all that is asked outside: bounded in time, in bytes, and in what it raises.

An attempt lasts from the look-up of the host's name to the last byte of the body, and no longer
than its limit, whatever the other side sends meanwhile: every wait for a byte is cut into short
ones, and between them it is looked at the clock, at what has come, and whether the caller stops.
Looking a name up and connecting cannot be cut, so they happen in a thread that can be left. See
docs/adr/0005-requests.md.

Redirects are not followed, and their bodies not read: a 302 is an answer like any other.
"""

import http.client
import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, ClassVar

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3.connection import HTTPConnection

from load.pace.pacer import Stopped

log = logging.getLogger(__name__)

LARGEST_BODY = 5_000_000  # bytes, unpacked: eighty times a page, and parsed some 50 MB
FORBIDDING = frozenset({403, 418, 429, 451})
_NAP_SECONDS = 0.25  # a stop is heeded within this time
_CHUNK = 1 << 16
_MOST_COOKIES, _LONGEST_COOKIES = 50, 8_000


@dataclass(frozen=True)
class Limits:
    """What one attempt may take."""

    seconds: float = 30.0
    """From looking up the name to the last byte."""
    connect_seconds: float = 5.0
    """For each address that the name has."""
    silent_seconds: float = 15.0
    """Without a single byte."""
    stop_seconds: float = 1.0
    """From when the caller stops: an answer that is coming in may be whole within them."""
    body: int = LARGEST_BODY
    """Bytes of the body, unpacked."""
    received: int = 2 * LARGEST_BODY
    """Bytes of all that comes in: headers, framing, what unpacks to nothing."""


class Refused(Exception):
    """An attempt, or an answer, that nothing can be made of; `reason` is a short name for why."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """Keep the reason, and the seconds that the other side asks to wait."""
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True)
class Reply:
    """An answer; `body` is unpacked, and empty where `has_body` says that it was not read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def has_body(status: int) -> bool:
    """Whether the body of such an answer is read: not what redirects, forbids or breaks down."""
    return 200 <= status < 300 or (400 <= status < 500 and status not in FORBIDDING)


class Client:
    """One connection to one host, kept between attempts; for one thread at a time."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str], limits: Limits | None = None
    ) -> None:
        """Take no connection yet; `headers` go out with every request."""
        self._base, self._headers = base_url, dict(headers)
        self._limits = limits or Limits()
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=1)
        # Asked once what the surroundings say of proxies and certificates; a password that the
        # user keeps for the host is not theirs to have.
        surroundings = requests.Session().merge_environment_settings(base_url, {}, None, None, None)
        self._proxies = dict(surroundings["proxies"])
        self._verify: Any = surroundings["verify"]
        self._cookies = RequestsCookieJar()
        self._prepared: dict[str, requests.PreparedRequest] = {}

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()

    def get(
        self, path: str, stop: threading.Event, query: Mapping[str, str] | None = None
    ) -> Reply:
        """Ask with GET.

        Raises:
            Refused: see `_ask`.
            Stopped: as there.
        """
        request = requests.Request("GET", self._base + path, self._headers, params=query)
        return self._ask(request.prepare, stop)

    def post(self, path: str, body: bytes, stop: threading.Event) -> Reply:
        """Ask with POST.

        Raises:
            Refused: see `_ask`.
            Stopped: as there.
        """

        def prepare() -> requests.PreparedRequest:
            # But for its body the request of a path is the same each time, and made once.
            if path not in self._prepared:
                request = requests.Request("POST", self._base + path, self._headers)
                self._prepared[path] = request.prepare()
            prepared = self._prepared[path].copy()
            prepared.prepare_body(body, None)
            return prepared

        return self._ask(prepare, stop)

    def _ask(self, prepare: Callable[[], requests.PreparedRequest], stop: threading.Event) -> Reply:
        """One attempt.

        The adapter is asked, not a session: that one takes a redirect's body in, however large,
        and resolves its address, however odd, even when told not to follow it.

        Raises:
            Refused: `timeout`, `too_large`, `not_json` (what cannot be unpacked), `cut` (within
                the body) or `connection` (before it).
            Stopped: `stop` is set, and the answer was not whole soon after.
        """
        if stop.is_set():
            raise Stopped
        self._adapter.attempt = _Attempt(self._limits, stop)
        broken = "connection"
        try:
            request = prepare()
            self._add_cookies(request)
            with self._adapter.send(
                request,
                stream=True,
                timeout=(self._limits.connect_seconds, self._limits.silent_seconds),
                verify=self._verify,
                proxies=self._proxies,
            ) as response:
                broken = "cut"
                self._cookies.update(response.cookies)
                status = response.status_code
                body = self._read(response.raw) if has_body(status) else b""
                return Reply(status, response.headers, body)
        except (Refused, Stopped):
            raise
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise Refused("timeout") from error
        except urllib3.exceptions.DecodeError as error:
            raise Refused("not_json") from error
        except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
            raise Refused(broken) from error
        except Exception as error:
            # Whatever else a library makes of a stranger's bytes costs this attempt alone.
            log.exception("answer not understood")
            raise Refused(broken) from error

    def _read(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        parts, size = [], 0
        while part := raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > self._limits.body:
                raise Refused("too_large")
        return b"".join(parts)

    def _add_cookies(self, request: requests.PreparedRequest) -> None:
        if not self._cookies:
            return
        request.prepare_cookies(self._cookies)
        is_long = len(request.headers.get("Cookie", "")) > _LONGEST_COOKIES
        if is_long or len(self._cookies) > _MOST_COOKIES:
            self._cookies.clear()
            request.headers.pop("Cookie", None)


class _Attempt:
    """How much time and how many bytes an attempt has left."""

    def __init__(self, limits: Limits, stop: threading.Event) -> None:
        self.limits = limits
        self._stop, self._is_stopping = stop, False
        self._ends = time.monotonic() + limits.seconds
        self._left = limits.received

    def nap(self) -> float:
        """Seconds that may be waited at a stretch; raises when nothing more may be waited for."""
        now = time.monotonic()
        if self._stop.is_set() and not self._is_stopping:
            self._is_stopping = True
            self._ends = min(self._ends, now + self.limits.stop_seconds)
        left = self._ends - now
        if left <= 0:
            raise Stopped if self._is_stopping else Refused("timeout")
        return min(left, _NAP_SECONDS)

    def count(self, size: int) -> None:
        """Take note of bytes that came in."""
        self._left -= size
        if self._left < 0:
            raise Refused("too_large")

    def wait_for(self, job: Callable[[], None], undo: Callable[[], None]) -> None:
        """Do `job` in a thread; who leaves before it is done has `undo` called after it."""
        done = Future[None]()

        def work() -> None:
            failure = None
            try:
                job()
            except BaseException as error:
                failure = error
            if not done.set_running_or_notify_cancel():
                undo()
            elif failure is not None:
                done.set_exception(failure)
            else:
                done.set_result(None)

        threading.Thread(target=work, name="connect", daemon=True).start()
        try:
            while not done.done():
                wait([done], self.nap())
        except BaseException:
            done.cancel()
            raise
        done.result()


class _Incoming(io.RawIOBase):
    """What a socket receives, within the bounds of an attempt."""

    def __init__(self, connected: socket.socket, attempt: _Attempt) -> None:
        self._socket, self._attempt = connected, attempt
        # The socket stays open until this is closed, also when its connection lets go of it.
        self._keeper = connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        began = time.monotonic()
        while True:
            self._socket.settimeout(self._attempt.nap())
            try:
                size = self._socket.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() - began >= self._attempt.limits.silent_seconds:
                    raise Refused("timeout") from None
            else:
                self._attempt.count(size)
                return size

    def close(self) -> None:
        self._keeper.close()
        super().close()


class _Wire:
    """A socket as `http.client` wants it of whom it reads an answer from."""

    def __init__(self, connected: socket.socket, attempt: _Attempt) -> None:
        self._incoming = _Incoming(connected, attempt)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._incoming)


class _Bounded(HTTPConnection):
    """A connection that is made, and read from, within the bounds of the attempt under way."""

    adapter: ClassVar["_Adapter"]

    def connect(self) -> None:
        """Look the name up, connect, greet proxies, shake hands: as the connection does it."""
        self.attempt = self.adapter.attempt
        self.attempt.wait_for(super().connect, self.close)

    def getresponse(self) -> Any:
        """The answer to the attempt under way, which may be another than that of `connect`."""
        self.attempt = self.adapter.attempt
        return super().getresponse()

    def response_class(  # type: ignore[override]
        self, connected: Any, method: str | None = None
    ) -> http.client.HTTPResponse:
        """What an answer is read with; also a proxy's to CONNECT."""
        wire: Any = _Wire(connected, self.attempt)
        return http.client.HTTPResponse(wire, method=method)


class _Adapter(HTTPAdapter):
    """Makes connections that keep to the bounds of `attempt`, to a host or through any proxy."""

    attempt: _Attempt

    def get_connection_with_tls_context(self, *options: Any, **named: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*options, **named)
        kind = pool.ConnectionCls
        if not issubclass(kind, _Bounded):
            pool.ConnectionCls = type("Bounded", (_Bounded, kind), {"adapter": self})
        return pool
