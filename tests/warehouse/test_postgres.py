"""A server of the user's own: what is wrong with DATABASE_URL is said in one line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import psycopg
import psycopg2  # type: ignore[import-untyped]
import pytest
from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

from tests.warehouse.conftest import Elsewhere
from warehouse import postgres
from warehouse.connection import PARAMETERS, Warehouse
from warehouse.errors import UserError
from warehouse.postgres import (
    clock_lead,
    open_warehouse,
    require_write_access,
)
from warehouse.settings import Settings


def settings(database_url: str) -> Settings:
    """Settings with this DATABASE_URL."""
    return Settings(database_url=database_url)  # type: ignore[arg-type]


def test_a_password_with_special_characters_opens_the_warehouse(
    foreign: Warehouse, elsewhere: Elsewhere
) -> None:
    with open_warehouse(settings(elsewhere.url())) as opened:
        assert opened == foreign
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
        ({"query": "?connect_timeout=abc"}, "its connect_timeout must be a number of seconds"),
        ({"query": "?keepalives=abc"}, "invalid integer value"),
        ({"query": "?gssencmode=" + quote(Elsewhere.password, safe="")}, '"***"'),
        # A password like a word is none in our own words, and one where libpq repeats it.
        ({"password": "swordfish", "query": "?gssencmode=swordfish"}, '"***"'),
    ],
)
def test_a_url_that_leads_nowhere_is_one_line_without_the_password(
    foreign: Warehouse, elsewhere: Elsewhere, changes: dict[str, str | int], reason: str
) -> None:
    with (
        pytest.raises(UserError, match="DATABASE_URL") as refused,
        open_warehouse(settings(elsewhere.url(**changes))),
    ):
        pass
    said = str(refused.value)
    assert reason in said
    assert "\n" not in said
    assert not any(secret in said for secret in (elsewhere.password, "p%40ss", "a wrong secret"))


def test_a_server_that_is_too_old_is_refused(
    foreign: Warehouse, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_OLDEST_VERSION", 990_000)
    with (
        pytest.raises(UserError, match=r"DATABASE_URL.* is PostgreSQL 18: 99 or later is needed"),
        open_warehouse(settings(elsewhere.url())),
    ):
        pass


def test_a_role_that_may_not_write_is_refused_before_any_work(
    foreign: Warehouse, elsewhere: Elsewhere
) -> None:
    require_write_access(foreign)
    reader = Warehouse.from_url(elsewhere.url(user="reader", password="r"))
    with pytest.raises(UserError, match="role reader may not create tables in staging, marts, ops"):
        require_write_access(reader)


def test_schemas_that_an_administrator_made_are_enough(
    foreign: Warehouse, elsewhere: Elsewhere
) -> None:
    with foreign.connect() as connection:
        connection.execute("create schema staging authorization reader; create schema marts")
    reader = Warehouse.from_url(elsewhere.url(user="reader", password="r"))
    require_write_access(reader, schemas=("staging",))
    with pytest.raises(UserError, match="create tables in marts of"):
        require_write_access(reader, schemas=("staging", "marts"))


def test_a_server_that_only_reads_is_refused(foreign: Warehouse, elsewhere: Elsewhere) -> None:
    options = "?options=" + quote("-c default_transaction_read_only=on")
    with pytest.raises(UserError, match="DATABASE_URL.*only reads"):
        require_write_access(Warehouse.from_url(elsewhere.url(query=options)))


ODD_SETTINGS = {
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "sql_standard",
    "TimeZone": "'Asia/Kolkata'",
    "client_encoding": "latin1",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "extra_float_digits": "-3",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
}


@pytest.fixture
def odd_settings(foreign: Warehouse) -> None:
    """A database in which sessions begin otherwise than anywhere else."""
    with foreign.connect(autocommit=True) as connection:
        for name, value in ODD_SETTINGS.items():
            connection.execute(f"alter database anna set {name} = {value}".encode())


@pytest.mark.usefixtures("odd_settings")
def test_what_a_server_says_of_sessions_reaches_no_connection_of_any_library(
    foreign: Warehouse, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = "select name, setting from pg_settings where source in ('database', 'user')"
    with open_warehouse(settings(elsewhere.url())) as opened:
        require_write_access(opened)
        with opened.connect() as connection:
            assert connection.execute(odd.encode()).fetchall() == []
            (there,) = connection.execute("select now()").fetchone() or (None,)
        assert there is not None
        assert there.utcoffset() == timedelta()
        with dbapi.connect(opened.conninfo) as adbc, adbc.cursor() as cursor:
            cursor.execute(odd)
            assert cursor.fetchall() == []
    for name, value in opened.environment().items():
        monkeypatch.setenv(name, value)
    as_dbt = psycopg2.connect(
        host=opened.host,
        port=opened.port,
        user=opened.user,
        password=opened.password,
        dbname=opened.database,
    )
    try:
        with as_dbt.cursor() as cursor:
            cursor.execute(odd)
            assert cursor.fetchall() == []
        assert as_dbt.info.dsn_parameters["tcp_user_timeout"] == PARAMETERS["tcp_user_timeout"]
    finally:
        as_dbt.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_name_is_refused(
    foreign: Warehouse, elsewhere: Elsewhere, encoding: str
) -> None:
    with psycopg.connect(elsewhere.url(database="postgres"), autocommit=True) as connection:
        connection.execute("drop database anna with (force)")
        connection.execute(
            f"create database anna encoding '{encoding}' locale 'C' template template0".encode()
        )
    with (
        pytest.raises(UserError, match=f"DATABASE_URL: .* is kept in {encoding}") as refused,
        open_warehouse(settings(elsewhere.url())),
    ):
        pass
    assert "\n" not in str(refused.value)


def test_a_quote_in_the_name_of_a_database_is_refused(elsewhere: Elsewhere) -> None:
    with (
        pytest.raises(UserError, match="DATABASE_URL: dbt does not get along with the quote in"),
        open_warehouse(settings(elsewhere.url(database="it's"))),
    ):
        pass


def shifted(**by: float) -> Callable[[], datetime]:
    """A clock that is off by so much."""
    return lambda: datetime.now(UTC) + timedelta(**by)


@pytest.mark.parametrize(("minutes", "said"), [(11, "11 min ahead of"), (-11, "11 min behind")])
def test_a_clock_that_is_ten_minutes_off_the_servers_stamps_nothing(
    foreign: Warehouse, minutes: int, said: str
) -> None:
    with pytest.raises(UserError, match=f"clock of this machine is {said} that of the server"):
        require_write_access(foreign, clock=shifted(minutes=minutes))


def test_a_clock_that_is_a_minute_off_the_servers_is_said(
    foreign: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    require_write_access(foreign, clock=shifted(seconds=50))
    assert caplog.records == []
    require_write_access(foreign, clock=shifted(seconds=-70))
    (record,) = caplog.records
    assert record.__dict__["this_machine_is"] == "1 min behind the server"


def test_what_the_question_took_on_its_way_is_no_difference_of_clocks(
    foreign: Warehouse,
) -> None:
    started = datetime.now(UTC)
    slow = iter([started - timedelta(minutes=5), started + timedelta(minutes=5)])
    with foreign.connect() as connection:
        assert clock_lead(connection, lambda: next(slow)) == timedelta()
