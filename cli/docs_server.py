"""Serves the pages that were written about the warehouse, to a browser on this machine only.

Nothing can be sent to it, and nothing below its folder is served but pages. Each goes out under
the content policy that it was written with; one that has none is shown as text and pictures.
"""

from __future__ import annotations

import html
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from warehouse.errors import UserError

HOST = "127.0.0.1"

# A page: folders and a name of letters and digits. What is hidden, above or encoded is none.
# The script that the report's pages share is served as well, and no other.
_PAGE = re.compile(
    r"(?:/[A-Za-z0-9][A-Za-z0-9_-]*)*/(?:[A-Za-z0-9][A-Za-z0-9_-]*\.html|report\.js)?"
)
_POLICY = re.compile(
    rb'<meta (?:charset="utf-8"><meta )?http-equiv="Content-Security-Policy"'
    rb' content="([^"<>]*)"'
)
_STRICTEST = "default-src 'none'"
# The policy stands at the head of each page, before anything that came from elsewhere.
_HEAD = 1_000
_PATIENCE = 10  # seconds for a browser to say what it wants


class _Pages(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.resolve()
        super().__init__((HOST, port), _Answer)

    @property
    def hosts(self) -> set[str]:
        """What a browser calls us; a site that had its own name lead here would say that."""
        return {f"{host}:{self.server_address[1]}" for host in (HOST, "localhost")}


class _Answer(BaseHTTPRequestHandler):
    server: _Pages
    timeout = _PATIENCE
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "p2p", ""

    def do_GET(self) -> None:
        """Send a page."""
        self._answer()

    def do_HEAD(self) -> None:
        """Say what would be sent."""
        self._answer()

    def _answer(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self.send_error(421)
            return
        page = self._page(urlsplit(self.path).path)
        if page is None:
            self.send_error(404)
            return
        body = page.read_bytes()
        self.send_response(200)
        kind = "text/javascript" if page.suffix == ".js" else "text/html"
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self._policy = _policy_of(body)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _page(self, path: str) -> Path | None:
        """The file that a path names, if it is a page below the folder."""
        if not _PAGE.fullmatch(path):
            return None
        page = self.server.folder / path.lstrip("/")
        if path.endswith("/"):
            page /= "index.html"
        is_ours = page.resolve().is_relative_to(self.server.folder)  # a link may lead elsewhere
        return page if is_ours and page.is_file() else None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say no in a line, and leave out what was asked."""
        body = f"{code} {self.responses.get(code, ('',))[0]}\n".encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if code == 501:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Connection", "close")
        self._policy = _STRICTEST
        self.end_headers()
        if getattr(self, "command", None) != "HEAD":
            self.wfile.write(body)

    def end_headers(self) -> None:
        """End every answer with what a browser must not do with it."""
        self.send_header("Content-Security-Policy", f"{self._policy}; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked for was written by whoever asked."""


def _policy_of(page: bytes) -> str:
    found = _POLICY.search(page[:_HEAD])
    policy = html.unescape(found[1].decode("latin-1")) if found else ""
    return policy if re.fullmatch(r"[ -~]+", policy) else _STRICTEST


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve the pages in `folder` on loopback while the context is open; its address is given.

    Raises:
        UserError: the port is taken.
    """
    try:
        server = _Pages(folder, port)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--port {port} cannot be served ({why}): name another port.") from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def serve_until_stopped(folder: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the pages until SIGTERM or Ctrl-C.

    Raises:
        UserError: the port is taken.
    """
    stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        with serving(folder, port) as address:
            on_ready(address)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
