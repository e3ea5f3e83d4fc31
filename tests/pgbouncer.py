"""Debian's PgBouncer before a server, lending its connections for one transaction each."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian import Debian
from warehouse.engine import Account
from warehouse.premises import private_folder

BINARY = Path("/usr/sbin/pgbouncer")
_PATIENCE = 20.0  # seconds


@contextlib.contextmanager
def pgbouncer_before(server: Debian, user: str, password: str, **settings: object) -> Iterator[int]:
    """PgBouncer on a loopback port, which is given; without Debian's binary the test skips.

    It lets anybody in, to whatever database, and logs in at the server as `user`.
    """
    if not BINARY.exists():
        pytest.skip("needs Debian's pgbouncer")
    room = Path(tempfile.mkdtemp(prefix="p2p-pgbouncer-"))
    room.chmod(0o755)
    own = room / "own"
    own.mkdir()
    account = Account.for_data(room / "none")
    private_folder(own, account)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    said = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "server_tls_sslmode": "require",
        "default_pool_size": 4,
        "max_client_conn": 100,
        "logfile": own / "log",
        **settings,
    }
    lines = [f"{name} = {value}" for name, value in said.items()]
    secret = password.replace("'", "''")
    login = f"host=127.0.0.1 port={server.port} user={user} password='{secret}'"
    (room / "pgbouncer.ini").write_text(
        "\n".join(["[databases]", f"* = {login}", "[pgbouncer]", *lines, ""])
    )
    (room / "pgbouncer.ini").chmod(0o644)
    process = subprocess.Popen(
        [BINARY, "-q", room / "pgbouncer.ini"],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd=room,
        stderr=subprocess.PIPE,
    )
    give_up = time.monotonic() + _PATIENCE
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < give_up
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(_PATIENCE)
        shutil.rmtree(room)
