"""Answers that lie on the wire: each kind ends the attempt, by name, in time and within bounds."""

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import connection

from load.exchange.client import Client, Limits, Refused, Reply
from load.pace.pacer import Stopped
from tests.load.raw_server import HEADERS, PATIENCE, RawServer, raw_server

GO = threading.Event()
CHUNKED = HEADERS + b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
GZIP_HEADER = b"\x1f\x8b\x08\x08\0\0\0\0\0\0"  # says that a name follows, which ends with a NUL
EMPTY_MEMBER = gzip.compress(b"")
QUICK, PATIENT = Limits(seconds=0.1), Limits(seconds=PATIENCE, stop_seconds=0.05)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# By name: what is said first, and what is then said without end.
ENDLESS = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "header": (HEADERS + b"X-Long: ", b"a"),
    "headers": (HEADERS, b"X-More: a\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (HEADERS + b"Content-Length: 100000000\r\n\r\n", b" "),
    "body without a length": (HEADERS + b"\r\n", b" "),
    "chunk line": (CHUNKED + b"5;", b"a"),
    "gzip header": (CHUNKED + chunk(GZIP_HEADER), chunk(b"a")),
    "gzip members": (CHUNKED, chunk(EMPTY_MEMBER)),
    "gzip members of a length": (
        HEADERS + b"Content-Encoding: gzip\r\nContent-Length: 100000000\r\n\r\n",
        EMPTY_MEMBER,
    ),
    "trailer": (CHUNKED + chunk(gzip.compress(b"{}")) + b"0\r\nX-Long: ", b"a"),
    "trailers": (CHUNKED + chunk(gzip.compress(b"{}")) + b"0\r\n", b"X-More: a\r\n"),
}
ENDS_BY_ITSELF = {
    "header",
    "headers",
    "status line",
    "chunk line",
    "trailer",
}  # `http.client` counts


def saying(name: str, times: int = 1) -> Callable[[], Iterator[bytes]]:
    first, then = ENDLESS[name]
    return lambda: chain([first + then], repeat(then * times))


def ask(server: RawServer, limits: Limits, stop: threading.Event = GO) -> Reply:
    client = Client(server.url, {}, limits)
    try:
        return client.post("/", b"{}", stop)
    finally:
        client.close()


@pytest.mark.parametrize("name", ENDLESS)
def test_what_drips_without_end_is_ended_by_the_clock_and_hung_up_on(name: str) -> None:
    with raw_server(saying(name), pause=0.002) as server:
        began = time.monotonic()
        with pytest.raises(Refused, match="^timeout$"):
            ask(server, QUICK)
        assert time.monotonic() - began < PATIENCE / 4
        assert server.hung_up.wait(PATIENCE)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_stop_ends_an_attempt_at_once_whatever_comes_in(name: str) -> None:
    stop = threading.Event()
    with raw_server(saying(name), pause=0.01) as server:

        def stop_soon() -> None:
            server.was_heard.wait(PATIENCE)
            stop.set()

        threading.Thread(target=stop_soon).start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            ask(server, PATIENT, stop)
        assert time.monotonic() - began < PATIENCE / 4
        assert server.hung_up.wait(PATIENCE)


@pytest.mark.parametrize("name", sorted(set(ENDLESS) - ENDS_BY_ITSELF))
def test_what_pours_without_end_is_too_large_also_where_it_unpacks_to_nothing(name: str) -> None:
    limits = Limits(seconds=PATIENCE, body=1_000_000, received=1_000_000)
    with raw_server(saying(name, times=500)) as server:
        with pytest.raises(Refused, match="^too_large$"):
            ask(server, limits)
        assert server.hung_up.wait(PATIENCE)


@pytest.mark.parametrize("name", sorted(ENDS_BY_ITSELF))
def test_a_line_without_end_is_no_answer(name: str) -> None:
    with (
        raw_server(saying(name, times=5_000)) as server,
        pytest.raises(Refused, match="^(connection|cut)$"),
    ):
        ask(server, PATIENT)


