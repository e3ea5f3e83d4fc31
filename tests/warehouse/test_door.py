"""The port of `p2p connect`: one role gets in by its password, and nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from warehouse.door import HOST, Door, open_door
from warehouse.postgres import Warehouse
from warehouse.premises import SOCKET_FILE


@pytest.fixture(scope="module")
def door(server: Warehouse) -> Iterator[Door]:
    with server.connect(autocommit=True) as connection:
        connection.execute("create role reader login")
    with open_door(Path(server.host) / SOCKET_FILE, "reader") as opened:
        yield opened


def enter(door: Door, **other: str) -> psycopg.Connection[tuple[object, ...]]:
    login = {"user": "reader", "password": door.password, "dbname": "p2p", **other}
    return psycopg.connect(make_conninfo(host=HOST, port=door.port, **login))


def test_the_role_gets_in_by_the_password_and_is_no_other(door: Door) -> None:
    with enter(door) as connection:
        assert connection.execute("select session_user").fetchone() == ("reader",)
        rows = connection.execute("select repeat('x', 10000) from generate_series(1, 500)")
        assert len(rows.fetchall()) == 500
    with enter(door, sslmode="prefer") as connection, pytest.raises(psycopg.errors.Error):
        connection.execute("set role p2p")


def test_who_has_another_password_or_is_another_role_stays_outside(door: Door) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter(door, password="guessed")
    with pytest.raises(psycopg.OperationalError, match="only reader is admitted here"):
        enter(door, user="p2p")
    assert door.password not in repr(door)


def test_what_is_no_greeting_of_postgresql_is_hung_up_on(door: Door) -> None:
    for said in (b"GET / HTTP/1.1\r\n\r\n", (8).to_bytes(4) + (80877103).to_bytes(4) + b"\0" * 4):
        with socket.create_connection((HOST, door.port)) as connection:
            connection.sendall(said)
            answer = b""
            while part := connection.recv(100):
                answer += part
            assert answer in (b"", b"N")


def test_a_statement_is_cancelled_through_the_door(door: Door) -> None:
    with enter(door) as connection, connection.cursor() as cursor:
        rows = cursor.stream("select repeat('x', 1000) from generate_series(1, 10000000)")
        next(rows)
        connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            list(rows)
