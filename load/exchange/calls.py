"""The exchange's API: its endpoints, its envelope, and a typed reason for whatever goes wrong.

An answer leaves this room cleaned (see `load.text`), parsed once and of the expected outer shape;
or as `CallFailed` with one of the reasons: `http_429`, `http_503` …, `challenge_405` … (a web
firewall's, see `_is_challenge`), those of `load.exchange.client` (`timeout`, `connection`, `cut`,
`too_large`, `not_json`), `too_deep`, `number_out_of_range`, `wrong_shape`, `not_successful`,
`code_000002` … .
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

from load.exchange.client import Client, Limits, Refused, Reply, has_body
from load.exchange.envelope import Unreadable, parse
from load.pace.pacer import Pacer
from load.text import printable
from ops.tally import UNDERSTOOD, Tally, outcome_of
from warehouse.clock import utc_now

log = logging.getLogger(__name__)

# `public` instead of `friendly` answers too, with an empty market: a dead twin.
SEARCH = "/bapi/c2c/v2/friendly/c2c/adv/search"
FIATS = "/bapi/c2c/v1/friendly/c2c/trade-rule/fiat-list"
CONFIG = "/bapi/c2c/v2/friendly/c2c/portal/config"
CONDITIONS = "/bapi/c2c/v2/public/c2c/adv/filter-conditions"

ROWS = 20  # the practical maximum; above it the exchange refuses or caps in silence
LIMITS = Limits()
TRIES = 5
FINAL = frozenset({"code_000002"})  # "illegal parameter": asking again gives the same answer
_LONGEST_WAIT = 7 * 86_400.0
_CODE = re.compile(r"[A-Za-z0-9_-]{1,20}")
_HTTP_OK = 200
_FIREWALL = "x-amzn-waf-action"
_SIMULATED = "X-P2P-Simulated"  # of every answer of `simulator`
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[!?a-z]", re.I)
_DEAD_AFTER = 3  # tries at an address where nobody has ever answered
_LARGEST_COUNT = 2**31
_ODD_ADS = 3


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


class Exchange:
    """A client of one cycle, for several threads: one connection each, one pacer for all."""

    def __init__(
        self,
        base_url: str,
        pacer: Pacer,
        *,
        user_agent: str = "p2p-market-warehouse",
        api_key: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
    ) -> None:
        """Take no connection yet; `api_key` is sent with every request and never logged."""
        self.pacer = pacer
        self.understood = 0
        self.is_simulated: bool | None = None
        """Whether the answers say that they are a simulated exchange's; None before the first."""
        self.last_failure = ""
        self.bytes_read = 0
        self.tally = Tally()
        self._base = base_url.rstrip("/")
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
        }
        if api_key:
            self._headers["X-MBX-APIKEY"] = api_key
        self._clock, self._limits = clock, limits or LIMITS
        self._own = threading.local()
        self._clients: list[Client] = []
        self._illegal = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients:
            client.close()

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
        for number in range(1, TRIES + 1):
            if number > 1 or not has_turn:
                self.pacer.admit(stop)
            try:
                return self._admitted(path, body, check, stop, number)
            except Refused as refusal:
                if failure := self._is_hopeless(refusal.reason, number):
                    raise failure(refusal.reason, number) from refusal
            self.pacer.back_off(number, stop)
        raise AssertionError("the last try returns or raises")

    def _admitted(
        self,
        path: str,
        body: bytes,
        check: Callable[[Any], bool],
        stop: threading.Event,
        number: int,
    ) -> Answer:
        """One attempt that the pacer has let out; the pacer and the tally learn how it ended.

        Raises:
            Refused: nothing can be made of what came.
            Stopped: `stop` was set meanwhile.
        """
        started = time.perf_counter()
        try:
            answer = self._attempt(path, body, check, stop, number)
        except Refused as refusal:
            self.tally.add(outcome_of(refusal.reason), time.perf_counter() - started)
            self.pacer.failed(refusal.reason, refusal.retry_after)
            self.last_failure = refusal.reason
            log.info(
                "attempt failed",
                extra={
                    "reason": refusal.reason,
                    "path": path,
                    "attempt": number,
                    "asked": printable(body.decode()),
                },
            )
            raise
        except BaseException:
            self.tally.add("stopped", time.perf_counter() - started)
            self.pacer.abandoned()
            raise
        self.tally.add(UNDERSTOOD, time.perf_counter() - started)
        self.pacer.succeeded()
        with self._lock:
            self.understood += 1
        return answer

    def _is_hopeless(self, reason: str, number: int) -> type[CallFailed] | None:
        """What to raise instead of trying again, after so many tries with this as the last."""
        if reason in FINAL:
            # Of one question, so the next may be understood: unless it goes on like that.
            with self._lock:
                self._illegal += 1
            is_dead = not self.understood and self._illegal >= TRIES
            return Unreachable if is_dead else CallFailed
        if self.understood:
            return CallFailed if number == TRIES else None
        return Unreachable if number >= self._patience(reason) else None

    def _patience(self, reason: str) -> int:
        """Tries of a call while nothing was ever understood."""
        if reason == "connection":
            return _DEAD_AFTER
        return 2 if self.pacer.breaker.state == "open" else TRIES

    def _attempt(
        self,
        path: str,
        body: bytes,
        check: Callable[[Any], bool],
        stop: threading.Event,
        number: int,
    ) -> Answer:
        requested_at = self._clock()
        reply = self._client().post(path, body, stop)
        received_at = self._clock()
        with self._lock:
            self.bytes_read += len(reply.body)
        document, landed, cleaned = _understood(reply)
        if not check(document.get("data")):
            raise Refused("wrong_shape")
        self.is_simulated = _SIMULATED in reply.headers
        return Answer(
            landed,
            document["data"],
            _count(document.get("total")),
            cleaned,
            requested_at,
            received_at,
            number,
        )

    def _client(self) -> Client:
        """This thread's own."""
        client: Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = Client(self._base, self._headers, self._limits)
            with self._lock:
                self._clients.append(client)
        return client


