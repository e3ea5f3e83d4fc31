"""Homes that the server's account can reach, commands of their own, and a second real server."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg
import pytest

from warehouse.connection import Warehouse
from warehouse.embedded import erase
from warehouse.engine import Account, find_engine
from warehouse.premises import private_folder
from warehouse.settings import PROJECT_ROOT

IS_ROOT = os.geteuid() == 0


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in list(os.environ):
        if name.startswith("P2P_") or name in (
            "DATABASE_URL",
            "BINANCE_API_KEY",
            "EXTRACTION_INTERVAL",
            "REDIS_URL",
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder of the test's own."""
    with open_place() as folder:
        yield folder


@pytest.fixture
def home(place: Path) -> Path:
    """A home that does not exist yet."""
    return place / "home"


@pytest.fixture(scope="session")
def used_home() -> Iterator[Path]:
    """A home that is there already, for whatever does not mind what others left in it."""
    with open_place() as folder:
        Command(folder / "home").until_open().leave()
        yield folder / "home"


@contextlib.contextmanager
def open_place() -> Iterator[Path]:
    """An empty folder that every user can reach, as pytest's own are closed to the server."""
    folder = Path(tempfile.mkdtemp(prefix="p2p-test-"))
    folder.chmod(0o755)
    yield folder
    while Command.started:  # whatever a failed test has left
        Command.started.pop().kill()
    for lock in (*folder.glob("*/clients.lock"), *folder.glob("*/*/clients.lock")):
        end_server(lock.parent)
        if (lock.parent / "postgres").is_symlink():
            erase(lock.parent)
    shutil.rmtree(folder)


@pytest.fixture
def python_of_others() -> str:
    """An interpreter with which the user nobody can run this project."""
    if not IS_ROOT:
        pytest.skip("only root can run a command as somebody else")
    nobody = Account.for_data(Path("/nonexistent"))
    paths = os.pathsep.join([str(PROJECT_ROOT), sysconfig.get_path("platlib")])
    major_minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(major_minor, path="/usr/bin:/usr/local/bin")):
        tried = python and nobody.run(
            [python, "-c", "import warehouse.postgres"], environment={"PYTHONPATH": paths}
        )
        if python and tried and tried.returncode == 0:
            return python
    pytest.skip("no interpreter, venv and checkout here that the user nobody can reach")


@pytest.fixture
def closed(place: Path) -> Path:
    """A folder that only its owner may enter, as /root is."""
    folder = place / "closed"
    folder.mkdir(mode=0o700)
    return folder


def postmaster(home: Path) -> int:
    """The process number of the server of `home`, 0 if it is down."""
    try:
        return int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return 0


def server_processes(home: Path) -> list[int]:
    """The server of `home` and its children."""
    server = postmaster(home)
    children = Path(f"/proc/{server}/task/{server}/children")
    return [server, *map(int, children.read_text().split())] if server else []


def end_server(home: Path) -> None:
    """Kill the server of `home`, should a test have left it running."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for process in server_processes(home):
            os.kill(process, signal.SIGKILL)


class Command:
    """A process of its own that has the warehouse of `home` open until it is told to end."""

    _SCRIPT = """
import os, sys
from pathlib import Path
from warehouse.postgres import open_warehouse, single_writer
from warehouse.settings import Settings
with open_warehouse(Settings(home=Path(sys.argv[1]))) as warehouse:
    with warehouse.connect() as connection:
        connection.execute("select pg_advisory_xact_lock(1)")
        connection.execute(
            "create table if not exists visits (visit int generated always as identity)"
        )
        row = connection.execute("insert into visits default values returning visit").fetchone()
    {extra}
    print(row[0], flush=True)
    sys.stdin.read()
"""

    started: ClassVar[list["Command"]] = []

    def __init__(
        self,
        home: Path,
        python: str = sys.executable,
        user: str | None = None,
        extra: str = "pass",
    ) -> None:
        """Start it, with a line of `extra` Python; `until_open` waits."""
        paths = [str(PROJECT_ROOT), sysconfig.get_path("platlib")]
        as_user = (
            {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        )
        self.process = subprocess.Popen(
            [python, "-c", self._SCRIPT.replace("{extra}", extra), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(paths)},
            **as_user,  # type: ignore[call-overload]
        )

        self.started.append(self)

    def until_open(self) -> "Command":
        """Wait until the warehouse is open and its row, `visit`, is committed."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, self.process.communicate()[1]
        self.visit = int(said)
        return self

    def leave(self) -> None:
        """Have it close the warehouse and end."""
        _, said = self.process.communicate()
        assert self.process.returncode == 0, said

    def kill(self) -> None:
        """Kill it with no chance to clean up."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Elsewhere:
    """A server with passwords on a loopback port, as a user's own would be."""

    port: int
    user: str = "anna"
    password: str = "p@ss/w:rd#%?é x"
    database: str = "anna"

    def url(self, **changes: str | int) -> str:
        """Its URL, with parts of it changed."""
        part = {
            "user": self.user,
            "password": self.password,
            "host": "127.0.0.1",
            "port": self.port,
            "database": self.database,
            "query": "",
        } | changes
        login = f"{part['user']}:{quote(str(part['password']), safe='')}"
        return (
            f"postgresql://{login}@{part['host']}:{part['port']}/{part['database']}{part['query']}"
        )


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Elsewhere]:
    """A second real PostgreSQL, reached by DATABASE_URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        server = Elsewhere(probe.getsockname()[1])
    room = Path(tempfile.mkdtemp(prefix="p2p-test-"))
    room.chmod(0o755)
    data = room / "data"
    data.mkdir()
    account = Account.for_data(room / "none")
    private_folder(data, account)
    binaries = find_engine(account, lambda: room)
    (room / "password").write_text(server.password)
    (room / "password").chmod(0o644)
    pg_ctl: list[str | Path] = [binaries / "pg_ctl", "-D", data, "-w", "-s"]
    initdb: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        server.user,
        "-A",
        "scram-sha-256",
    ]
    initdb += ["-E", "UTF8", "--no-locale", "--no-sync", f"--pwfile={room / 'password'}"]
    options = f"-c listen_addresses=127.0.0.1 -c port={server.port} -c unix_socket_directories="
    for command in (initdb, [*pg_ctl, "-l", data / "log", "-o", options, "start"]):
        done = account.run(command)
        assert done.returncode == 0, done.stderr
    yield server
    account.run([*pg_ctl, "-m", "immediate", "stop"])
    shutil.rmtree(room)


@pytest.fixture
def foreign(elsewhere: Elsewhere) -> Warehouse:
    """The second server's database, as its owner sees it."""
    with psycopg.connect(elsewhere.url(database="postgres"), autocommit=True) as connection:
        connection.execute("drop database if exists anna with (force)")
        connection.execute("create database anna")
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login password 'r'")
    return Warehouse.from_url(elsewhere.url())