def test_an_answer_that_is_coming_in_may_be_whole_after_a_stop() -> None:
    stop = threading.Event()

    def answer() -> Iterator[bytes]:
        yield HEADERS + b"Content-Length: 2\r\n\r\n["
        stop.set()
        yield b"]"

    with raw_server(answer, pause=0.01) as server:
        assert ask(server, Limits(stop_seconds=PATIENCE), stop).body == b"[]"
        with pytest.raises(Stopped):
            ask(server, Limits(), stop)
        assert len(server.heard) == 1, "and nothing more is asked"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "1",
                "-subj",
                "/CN=test",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_over_tls_it_is_the_same(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = tls
    parts = [HEADERS, b"Content-Length: 2\r\n\r\n[", b"]"]
    with raw_server(lambda: parts, tls=context) as server:
        with pytest.raises(Refused, match="^connection$"):
            ask(server, PATIENT)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert ask(server, PATIENT).body == b"[]"
    for name in ("status line", "body", "gzip header", "trailers"):
        with raw_server(saying(name), pause=0.002, tls=context) as server:
            with pytest.raises(Refused, match="^timeout$"):
                ask(server, QUICK)
            assert server.hung_up.wait(PATIENCE)
    stop = threading.Event()

    def answer() -> Iterator[bytes]:
        yield HEADERS + b"Content-Length: 9\r\n\r\n"
        stop.set()

    with raw_server(answer, tls=context) as server, pytest.raises(Stopped):
        ask(server, PATIENT, stop)


def test_silence_is_a_timeout_long_before_the_attempt_is_over() -> None:
    with raw_server(lambda: [HEADERS]) as server:
        began = time.monotonic()
        with pytest.raises(Refused, match="^timeout$"):
            ask(server, Limits(seconds=PATIENCE, silent_seconds=0.05))
        assert time.monotonic() - began < PATIENCE / 4
        assert server.hung_up.wait(PATIENCE)


def test_what_comes_slowly_within_the_limit_is_an_answer() -> None:
    parts = [HEADERS, b"Content-Length: 4\r\n\r\n", b"[", b"1", b"2", b"]"]
    with raw_server(lambda: parts, pause=0.01) as server:
        assert ask(server, Limits(seconds=PATIENCE, silent_seconds=5)).body == b"[12]"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [b"http://x/\xe9\xff", b"http://[::1", b"http://127.0.0.1:9/", b"//", b"\x00", b"/", b""],
)
def test_a_redirect_is_an_answer_whatever_it_names(status: int, location: bytes) -> None:
    said = b"HTTP/1.1 %d Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, location)
    with raw_server(lambda: [said]) as server:
        assert ask(server, PATIENT).status == status
        assert len(server.heard) == 1


@pytest.mark.parametrize("status", [302, 403, 418, 429, 451, 500, 503])
def test_the_body_of_a_redirect_or_a_refusal_is_not_taken_in(status: int) -> None:
    bomb = gzip.compress(bytes(2_000_000)) * 500
    said = b"HTTP/1.1 %d No\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    first = said % (status, 10 * len(bomb))
    with raw_server(lambda: chain([first], repeat(bomb, 10))) as server:
        reply = ask(server, PATIENT)
        assert (reply.status, reply.body) == (status, b"")
        assert server.hung_up.wait(PATIENCE)
        assert server.sent < 5 * len(bomb)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_looking_up_a_name_and_shaking_hands_count_too(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up, released = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo

    def hang(host: str, *options: int) -> object:
        if scheme == "http":
            looked_up.set()
            released.wait(PATIENCE)
        return resolve("127.0.0.1", *options)

    kept = list[socket.socket]()
    connect = connection.create_connection

    def keep(*options: Any, **named: Any) -> socket.socket:
        kept.append(connect(*options, **named))
        return kept[-1]

    monkeypatch.setattr("socket.getaddrinfo", hang)
    monkeypatch.setattr("urllib3.util.connection.create_connection", keep)
    with raw_server(lambda: []) as server:
        client = Client(f"{scheme}://name.invalid:{server.port}", {}, QUICK)
        began = time.monotonic()
        with pytest.raises(Refused, match="^timeout$"):
            client.get("/", GO)
        assert time.monotonic() - began < 4  # seconds for connecting are five
        released.set()
        assert server.hung_up.wait(PATIENCE)
        assert not server.heard or b"GET" not in server.heard[0], "left, and asked all the same"


def test_a_proxy_that_drips_is_ended_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(saying("header"), pause=0.002) as server:
        monkeypatch.setenv("https_proxy", server.url)
        with pytest.raises(Refused, match="^timeout$"):
            Client("https://exchange.invalid", {}, QUICK).get("/", GO)
        assert server.heard[0].startswith(b"CONNECT exchange.invalid:443")


def test_a_stop_ends_a_look_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, released = threading.Event(), threading.Event()

    def hang(*_: object) -> object:
        stop.set()
        released.wait(PATIENCE)
        raise OSError

    monkeypatch.setattr("socket.getaddrinfo", hang)
    with pytest.raises(Stopped):
        Client("http://name.invalid", {}, PATIENT).get("/", stop)
    released.set()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_connection_is_kept_and_one_that_was_left_is_not(framing: str) -> None:
    body = b"Content-Length: 2\r\n\r\n[]" if framing == "length" else b""
    body = body or b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"[]") + b"0\r\n\r\n"
    said = iter([HEADERS + body, HEADERS + body, b"HTTP/1.1 302 No\r\nContent-Length: 9\r\n\r\n"])
    answers = 0

    def serve(connected: socket.socket) -> None:
        nonlocal answers
        while b"\r\n\r\n" in connected.recv(65_536):
            connected.sendall(next(said, HEADERS + body))
            answers += 1

    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections: list[socket.socket] = []

        def accept() -> None:
            while len(connections) < 2:
                connections.append(listening.accept()[0])
                serve(connections[-1])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}", {}, PATIENT)
        statuses = [client.get("/", GO).status for _ in range(3)]
        assert (statuses, len(connections)) == ([200, 200, 302], 1)
        assert client.get("/", GO).body == b"[]"
        client.close()
        thread.join(PATIENCE)
        assert len(connections) == 2
        for connected in connections:
            connected.close()


