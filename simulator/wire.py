"""HTTP on the wire: requests in, answers out, whole or cut, or the line hung up."""

from __future__ import annotations

import contextlib
import socket
import struct
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from simulator.answers import ENDPOINTS, SIMULATED, Response, illegal, not_found
from simulator.faults import Fault
from simulator.outside import OUTSIDE

if TYPE_CHECKING:
    from simulator.server import Exchange


class Server(ThreadingHTTPServer):
    """Listens on loopback, one thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, exchange: Exchange, port: int) -> None:
        """Binds 127.0.0.1; raises OSError if the port is taken."""
        self.exchange = exchange
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and remember it, to drop it at the end."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends by itself."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are an everyday matter here, not worth a traceback."""

    def drop_connections(self) -> None:
        """Hang up on whoever keeps a connection alive."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads its requests, one after the other, and answers them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for head and body
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the exchange counts, it does not chatter."""

    def do_POST(self) -> None:
        """The exchange's API, and what moves the simulator."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        exchange = self.server.exchange
        if path.startswith("/simulator/"):
            self._send(exchange.control(path, body))
            return
        is_json = "application/json" in self.headers.get("Content-Type", "")
        with exchange.counted(ENDPOINTS.get(path, "unknown")):
            # The one header that the exchange requires.
            response, fault = exchange.respond(path, body) if is_json else (illegal(), None)
            self._reply(response, fault)

    def do_GET(self) -> None:
        """The hosts beside the exchange, and what the simulator tells of itself."""
        path, _, query = self.path.partition("?")
        if path.startswith("/simulator/"):
            self._send(self.server.exchange.tell(path, query))
            return
        if path in OUTSIDE:
            self._reply(*self.server.exchange.respond_outside(path, query))
            return
        with self.server.exchange.counted("unknown"):
            self._send(not_found(path))

    def _reply(self, response: Response | None, fault: Fault | None) -> None:
        if response is None:
            self._hang_up(fault)
        else:
            self._send(response, is_cut=fault is not None and fault.kind == "cut")

    def _send(self, response: Response, is_cut: bool = False) -> None:
        body = response.body
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header(SIMULATED, "true")
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 256:
            packer = zlib.compressobj(4, zlib.DEFLATED, 31)
            body = packer.compress(body) + packer.flush()
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if is_cut else body)
        self.wfile.flush()
        if is_cut:
            self.close_connection = True

    def _hang_up(self, fault: Fault | None) -> None:
        """No answer: after a stall, or at once with a reset."""
        self.close_connection = True
        if fault is not None and fault.kind == "timeout" and self.server.exchange.faults:
            self.server.exchange.stall(self.server.exchange.faults.stall)
        else:
            # Lingering for no time makes the close a reset.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