def _understood(reply: Reply) -> tuple[dict[str, Any], bytes, int]:
    """The envelope of an answer that is what was asked for, the bytes that may land, and cleaned.

    Raises:
        Refused: it is none.
    """
    status, retry_after = reply.status, _retry_after(reply.headers)
    if not has_body(status):
        raise Refused(f"http_{status}", retry_after)
    if _is_challenge(reply):
        raise Refused(f"challenge_{status}", retry_after)
    try:
        document, landed, cleaned = parse(reply.body)
    except Unreadable as failure:
        reason = failure.reason if status == _HTTP_OK else f"http_{status}"
        raise Refused(reason) from None
    code = document.get("code") if isinstance(document, dict) else None
    if code != "000000" and isinstance(code, str | int):
        text = str(code)
        raise Refused(f"code_{text if _CODE.fullmatch(text) else 'unreadable'}")
    if status != _HTTP_OK:
        raise Refused(f"http_{status}")
    if code != "000000":
        raise Refused("wrong_shape")
    if document.get("success") is False:
        raise Refused("not_successful")
    return document, landed, cleaned


def _is_challenge(reply: Reply) -> bool:
    """Whether a web firewall asks for proof of a browser, which is as final as 403.

    The documented ones are 202 and 405 with the firewall's header; in front of it others answer
    with a page for people, or with nothing. None of it is a thing that the API itself says.
    """
    if _FIREWALL in reply.headers:
        return True
    if reply.status in (202, 405):
        return not reply.body.strip() or _MARKUP.match(reply.body) is not None
    return reply.status == _HTTP_OK and _MARKUP.match(reply.body) is not None


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
    """Seconds that the exchange asks to wait: a number, or a date (RFC 9110, 10.2.3).

    A date counts from the server's own, where it says one: the clocks need not agree.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    until = _moment(text)
    if until is None:
        return None
    now = _moment(headers.get("Date", "")) or utc_now()
    return max(0.0, min((until - now).total_seconds(), _LONGEST_WAIT))


def _moment(text: str) -> datetime | None:
    """What an HTTP date says."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
