"""Debian's own PostgreSQL, with TLS by a certificate authority made here, and passwords."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from warehouse.engine import Account
from warehouse.premises import private_folder

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
ADMIN = "postgres"
HOST_RULES = "hostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Debian:
    """A server that lets in over TLS and with a password only; its certificate is `localhost`'s."""

    port: int
    authority: Path
    stranger: Path
    """The certificate of an authority that it has nothing to do with."""
    restart: Callable[[], None]
    password: str = "an-admin's/p@ss:word#1"

    def url(
        self,
        user: str = ADMIN,
        password: str | None = None,
        database: str = "postgres",
        host: str = "localhost",
        **options: object,
    ) -> str:
        """An address, verified in full unless `options` say otherwise."""
        said = {"sslmode": "verify-full", "sslrootcert": self.authority, **options}
        query = "&".join(f"{name}={quote(str(value), safe='/')}" for name, value in said.items())
        secret = quote(self.password if password is None else password, safe="")
        login = f"{quote(user, safe='')}:{secret}"
        return f"postgresql://{login}@{host}:{self.port}/{quote(database, safe='')}?{query}"


@contextlib.contextmanager
def debian_server() -> Iterator[Debian]:
    """Such a server, up while the context is open; without Debian's binaries the test skips."""
    if not BINARIES or not shutil.which("openssl"):
        pytest.skip("needs Debian's postgresql and openssl")
    room = Path(tempfile.mkdtemp(prefix="p2p-debian-"))
    room.chmod(0o755)
    data = room / "data"
    data.mkdir()
    account = Account.for_data(room / "none")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def control(*what: str | Path) -> None:
        done = account.run([BINARIES[-1] / "pg_ctl", "-D", data, "-w", "-s", *what])
        assert done.returncode == 0, done.stderr

    server = Debian(
        port,
        _authority(room, "ours"),
        _authority(room, "strange"),
        lambda: control("-m", "fast", "-l", data / "log", "restart"),
    )
    _certificate(room, server.authority)
    private_folder(data, account)
    (room / "password").write_text(server.password)
    for readable in (room / "password", *room.glob("server.*")):
        readable.chmod(0o644)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": "server.crt",
        "ssl_key_file": "server.key",
        "fsync": "off",
        # What is said to the server's log would show a password that was sent in a statement.
        "log_statement": "all",
    }
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    initdb: list[str | Path] = [BINARIES[-1] / "initdb", "-D", data, "-U", ADMIN]
    initdb += ["-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"]
    copy = f"umask 077 && cp {room}/server.crt {room}/server.key {data}/"
    rules = f"printf '{HOST_RULES}' > {data}/pg_hba.conf"
    for command in (
        [*initdb, f"--pwfile={room / 'password'}"],
        ["/bin/sh", "-c", f"{copy} && {rules}"],
    ):
        done = account.run(command)
        assert done.returncode == 0, done.stderr
    control("-l", data / "log", "-o", options, "start")
    try:
        yield server
    finally:
        control("-m", "immediate", "stop")
        shutil.rmtree(room)


def _authority(room: Path, name: str) -> Path:
    certificate = room / f"{name}.crt"
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", room / f"{name}.key", "-out", certificate, "-days", "2"),
        *("-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE"),
    )
    return certificate


def _certificate(room: Path, authority: Path) -> None:
    extension = room / "server.ext"
    extension.write_text("subjectAltName=DNS:localhost\n")
    _openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", room / "server.key", "-out", room / "server.csr", "-subj", "/CN=localhost"),
    )
    _openssl(
        *("x509", "-req", "-in", room / "server.csr", "-CA", authority, "-days", "2"),
        *("-CAkey", authority.with_suffix(".key"), "-CAcreateserial"),
        *("-extfile", extension, "-out", room / "server.crt"),
    )


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
