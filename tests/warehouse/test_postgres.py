"""A server of the user's own: what is wrong with DATABASE_URL is said in one line."""

import threading
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.warehouse.conftest import Command, Elsewhere
from warehouse import postgres
from warehouse.connection import Warehouse
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse, require_write_access, single_writer
from warehouse.settings import Settings


def url(server: Elsewhere, **changes: str | int) -> str:
    """The URL of `server`, with parts of it changed."""
    part = {
        "user": server.user,
        "password": server.password,
        "host": "127.0.0.1",
        "port": server.port,
        "database": server.database,
        "query": "",
    } | changes
    login = f"{part['user']}:{quote(str(part['password']), safe='')}"
    return f"postgresql://{login}@{part['host']}:{part['port']}/{part['database']}{part['query']}"


def settings(database_url: str) -> Settings:
    """Settings with this DATABASE_URL."""
    return Settings(database_url=database_url)  # type: ignore[arg-type]


@pytest.fixture
def warehouse(elsewhere: Elsewhere) -> Warehouse:
    """The second server's database, as its owner sees it."""
    with psycopg.connect(url(elsewhere, database="postgres"), autocommit=True) as connection:
        connection.execute("drop database if exists anna with (force)")
        connection.execute("create database anna")
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login password 'r'")
    return Warehouse.from_url(url(elsewhere))


def test_a_password_with_special_characters_opens_the_warehouse(
    warehouse: Warehouse, elsewhere: Elsewhere
) -> None:
    with open_warehouse(settings(url(elsewhere))) as opened:
        assert opened == warehouse
        with opened.connect() as connection, psycopg.connect(opened.url) as same:
            assert connection.info.dbname == same.info.dbname == "anna"
            name = connection.execute("select current_setting('application_name')").fetchone()
    assert name == ("p2p",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "a wrong secret"}, "the user or the password is wrong"),
        ({"user": "nobody-here"}, "the user or the password is wrong"),
        ({"database": "missing"}, "no database missing"),
        ({"port": 1}, "nothing answers there"),
        ({"host": "no..host"}, "there is no such host"),
        ({"query": "?sslmode=require"}, "no TLS"),
        ({"query": "?nonsense=1"}, "not known to PostgreSQL"),
    ],
)
def test_a_url_that_leads_nowhere_is_one_line_without_the_password(
    warehouse: Warehouse, elsewhere: Elsewhere, changes: dict[str, str | int], reason: str
) -> None:
    with (
        pytest.raises(UserError, match="DATABASE_URL") as refused,
        open_warehouse(settings(url(elsewhere, **changes))),
    ):
        pass
    said = str(refused.value)
    assert reason in said
    assert "\n" not in said
    assert not any(secret in said for secret in (elsewhere.password, "p%40ss", "a wrong secret"))


def test_a_server_that_is_too_old_is_refused(
    warehouse: Warehouse, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_OLDEST_VERSION", 990_000)
    with (
        pytest.raises(UserError, match=r"DATABASE_URL.* is PostgreSQL 18: 99 or later is needed"),
        open_warehouse(settings(url(elsewhere))),
    ):
        pass


def test_a_role_that_may_not_write_is_refused_before_any_work(
    warehouse: Warehouse, elsewhere: Elsewhere
) -> None:
    require_write_access(warehouse)
    reader = Warehouse.from_url(url(elsewhere, user="reader", password="r"))
    with pytest.raises(UserError, match="role reader may not create tables in staging, marts, ops"):
        require_write_access(reader)


def test_schemas_that_an_administrator_made_are_enough(
    warehouse: Warehouse, elsewhere: Elsewhere
) -> None:
    with warehouse.connect() as connection:
        connection.execute("create schema staging authorization reader; create schema marts")
    reader = Warehouse.from_url(url(elsewhere, user="reader", password="r"))
    require_write_access(reader, schemas=("staging",))
    with pytest.raises(UserError, match="create tables in marts of"):
        require_write_access(reader, schemas=("staging", "marts"))


def test_a_server_that_only_reads_is_refused(warehouse: Warehouse) -> None:
    with warehouse.connect() as connection:
        connection.execute("alter database anna set default_transaction_read_only = on")
    with pytest.raises(UserError, match="DATABASE_URL.*only reads"):
        require_write_access(warehouse)


def test_a_second_writer_is_refused_until_the_first_has_left(warehouse: Warehouse) -> None:
    with (
        single_writer(warehouse, "load"),
        pytest.raises(UserError, match="load") as refused,
        single_writer(warehouse, "load"),
    ):
        pass
    assert "\n" not in str(refused.value)
    with single_writer(warehouse, "load"):
        pass


def test_a_second_writer_goes_on_when_the_first_leaves_while_it_waits(
    warehouse: Warehouse,
) -> None:
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"

    def leave_when_another_waits() -> None:
        with single_writer(warehouse, "load"), warehouse.connect(autocommit=True) as watching:
            is_first.set()
            while watching.execute(waiting).fetchone() == (0,):
                pass

    is_first = threading.Event()
    first = threading.Thread(target=leave_when_another_waits)
    first.start()
    is_first.wait()
    with single_writer(warehouse, "load") as second:
        second.require()
    first.join()


def test_a_writer_whose_connection_was_ended_is_none_any_more(warehouse: Warehouse) -> None:
    with single_writer(warehouse, "load") as writer:
        writer.require()
        with warehouse.connect(autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            )
        with pytest.raises(UserError, match="DATABASE_URL.*kept other processes out") as refused:
            writer.require()
        assert "\n" not in str(refused.value)
        with single_writer(warehouse, "load") as next_one:
            next_one.require()


def test_writers_of_different_things_do_not_meet(warehouse: Warehouse) -> None:
    with single_writer(warehouse, "load"), single_writer(warehouse, "transform"):
        pass


def test_a_killed_writer_leaves_no_lock_behind(used_home: Path) -> None:
    writer = Command(used_home, extra="lock = single_writer(warehouse, 'load'); lock.__enter__()")
    writer.until_open()
    with open_warehouse(Settings(home=used_home)) as warehouse:
        with pytest.raises(UserError), single_writer(warehouse, "load"):
            pass
        writer.kill()
        with warehouse.connect() as connection:  # waits until the server has seen it gone
            connection.execute("select pg_advisory_lock(hashtextextended('p2p:load', 0))")
        with single_writer(warehouse, "load"):
            pass
