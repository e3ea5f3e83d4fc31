"""A server that says whatever bytes a test wants, for as long as it is listened to."""

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

HEADERS = b"HTTP/1.1 200 OK\r\n"
PATIENCE = 20.0  # seconds until a test that should have ended long ago gives up


@dataclass
class RawServer:
    """What it says, and what became of those who asked."""

    say: Callable[[], Iterable[bytes]]
    pause: float = 0.0
    """Seconds between two parts."""
    port: int = 0
    scheme: str = "http"
    heard: list[bytes] = field(default_factory=list)
    sent: int = 0
    was_heard: threading.Event = field(default_factory=threading.Event)
    """A first part has gone out."""
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Whoever asked has closed the connection."""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def raw_server(
    say: Callable[[], Iterable[bytes]], pause: float = 0.0, tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Serve the parts that `say` makes to each connection, until it is closed from the far end."""
    told = RawServer(say, pause, scheme="https" if tls else "http")

    class Handler(BaseRequestHandler):
        def setup(self) -> None:
            try:
                if tls:
                    self.request = tls.wrap_socket(self.request, server_side=True)
            except OSError:
                told.hung_up.set()
                raise

        def handle(self) -> None:
            told.heard.append(self.request.recv(65_536))
            with suppress(OSError):
                for part in told.say():
                    self.request.sendall(part)
                    told.sent += len(part)
                    told.was_heard.set()
                    if told.ended.wait(told.pause):
                        return
                while not told.ended.is_set() and self.request.recv(65_536):
                    pass
            told.hung_up.set()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Whoever asked went before hands were shaken, or does not trust us."""

    with Server(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield told
        finally:
            told.ended.set()
            server.shutdown()
