"""A port on loopback to the embedded server, which has none of its own, for one role only.

Java's driver, and so DBeaver, does not connect to a socket. Behind the socket the server lets the
owner of the home in as any role, and a port is open to every user of the machine: so the door asks
for a password made for it, and admits nobody but its role. Messages are those of PostgreSQL's
protocol, "Frontend/Backend Protocol: Message Formats".
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds to log in
_LONGEST_GREETING = 10_000  # bytes; PostgreSQL's own limit
_SECURITY = frozenset({80877103, 80877104})  # asks for TLS, or for GSSAPI
_CANCEL = 80877102
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Door:
    """Where to connect, and as whom."""

    socket: Path
    role: str
    port: int = 0
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    async def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        upstream = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            greeting = await asyncio.wait_for(self._greeting(reader, writer), _PATIENCE)
            if greeting:
                inside, upstream = await asyncio.open_unix_connection(str(self.socket))
                upstream.write(greeting)
                ways = [
                    asyncio.ensure_future(_pass(reader, upstream)),
                    asyncio.ensure_future(_pass(inside, writer)),
                ]
                # A session is over as soon as either side has hung up.
                _, open_still = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in open_still:
                    way.cancel()
        for end in (upstream, writer):
            if end is not None:
                end.close()

    async def _greeting(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The start of a session that may go on to the server; nothing if it may not."""
        while True:
            size = int.from_bytes(await reader.readexactly(4))
            if not 8 <= size <= _LONGEST_GREETING:
                return b""
            body = await reader.readexactly(size - 4)
            code = int.from_bytes(body[:4])
            if code not in _SECURITY:
                break
            writer.write(b"N")
        greeting = size.to_bytes(4) + body
        if code == _CANCEL:  # holds a secret of the session that it ends
            return greeting
        words = body[4:].split(b"\0")
        asked = dict(zip(words[::2], words[1::2], strict=False))
        if asked.get(b"user") != self.role.encode():
            return await _refuse(writer, "28000", f"only {self.role} is admitted here")
        writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))  # a password, as it is
        kind = await reader.readexactly(1)
        size = int.from_bytes(await reader.readexactly(4))
        if kind != b"p" or not 4 <= size <= _LONGEST_GREETING:
            return b""
        given = (await reader.readexactly(size - 4)).rstrip(b"\0")
        if not hmac.compare_digest(given, self.password.encode()):
            return await _refuse(writer, "28P01", f"password authentication failed for {self.role}")
        return greeting


async def _refuse(writer: asyncio.StreamWriter, code: str, why: str) -> bytes:
    fields = f"SFATAL\0C{code}\0M{why}\0\0".encode()
    writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
    await writer.drain()
    return b""


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes until there is no more."""
    with contextlib.suppress(OSError):
        while part := await reader.read(_CHUNK):
            writer.write(part)
            await writer.drain()


@contextmanager
def open_door(socket: Path, role: str, port: int = 0) -> Iterator[Door]:
    """A door to the server behind `socket` while the context is open; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    door = Door(socket, role)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(door.admit, HOST, port))
    thread = threading.Thread(target=loop.run_forever, name="door", daemon=True)
    thread.start()
    try:
        yield Door(socket, role, server.sockets[0].getsockname()[1], door.password)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.close()
