"""An empty database each, an exchange that says what a test wants, and time that never passes."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from load.book.drift import Watch
from load.book.readers import Readers
from load.book.reading import Reading
from load.exchange.calls import CONDITIONS, CONFIG, FIATS, SEARCH, Exchange
from load.land.state import Book, BookState
from load.pace.pacer import Pacer
from load.pipeline import run_cycle
from load.report import CycleReport
from tests.conftest import passing_server
from warehouse.postgres import Warehouse
from warehouse.settings import Settings, load_settings

Json = dict[str, Any]
Reply = bytes | tuple[int, bytes] | tuple[int, bytes, dict[str, str]]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class FakeTime:
    """Seconds that only pass by waiting: no test sleeps."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float, stop: threading.Event) -> None:
        with self._lock:
            self.seconds += seconds
            self.waits.append(seconds)


class Clock:
    """A wall clock that moves a second a look, and wherever a test sets it."""

    def __init__(self) -> None:
        self.now = NOON
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self.now += timedelta(seconds=1)
            return self.now

    def advance(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


def offer(number: int | str | None, price: str = "40.5", **adv: Any) -> Json:
    """An offer as the exchange sends it, with a few of its keys."""
    return {
        "adv": {
            "advNo": number if number is None else str(number),
            "price": price,
            "tradeMethods": [{"identifier": "Banesco", "tradeMethodName": "Banesco"}],
            **adv,
        },
        "advertiser": {"userNo": "s01", "nickName": "ana", "activeTimeInSecond": 5},
    }


def envelope(items: list[Json] | None, total: Any = None, **more: Any) -> bytes:
    """A page as the exchange sends it."""
    document = {"code": "000000", "message": None, "data": items, "total": total, "success": True}
    return orjson.dumps({**document, **more})


def pages(*replies: Reply) -> Any:
    """Answers page by page; a page past the last is honest."""
    return lambda _path, body, _times: (
        replies[body["page"] - 1] if body["page"] <= len(replies) else None
    )


class Stub:
    """An exchange whose books are lists of offers, and whose answers a test may replace."""

    def __init__(self) -> None:
        self.books: dict[tuple[str, str, str], list[Json]] = {}
        self.fiats: list[str] = []
        self.override: Callable[[str, Json, int], Reply | None] = lambda *_: None
        self.requests: list[tuple[str, Json]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.url = ""
        self.outside: dict[str, Reply | Callable[[str], Reply]] = {}
        """What the hosts beside the exchange answer, by path."""
        self.asked_outside: list[str] = []
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def put(self, name: str, offers: list[Json]) -> None:
        fiat, asset, side = name.split("-")
        self.books[fiat, asset, side] = offers
        self.fiats = sorted({*self.fiats, fiat})

    def searches(self) -> list[tuple[str, int]]:
        """Which pages were asked for, such as ('VES-USDT-BUY', 1)."""
        return [
            (f"{body['fiat']}-{body['asset']}-{body['tradeType']}", body["page"])
            for path, body in self.requests
            if path == SEARCH
        ]

    def answer(self, path: str, body: Json, headers: dict[str, str]) -> Reply:
        with self._lock:
            self.requests.append((path, body))
            self.headers.append(headers)
            key = f"{path}{orjson.dumps(body).decode()}"
            self._asked[key] += 1
            times = self._asked[key]
        replaced = self.override(path, body, times)
        return self._honest(path, body) if replaced is None else replaced

    def _honest(self, path: str, body: Json) -> Reply:
        if path == SEARCH:
            offers = self.books.get((body["fiat"], body["asset"], body["tradeType"]), [])
            first = (body["page"] - 1) * body["rows"]
            return envelope(offers[first : first + body["rows"]], len(offers))
        if path == FIATS:
            return envelope(
                [
                    {
                        "currencyCode": fiat,
                        "currencySymbol": "Bs.",
                        "currencyScale": 2,
                        "countryCode": fiat[:2],
                    }
                    for fiat in self.fiats
                ]
            )
        if path == CONFIG:
            sides = [
                {
                    "side": side,
                    "assets": [
                        {"asset": asset}
                        for fiat, asset, of_side in self.books
                        if fiat == body["fiat"] and of_side == side
                    ],
                }
                for side in ("BUY", "SELL")
            ]
            return envelope(None, data={"areas": [{"area": "P2P", "tradeSides": sides}]})
        if path == CONDITIONS:
            method = {
                "identifier": "Banesco",
                "tradeMethodName": "Banesco",
                "tradeMethodShortName": None,
            }
            return envelope(None, data={"tradeMethods": [method]})
        return 404, b'{"error":"no such path"}'


@contextmanager
def served() -> Iterator[Stub]:
    """A `Stub` behind a real port of this machine."""
    told = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            told.connections.add(self.client_address)
            body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(told.answer(self.path, body, dict(self.headers)))

        def do_GET(self) -> None:
            told.asked_outside.append(self.path)
            reply = told.outside.get(self.path.partition("?")[0], (404, b"{}"))
            self._send(reply(self.path) if callable(reply) else reply)

        def _send(self, reply: Reply) -> None:
            status, content, *more = reply if isinstance(reply, tuple) else (200, reply)
            self.send_response_only(status)  # with no time but what a test gives it
            headers = {"Content-Length": str(len(content)), **(more[0] if more else {})}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
            if int(headers["Content-Length"]) != len(content):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            """Who is told too much hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A `Stub` of the test's own."""
    with served() as told:
        yield told


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacer(time: FakeTime) -> Pacer:
    return Pacer(1_000, time=time, chance=Random(1))


@pytest.fixture
def exchange(stub: Stub, pacer: Pacer, clock: Clock) -> Iterator[Exchange]:
    client = Exchange(stub.url, pacer, clock=clock)
    yield client
    client.close()


@pytest.fixture
def read(exchange: Exchange, clock: Clock) -> Iterator[Any]:
    """Reads the book once, by one thread: so its pages are asked for in their order."""
    readers = Readers(exchange, clock, threading.Event(), Watch, in_flight=1)

    def read_once(known: BookState | None = None) -> Reading:
        reading = readers.submit(Book.named("VES-USDT-BUY"), known or BookState()).result(60)
        assert reading is not None
        return reading

    yield read_once
    readers.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with passing_server(tmp_path_factory.mktemp("server")) as warehouse:
        yield warehouse


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """The session's database, as empty as a new one."""
    with server.connect(autocommit=True) as connection:
        connection.execute("drop schema if exists staging cascade")
        connection.execute("drop schema if exists ops cascade")
    return server


class StoppedAsleep(threading.Event):
    """A stop that comes while it is waited for; who sleeps on anything else is not told of it."""

    def wait(self, timeout: float | None = None) -> bool:
        """Set it, as another thread would now, and wake as one does then."""
        self.set()
        return super().wait(timeout)


@dataclass
class Loader:
    """Runs cycles of the loader against the stub, one run id after the other."""

    settings: Settings
    warehouse: Warehouse
    clock: Clock
    time: FakeTime
    runs: int = 0
    options: Json = field(default_factory=dict)

    def run(self, **changes: Any) -> CycleReport:
        self.runs += 1
        options = {**self.options, **changes}
        settings = self.settings.model_copy(update=options.pop("settings", {}))
        return run_cycle(
            settings,
            options.pop("warehouse", self.warehouse),
            f"run{self.runs}",
            clock=options.pop("clock", self.clock),
            pacer=options.pop("pacer", Pacer(1_000, time=self.time, chance=Random(1))),
            **options,
        )

    def rows(self, query: str, *values: Any) -> list[Any]:
        with self.warehouse.connect() as connection:
            found = connection.execute(query.encode(), values or None).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def do(self, statement: str, *values: Any) -> None:
        with self.warehouse.connect(autocommit=True) as connection:
            connection.execute(statement.encode(), values or None)

    def snapshots(self, columns: str = "incomplete_reason") -> list[Any]:
        """One entry a snapshot that counts, in the order of reading."""
        return self.rows(
            f"select {columns} from staging.snapshots as s "
            "join staging._dlt_loads as l on l.load_id = s._dlt_load_id and l.status = 0 "
            "order by started_at, snapshot_id"
        )


@pytest.fixture
def loader(
    stub: Stub, warehouse: Warehouse, clock: Clock, time: FakeTime, tmp_path: Path
) -> Loader:
    settings = load_settings(
        database_url=None,
        home=tmp_path,
        api_url=stub.url,
        rates_url=None,
        spot_url=None,
        requests_per_second=1_000,
    )
    return Loader(settings, warehouse, clock, time)
