"""The exchange's API: its endpoints, its envelope, and a typed reason for whatever goes wrong.

An answer leaves this room cleaned (see `load.text`), parsed once and of the expected outer shape;
or as `CallFailed` with one of the reasons: `http_429`, `http_503` …, `timeout`, `connection`,
`cut`, `too_large`, `not_json`, `too_deep`, `number_out_of_range`, `wrong_shape`, `code_000002` … .
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter

from load.pacing import Pacer
from load.parsing import Unreadable, parse
from load.tally import UNDERSTOOD, Tally, outcome_of
from load.text import printable

log = logging.getLogger(__name__)

# `public` instead of `friendly` answers too, with an empty market: a dead twin.
SEARCH = "/bapi/c2c/v2/friendly/c2c/adv/search"
FIATS = "/bapi/c2c/v1/friendly/c2c/trade-rule/fiat-list"
CONFIG = "/bapi/c2c/v2/friendly/c2c/portal/config"
CONDITIONS = "/bapi/c2c/v2/public/c2c/adv/filter-conditions"

ROWS = 20  # the practical maximum; above it the exchange refuses or caps in silence
TRIES = 5
LARGEST_ANSWER = 5_000_000  # bytes, unpacked: eighty times a page, and parsed some 50 MB
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 5.0, 15.0, 60.0
_CHUNK = 1 << 16
_LONGEST_WAIT = 7 * 86_400.0
_CODE = re.compile(r"[A-Za-z0-9_-]{1,20}")
_HTTP_OK = 200
_DEAD_AFTER = 3  # tries at an address where nobody has ever answered
_LARGEST_COUNT = 2**31
_ODD_ADS = 3


def utc_now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Answer:
    """One understood answer: `body` as it is to land, `data` and `total` parsed out of it."""

    body: bytes
    data: Any
    total: int | None
    cleaned: int
    requested_at: datetime
    received_at: datetime
    attempts: int


class CallFailed(Exception):
    """A call gave up after its tries; `reason` is the last one's."""

    def __init__(self, reason: str, attempts: int) -> None:
        """Keep the reason, and how many attempts were paid for."""
        super().__init__(reason)
        self.reason = reason
        self.attempts = attempts


class Unreachable(CallFailed):
    """A call gave up, and the exchange has not answered anything sensible in this cycle."""


