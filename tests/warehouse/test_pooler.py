"""A pooler before the server, which lends a connection for a transaction and keeps no session."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import psycopg
import pytest

from tests.debian import Debian
from tests.pgbouncer import pgbouncer_before
from tests.warehouse.test_roles import set_up
from warehouse.connection import Warehouse
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse, require_write_access, single_writer
from warehouse.settings import load_settings

SECRET = "of-the-pooled"
USER = "pooled"


@dataclass(frozen=True)
class Pooled:
    """A database of its owner's, and the pooler before it that logs in as him."""

    debian: Debian
    port: int
    database: str

    @property
    def url(self) -> str:
        """The way by the pooler."""
        return f"postgresql://{USER}:x@127.0.0.1:{self.port}/{self.database}"

    def admin(self, statement: str, database: str = "postgres") -> None:
        """Do this at the server itself, as who may do anything."""
        url = self.debian.url(database=database)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def reconnect(self) -> None:
        """Have the pooler log in again, and wait until it has noticed that it had to."""
        self.admin(
            f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{USER}'"
        )
        while True:
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.url) as connection:
                connection.execute("select")
                return


@pytest.fixture(scope="module", params=["", "options"])
def pooled(debian: Debian, request: pytest.FixtureRequest) -> Iterator[Pooled]:
    """A pooler that refuses options of a session, or takes no notice of them."""
    database = f"pooled_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute(f"create role {USER} login createrole password '{SECRET}'".encode())
        admin.execute(f"create database {database} owner {USER}".encode())
        ignored = {"ignore_startup_parameters": request.param} if request.param else {}
        with pgbouncer_before(debian, USER, SECRET, **ignored) as port:
            yield Pooled(debian, port, database)
        admin.execute(f"drop database {database} with (force)".encode())
        admin.execute(f"drop owned by {USER}".encode())
        admin.execute(f"drop role {USER}".encode())


@pytest.fixture
def warehouse(pooled: Pooled) -> Iterator[Warehouse]:
    """The database by the pooler, as a command opens it."""
    with open_warehouse(load_settings(database_url=pooled.url)) as opened:
        yield opened


def test_a_pooler_is_told_from_a_server_and_knows_which_it_stands_before(
    pooled: Pooled, warehouse: Warehouse
) -> None:
    assert warehouse.pooler_of == f"127.0.0.1:{pooled.debian.port}"
    require_write_access(warehouse)


def test_two_writers_are_not_let_in_through_a_pooler_and_the_lock_holds_back_no_vacuum(
    pooled: Pooled, warehouse: Warehouse
) -> None:
    with single_writer(warehouse, "load") as writer:
        with pytest.raises(UserError, match="at it already"), single_writer(warehouse, "load"):
            pass
        with psycopg.connect(pooled.debian.url()) as connection:
            held = connection.execute(
                "select state, backend_xid, backend_xmin from pg_stat_activity"
                " inner join pg_locks using (pid) where locktype = 'advisory' and granted"
            ).fetchall()
        assert held == [("idle in transaction", None, None)]
        writer.require()
    with single_writer(warehouse, "load"):
        pass


def test_statements_that_are_repeated_side_by_side_do_not_collide(warehouse: Warehouse) -> None:
    def repeat(number: int) -> int:
        with warehouse.connect(autocommit=True) as connection:
            for _ in range(20):
                connection.execute("select %s::int", [number])
        return number

    with ThreadPoolExecutor(4) as workers:
        assert list(workers.map(repeat, range(8))) == list(range(8))


def test_times_and_dates_are_ours_through_a_pooler_too(
    pooled: Pooled, warehouse: Warehouse
) -> None:
    pooled.admin(f"alter role {USER} set TimeZone = 'Asia/Kolkata'")
    pooled.admin(f"alter role {USER} set DateStyle = 'SQL, DMY'")
    try:
        with warehouse.connect(autocommit=True) as connection:
            said = connection.execute("select '2026-12-01T00:00:00Z'::timestamptz::text")
            assert said.fetchone() == ("2026-12-01 00:00:00+00",)
    finally:
        pooled.admin(f"alter role {USER} reset all")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
    ],
)
def test_what_cannot_be_asked_of_a_session_through_a_pooler_is_refused_with_the_way_out(
    pooled: Pooled, warehouse: Warehouse, name: str, value: str
) -> None:
    pooled.admin(f"alter role {USER} in database {pooled.database} set {name} = '{value}'")
    try:
        pooled.reconnect()
        with pytest.raises(UserError, match=f"{name} is {value}") as refused:
            require_write_access(warehouse)
    finally:
        pooled.admin(f"alter role {USER} in database {pooled.database} reset {name}")
        pooled.reconnect()
    said = str(refused.value)
    assert "\n" not in said
    assert f"alter role {USER} in database {pooled.database} set {name} = " in said
    assert f"the server itself (127.0.0.1:{pooled.debian.port})" in said


def test_a_member_is_not_made_a_role_through_a_pooler_and_is_shown_to_the_server(
    pooled: Pooled,
) -> None:
    other = f"{pooled.database}_with_roles"
    pooled.admin(f"create database {other} owner {USER}")
    try:
        with psycopg.connect(pooled.debian.url(USER, SECRET, other), autocommit=True) as owner:
            set_up(owner)
        url = replace(pooled, database=other).url
        with open_warehouse(load_settings(database_url=url)) as warehouse:
            assert warehouse.roles == {"loader", "transformer"}
            with pytest.raises(UserError, match=f"{USER} cannot act as loader") as refused:
                warehouse.acting_as("loader")
        assert f"(127.0.0.1:{pooled.debian.port})" in str(refused.value)
        assert "\n" not in str(refused.value)
    finally:
        pooled.admin(f"drop database {other} with (force)")
        pooled.admin("drop role if exists loader, transformer, analyst")