def test_cookies_that_pile_up_are_thrown_away() -> None:
    numbers = iter(range(10_000))

    def answer() -> Iterator[bytes]:
        cookies = b"".join(
            b"Set-Cookie: c%d=%b\r\n" % (next(numbers), b"x" * 100) for _ in range(30)
        )
        yield HEADERS + cookies + b"Content-Length: 0\r\nConnection: close\r\n\r\n"

    with raw_server(answer) as server:
        client = Client(server.url, {}, PATIENT)
        for _ in range(9):
            client.get("/", GO)
        client.close()
        sent = [request.count(b"=x") for request in server.heard]
    assert sent == [0, 30, 0, 30, 0, 30, 0, 30, 0]


def test_what_a_library_raises_raw_costs_the_attempt_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raw(*_: object, **__: object) -> None:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no start byte")

    monkeypatch.setattr("requests.adapters.HTTPAdapter.build_response", raw)
    with (
        raw_server(lambda: [HEADERS + b"Content-Length: 0\r\n\r\n"]) as server,
        pytest.raises(Refused, match="^connection$"),
    ):
        ask(server, PATIENT)
    assert "answer not understood" in caplog.text, "since it may be a fault of ours"


_PIECES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 ", b"HTTP/9.9 200 OK\r\n", b"HTTP/1.1 99999999999 X\r\n",
    b"HTTP/1.1 204 \r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 101 X\r\n", b"HTTP/1.1 -1 X\r\n",
    b"Content-Length: 2\r\n", b"Content-Length: -7\r\n", b"Content-Length: 1, 2\r\n",
    b"Content-Length: \xb2\r\n", b"Content-Length: 99999999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Content-Encoding: br\r\n",
    b"Content-Encoding: zstd\r\n", b"Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip\r\n",
    b"Content-Type: text/html; charset=\xff\xfe\r\n", b"Content-Type: ;;=\"\r\n",
    b"Set-Cookie: a=\x00; expires=Thu, 99-Foo-0000; Max-Age=x; Domain=[::1\r\n",
    b"Set-Cookie: \xff\xfe=\xe9; Path=\x80; Version=1; Port=\"x\"\r\n", b"Connection: close\r\n",
    b"Location: http://[::1\r\n", b"Retry-After: \xff\r\n", b" folded: no\r\n", b": nameless\r\n",
    b"\x00\x01\r\n", b"\r\n", b"\r\n\r\n", b"2\r\n[]\r\n", b"-2\r\n", b"zz\r\n", b"0\r\n\r\n",
    gzip.compress(b"[]"), EMPTY_MEMBER, GZIP_HEADER, b"\x1f\x8b", b"[]", b"\n\n\n",
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=9)), max_size=12))
def test_whatever_is_said_no_exception_of_a_library_comes_out(parts: list[bytes]) -> None:
    said = b"HTTP/1.1 200 OK\r\n" + b"".join(parts)

    def hang_up() -> Iterator[bytes]:
        yield said
        raise OSError  # as one does who ends the connection

    with raw_server(hang_up) as server:
        with suppress(Refused):
            assert isinstance(ask(server, PATIENT).body, bytes)