class _Refused(Exception):
    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Exchange:
    """A client of one cycle, for several threads: one connection each, one pacer for all."""

    def __init__(
        self,
        base_url: str,
        pacer: Pacer,
        *,
        api_key: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Take no connection yet; `api_key` is sent with every request and never logged."""
        self.pacer = pacer
        self.understood = 0
        self.last_failure = ""
        self.bytes_read = 0
        self.tally = Tally()
        self._base = base_url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        if api_key:
            self._headers["X-MBX-APIKEY"] = api_key
        self._clock = clock
        self._sessions = threading.local()
        self._all_sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        for session in self._all_sessions:
            session.close()

    def search(
        self,
        fiat: str,
        asset: str,
        side: str,
        page: int,
        stop: threading.Event,
        *,
        has_turn: bool = False,
    ) -> Answer:
        """One page of a book; `side` is the taker's. `data` is a list of offers with an ad."""
        body = {"fiat": fiat, "asset": asset, "tradeType": side, "page": page, "rows": ROWS}
        return self.call(SEARCH, body, _check_offers, stop, has_turn=has_turn)

    def fiats(self, stop: threading.Event) -> Answer:
        """The fiats that are listed. `data` is a list of objects."""
        return self.call(FIATS, {}, _check_items, stop)

    def config(self, fiat: str, stop: threading.Event) -> Answer:
        """What can be traded for a fiat. `data` is an object with the list `areas`."""
        return self.call(CONFIG, {"fiat": fiat}, _check_has_list("areas"), stop)

    def conditions(self, fiat: str, stop: threading.Event) -> Answer:
        """The payment methods of a fiat. `data` is an object with the list `tradeMethods`."""
        return self.call(CONDITIONS, {"fiat": fiat}, _check_has_list("tradeMethods"), stop)

    def call(
        self,
        path: str,
        payload: Mapping[str, object],
        check: Callable[[Any], bool],
        stop: threading.Event,
        *,
        has_turn: bool = False,
    ) -> Answer:
        """Ask until an answer is understood, at most `TRIES` times, each when the pacer lets it.

        With `has_turn` this thread was admitted by the pacer already, for the first of them.

        Raises:
            CallFailed: the tries are used up.
            Unreachable: so they are, and nothing was ever understood in this cycle.
            Stopped: while waiting for a turn.
        """
        body = orjson.dumps(payload)
        for attempt in range(1, TRIES + 1):
            if attempt > 1 or not has_turn:
                self.pacer.admit(stop)
            started = time.perf_counter()
            try:
                answer = self._attempt(path, body, check, attempt)
            except _Refused as refusal:
                self.tally.add(outcome_of(refusal.reason), time.perf_counter() - started)
                self.pacer.failed(refusal.reason, refusal.retry_after)
                self.last_failure = refusal.reason
                log.info(
                    "attempt failed",
                    extra={
                        "reason": refusal.reason,
                        "path": path,
                        "attempt": attempt,
                        "asked": printable(body.decode()),
                    },
                )
                dead = self.understood == 0 and attempt >= self._patience(refusal.reason)
                if dead or attempt == TRIES:
                    failure = CallFailed if self.understood else Unreachable
                    raise failure(refusal.reason, attempt) from refusal
                self.pacer.back_off(attempt, stop)
            except BaseException:
                self.tally.add("stopped", time.perf_counter() - started)
                self.pacer.abandoned()
                raise
            else:
                self.tally.add(UNDERSTOOD, time.perf_counter() - started)
                self.pacer.succeeded()
                with self._lock:
                    self.understood += 1
                return answer
        raise AssertionError("the last try returns or raises")

    def _patience(self, reason: str) -> int:
        if reason == "connection":
            return _DEAD_AFTER
        return 2 if self.pacer.breaker.state == "open" else TRIES

    def _attempt(
        self, path: str, body: bytes, check: Callable[[Any], bool], attempt: int
    ) -> Answer:
        requested_at = self._clock()
        raw, status = self._post(path, body)
        received_at = self._clock()
        try:
            document, landed, cleaned = parse(raw)
        except Unreadable as failure:
            reason = failure.reason if status == _HTTP_OK else f"http_{status}"
            raise _Refused(reason) from None
        code = document.get("code") if isinstance(document, dict) else None
        if code != "000000" and isinstance(code, str | int):
            text = str(code)
            raise _Refused(f"code_{text if _CODE.fullmatch(text) else 'unreadable'}")
        if status != _HTTP_OK:
            raise _Refused(f"http_{status}")
        if code != "000000" or not check(document.get("data")):
            raise _Refused("wrong_shape")
        return Answer(
            landed,
            document["data"],
            _count(document.get("total")),
            cleaned,
            requested_at,
            received_at,
            attempt,
        )

    def _post(self, path: str, body: bytes) -> tuple[bytes, int]:
        # The key travels in a header that `requests` would carry along to another host.
        try:
            session = self._session()
            with session.send(
                self._prepared(session, path, body),
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                proxies=session.proxies,
            ) as response:
                if response.status_code in (403, 418, 429, 451) or response.status_code >= 500:
                    raise _Refused(f"http_{response.status_code}", _retry_after(response.headers))
                return self._read(response), response.status_code
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise _Refused("timeout") from error
        except urllib3.exceptions.DecodeError as error:
            raise _Refused("not_json") from error
        except urllib3.exceptions.HTTPError as error:  # in the body: the headers were understood
            raise _Refused("cut") from error
        except requests.RequestException as error:
            raise _Refused("connection") from error

    def _prepared(
        self, session: requests.Session, path: str, body: bytes
    ) -> requests.PreparedRequest:
        """The request of a page; but for its body it is the same each time, and made once."""
        known: dict[str, requests.PreparedRequest] = self._sessions.prepared
        if path not in known:
            known[path] = session.prepare_request(requests.Request("POST", self._base + path))
        request = known[path].copy()
        request.prepare_body(body, None)
        if session.cookies:
            request.prepare_cookies(session.cookies)
        return request

    def _read(self, response: requests.Response) -> bytes:
        """The body, as it comes: one that drips, or unpacks without end, is not waited for."""
        started, parts, size = time.monotonic(), [], 0
        while part := response.raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER:
                raise _Refused("too_large")
            if time.monotonic() - started > ANSWER_SECONDS:
                raise _Refused("timeout")
        with self._lock:
            self.bytes_read += size
        return b"".join(parts)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "own", None)
        if session is None:
            session = requests.Session()
            session.headers.update(self._headers)
            # Asked once what the surroundings say of proxies and certificates: `requests` would
            # ask before each page, and look for a password of the user's to send along.
            asked = session.merge_environment_settings(self._base, {}, None, None, None)
            session.proxies, session.verify = asked["proxies"], asked["verify"]
            session.trust_env = False
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1))
            self._sessions.own, self._sessions.prepared = session, {}
            with self._lock:
                self._all_sessions.append(session)
        return session


def _check_items(data: Any) -> bool:
    return isinstance(data, list) and all(isinstance(item, dict) for item in data)


def _check_offers(data: Any) -> bool:
    """One item without an ad, or ad without a number, is an odd one; a page of them another API."""
    if not _check_items(data):
        return False
    ads = (item["adv"] for item in data if isinstance(item.get("adv"), dict))
    return len(data) < _ODD_ADS or any("advNo" in ad for ad in ads)


def _check_has_list(key: str) -> Callable[[Any], bool]:
    def check(data: Any) -> bool:
        return isinstance(data, dict) and _check_items(data.get(key))

    return check


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_COUNT:
        return value
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the exchange asks to wait: a number, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, min(seconds, _LONGEST_WAIT))
