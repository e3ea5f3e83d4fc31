"""Faults on demand: the answers that a reader of the real exchange meets now and then.

Whether a request is hit depends on the seed, on what it asks for and on how often that was asked
before, never on the order in which requests that run side by side happen to arrive.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from simulator.chance import pick, share

NAMED = ("timeout", "cut", "reset", "shape", "empty", "notjson", "unsuccessful")
CHALLENGES = {"challenge200": 200, "challenge202": 202, "challenge405": 405}
"""A web firewall's, by the status that it comes with."""
OF_BOOKS = ("capped", "foreign", "mixed", "bare", "uncounted")
"""Of a share of the books, page for page, and not of a share of the requests."""
_HTML = b"<html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_CHALLENGE = b"<!doctype html><title>Just a moment...</title>"
_TITLES = {
    403: "403 Forbidden",
    418: "418 I'm a teapot",
    429: "429 Too Many Requests",
    451: "451 Unavailable For Legal Reasons",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: "504 Gateway Time-out",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for. `endpoint` is one of the keys of `Exchange.requests`."""

    endpoint: str
    fiat: str | None = None
    asset: str | None = None
    side: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to commit: its kind, and a chance in [0, 1) for choosing between its variants."""

    kind: str
    variant: float
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int | None:
        """The HTTP status of a fault that the CDN answers, None for the other kinds."""
        if self.kind in CHALLENGES:
            return CHALLENGES[self.kind]
        return int(self.kind) if re.fullmatch(r"[45]\d\d", self.kind) else None

    def cdn_body(self) -> bytes:
        """HTML, or for half of the 429s nothing at all: never the exchange's JSON."""
        if self.kind in ("challenge202", "challenge405"):
            return b""
        if self.kind == "challenge200":
            return _CHALLENGE
        if self.kind == "429" and self.variant < 0.5:
            return b""
        title = _TITLES.get(self.status or 0, self.kind).encode()
        return _HTML % (title, title)


class Faults:
    """Which requests fail and how; may be changed while the exchange serves.

    Attributes:
        enabled: whether any fault is committed.
        committed: how many of each kind were.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        seed: int = 0,
        *,
        stall: float = 1.0,
        retry_after: int | None = None,
        after: int = 0,
        only: Callable[[Asked], bool] | None = None,
    ) -> None:
        """Fail this share of the requests of each kind.

        Args:
            rates: kind to share of requests. Kinds: an HTTP status from 400 (`429`, `403`, `451`,
                `418`, `500` ...), six digits (HTTP 200 with that code, `000002`), `timeout`
                (a stall, then the connection is dropped), `cut` (less body than announced),
                `reset`, `shape` (JSON of another shape), `empty` (`data: []`), `notjson`,
                `unsuccessful` (`success: false` with "000000" and no data), and a firewall's
                `challenge202` and `challenge405` (an empty body) and `challenge200` (HTML).
                Of some kinds it is the share of the books, which they befall in every page:
                `capped` (10 rows a page at most), `foreign` (another pair's ads), `mixed` (some of
                another pair among its own), `bare` (some items without `adv`), `uncounted` (no
                `total`).
            seed: what the choice of requests derives from.
            stall: seconds that a time-out keeps the client waiting.
            retry_after: seconds that 429 and 418 tell the client to wait; unset, 429 says
                nothing, as the CDN does, and 418 says 120.
            after: how many searches are answered before anything fails.
            only: limits the faults to some requests.

        Raises:
            ValueError: one line, for an unknown kind or a share outside 0..1.
        """
        for kind, rate in rates.items():
            named = (*NAMED, *CHALLENGES, *OF_BOOKS)
            if kind not in named and not re.fullmatch(r"[45]\d\d|\d{6}", kind):
                raise ValueError(
                    f"faults: unknown kind {kind!r}; use an HTTP status from 400 to 599, "
                    f"a six-digit code, or one of {', '.join(named)}"
                )
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"faults: the share of {kind} is {rate}, not between 0 and 1")
        self.rates = dict(rates)
        self._of_books = {kind: rate for kind, rate in rates.items() if kind in OF_BOOKS}
        self._of_requests = {kind: rate for kind, rate in rates.items() if kind not in OF_BOOKS}
        for some in (self._of_books, self._of_requests):
            if sum(some.values()) > 1.0 + 1e-9:
                raise ValueError("faults: the shares add up to more than 1")
        self.seed = seed
        self.stall = stall
        self.retry_after = retry_after
        self.after = after
        self.only = only
        self.enabled = True
        self.committed: Counter[str] = Counter()
        self._asked: Counter[Asked] = Counter()
        self._searches = 0
        self._lock = Lock()

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Faults:
        """Faults from `429=0.1,cut=0.02`, with the options `stall=`, `retry-after=` and `after=`.

        Raises:
            ValueError: one line that says what cannot be read.
        """
        rates: dict[str, float] = {}
        options: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            kind, equals, value = (piece.strip() for piece in part.partition("="))
            try:
                number = float(value)
            except ValueError:
                number = -1.0
            if not equals or not 0.0 <= number < float("inf"):
                raise ValueError(f"faults: cannot read {part!r}; write kind=share, as 429=0.1")
            (options if kind in ("stall", "retry-after", "after") else rates)[kind] = number
        retry_after = options.get("retry-after")
        return cls(
            rates,
            seed,
            stall=options.get("stall", 1.0),
            retry_after=None if retry_after is None else int(retry_after),
            after=int(options.get("after", 0)),
        )

    def draw(self, asked: Asked) -> Fault | None:
        """The fault for this request, if any."""
        with self._lock:
            before = self._searches
            self._searches += asked.endpoint == "search"
            if before < self.after or not self._of_requests or not self._befalls(asked):
                return None
            self._asked[asked] += 1
            times = self._asked[asked]
            kind = pick(self._of_requests.items(), share(self.seed, asked, times))
            if kind is None:
                return None
            self.committed[kind] += 1
        headers = {}
        if kind in ("challenge202", "challenge405"):
            headers = {"x-amzn-waf-action": "challenge"}
        if kind in ("429", "418"):
            after = self.retry_after if kind == "429" else (self.retry_after or 120)
            headers = {} if after is None else {"Retry-After": str(after)}
        return Fault(kind, share(self.seed, "variant", asked, times), headers)

    def of_book(self, asked: Asked) -> str | None:
        """What is wrong with the book of this search, which was drawn for already."""
        with self._lock:
            if asked.endpoint != "search" or self._searches <= self.after:
                return None
            if not self._of_books or not self._befalls(asked):
                return None
            book = (asked.fiat, asked.asset, asked.side)
            kind = pick(self._of_books.items(), share(self.seed, "book", book))
            if kind is not None:
                self.committed[kind] += 1
            return kind

    def _befalls(self, asked: Asked) -> bool:
        return self.enabled and (self.only is None or self.only(asked))
