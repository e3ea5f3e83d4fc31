"""What a user can get wrong is one line and status 2; the log has the rest, and no secret."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.flows.conftest import (
    PATIENCE,
    House,
    command,
    files_with,
    only_line,
    p2p,
    settings_of,
)
from warehouse.postgres import Warehouse

KEY = "an-api-key-nobody-must-see"
PASSWORD = "a-password-nobody-must-see"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def reachable(house: House, home: Path) -> dict[str, str]:
    """Settings that would do, with secrets in them and a home of their own."""
    house.empty()
    given = settings_of(house, P2P_HOME=str(home), BINANCE_API_KEY=KEY)
    return {**given, "DATABASE_URL": with_login(house.warehouse, "p2p")}


def with_login(warehouse: Warehouse, user: str) -> str:
    """The address of the database for this user, with a password that the socket does not ask."""
    address = warehouse.url.partition("@")[2]
    return f"postgresql://{user}:{PASSWORD}@{address}"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of loopback that nobody else takes and nothing answers on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def reader(house: House) -> Iterator[str]:
    """A role that may connect and nothing else."""
    with house.server.connect(autocommit=True) as connection:
        connection.execute("create role reader login")
    yield "reader"
    with house.server.connect(autocommit=True) as connection:
        connection.execute("drop role reader")


def log_of(home: Path) -> str:
    return (home / "logs" / "p2p.log").read_text()


def test_offline_one_line_names_the_setting_and_the_demo(
    reachable: dict[str, str], home: Path, closed_port: int
) -> None:
    address = f"http://127.0.0.1:{closed_port}"
    done = p2p("run", **{**reachable, "P2P_API_URL": address, "P2P_LOG_FORMAT": "json"})
    assert done.returncode == 2
    line = only_line(done)
    assert f"P2P_API_URL={address}" in line
    assert "make demo" in line
    assert done.stdout == ""

    events = [json.loads(event) for event in log_of(home).splitlines()]
    assert all({"time", "level", "logger", "event"} <= event.keys() for event in events)
    assert any("ExchangeOutOfReach" in event.get("traceback", "") for event in events)
    said = [event for event in done.stderr.splitlines() if event != line]
    assert [json.loads(event) for event in said]
    assert files_with(home, (KEY, PASSWORD)) == []
    assert not {KEY, PASSWORD} & set(done.stderr.split())


def test_on_a_terminal_the_refusal_is_the_only_line(
    reachable: dict[str, str], closed_port: int
) -> None:
    screen, end = pty.openpty()
    environment = {**reachable, "P2P_API_URL": f"http://127.0.0.1:{closed_port}", "TERM": "dumb"}
    process = subprocess.Popen(
        command("run"),
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=end,
        stderr=end,
    )
    os.close(end)
    shown = b""
    try:
        while part := os.read(screen, 4096):
            shown += part
    except OSError:
        pass  # the other end is closed: the command has ended
    os.close(screen)
    assert process.wait(PATIENCE) == 2
    lines = [line for line in shown.decode().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("p2p: P2P_API_URL")


def test_a_role_that_may_not_write_is_told_so_before_anything_is_read(
    house: House, reachable: dict[str, str], home: Path, reader: str
) -> None:
    asked = dict(house.exchange.requests)
    url = with_login(house.warehouse, reader)
    done = p2p("run", **{**reachable, "DATABASE_URL": url})
    assert done.returncode == 2
    assert "the role reader may not create tables" in only_line(done)
    assert house.exchange.requests == asked
    assert "Traceback" in log_of(home)
    assert files_with(home, (KEY, PASSWORD)) == []


def test_a_server_that_is_down_is_one_line(
    reachable: dict[str, str], home: Path, closed_port: int
) -> None:
    url = f"postgresql://ana:{PASSWORD}@127.0.0.1:{closed_port}/p2p"
    done = p2p("run", **{**reachable, "DATABASE_URL": url})
    assert done.returncode == 2
    assert f"127.0.0.1:{closed_port}" in only_line(done)
    assert "Traceback" in log_of(home)
    assert files_with(home, (KEY, PASSWORD)) == []
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", f"mysql://ana:{PASSWORD}@localhost/p2p"),
        ("EXTRACTION_INTERVAL", "soon"),
        ("P2P_FIATS", "V E S"),
        ("P2P_LOG_FORMAT", "xml"),
    ],
)
def test_a_setting_that_is_not_understood_is_one_line(
    reachable: dict[str, str], variable: str, value: str
) -> None:
    done = p2p("run", **{**reachable, variable: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"p2p: {variable}")
    assert len(done.stderr.splitlines()) == 1
    assert PASSWORD not in done.stderr
