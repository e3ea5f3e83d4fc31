"""Each role logged in, and trying what it must not do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from load.land.landed import create_tables
from load.land.tables import TABLES
from ops.migrations import migrate
from tests.debian import Debian
from warehouse import roles
from warehouse.connection import Warehouse
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse, require_write_access
from warehouse.settings import Settings

SECRET = "what-each-was-given"

Login = Callable[..., psycopg.Connection[Any]]


@pytest.fixture(scope="module")
def owned(debian: Debian) -> Iterator[str]:
    """A database of an owner who is no superuser, set up by him; with logins of all kinds."""
    name = f"market_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        for role in ("owner createrole", "worker", "reader", "passer_by"):
            admin.execute(
                f"create role {role.partition(' ')[0]} login password '{SECRET}'"
                f" {role.partition(' ')[2]}".encode()
            )
        admin.execute(f"create database {name} owner owner".encode())
        with psycopg.connect(debian.url("owner", SECRET, name), autocommit=True) as connection:
            set_up(connection)
        for role in roles.ROLES:
            admin.execute(f"alter role {role} password '{SECRET}'".encode())
        admin.execute("grant loader, transformer to worker; grant analyst to reader")
        yield name
        admin.execute(f"drop database {name} with (force)".encode())
        admin.execute("drop role loader, transformer, analyst, owner, worker, reader, passer_by")


def set_up(connection: psycopg.Connection[Any]) -> list[str]:
    """What `p2p init` does."""
    roles.make_schemas(connection)
    create_tables(connection, TABLES)
    migrate(connection)
    return roles.set_up(connection)


@pytest.fixture
def login(debian: Debian, owned: str) -> Iterator[Login]:
    """Logs in by password, over TLS."""
    opened: list[psycopg.Connection[Any]] = []

    def connect(user: str) -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(debian.url(user, SECRET, owned), autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def marts(login: Login) -> None:
    """A mart and a view that the transformer has made after all was set up."""
    transformer = login("transformer")
    transformer.execute("create table if not exists marts.fact_offers as select 1 as price")
    transformer.execute(
        "create or replace view staging.stg_pages as select snapshot_id from staging.pages"
    )


MAY = {
    "loader": [
        "insert into staging.pages (snapshot_id) values ('A-B-BUY-20261124T000000.000000Z')",
        "create table staging._dlt_loads_of_test (load_id text)",
        "drop table staging._dlt_loads_of_test",
        "select count(*) from ops.quarantined_loads",
        "delete from staging.pages",
    ],
    "transformer": [
        "select count(*) from staging.pages",
        "create view staging.stg_test as select * from staging.snapshots",
        "drop view staging.stg_test",
        "create temporary table profile as select * from marts.fact_offers",
        "insert into ops.runs (run_id, state, started_at) values ('a', 'failed', now())",
        "delete from ops.runs where run_id = 'a'",
        "create table marts.made_later as select 1 as price",
    ],
    "analyst": [
        "select * from marts.fact_offers",
        "select * from marts.made_later",
        "select count(*) from ops.runs",
    ],
}

MUST_NOT = {
    "loader": [
        "select * from marts.fact_offers",
        "drop view staging.stg_pages",
        "insert into ops.quarantined_loads (load_id, reason) values ('1', 'mine')",
        "delete from ops.runs",
        "create table ops.mine (a int)",
        "create table marts.mine (a int)",
    ],
    "transformer": [
        "insert into staging.snapshots (snapshot_id) values ('mine')",
        "delete from staging.pages",
        "update staging.snapshots set is_complete = true",
        "drop table staging.pages",
        "truncate staging.snapshots",
        "alter table staging.pages detach partition staging.pages_default",
    ],
    "analyst": [
        "select * from staging.pages",
        "select * from staging.stg_pages",
        "insert into marts.fact_offers values (2)",
        "update marts.fact_offers set price = 0",
        "delete from ops.runs",
        "create table marts.mine (a int)",
        "create schema mine",
        "set role transformer",
    ],
    "passer_by": ["select * from marts.fact_offers", "select * from ops.runs"],
}
_NOBODY = (
    "create schema of_mine",
    "create role mine",
    "alter role analyst superuser",
    "copy (select 1) to program 'true'",
    "select * from pg_authid",
)


@pytest.mark.usefixtures("marts")
def test_each_role_does_its_work_and_nobody_elses(login: Login) -> None:
    for role, statements in MAY.items():
        connection = login(role)
        for statement in statements:
            connection.execute(statement.encode())
    for role, refused in MUST_NOT.items():
        connection = login(role)
        # A time-out and a mode that only read can be lifted by whoever has them: grants cannot.
        connection.execute("set default_transaction_read_only = off")
        for statement in (*refused, *_NOBODY):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
    login("transformer").execute("drop table marts.made_later")


@pytest.mark.usefixtures("marts")
def test_an_analysts_session_only_reads_and_each_has_its_limits(login: Login) -> None:
    reading = login("analyst")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reading.execute("create temporary table mine (a int)")
    for role in roles.ROLES:
        session = login(role)
        for name, value in roles.LIMITS[role].items():
            assert session.execute("select current_setting(%s)", [name]).fetchone() == (value,)
    assert login("reader").execute("select * from marts.fact_offers").fetchall() == [(1,)]


def test_run_again_it_changes_nothing(login: Login) -> None:
    rights = (
        "select nspname, relname, relowner::regrole::text, relacl::text from pg_class"
        " inner join pg_namespace on pg_namespace.oid = relnamespace"
        " where nspname in ('staging', 'marts', 'ops') order by 1, 2"
    )
    settings = "select setrole::regrole::text, setconfig::text from pg_db_role_setting order by 1"
    schemas = "select nspname, nspacl::text from pg_namespace order by 1"
    owner = login("owner")
    before = [owner.execute(query.encode()).fetchall() for query in (rights, settings, schemas)]
    assert set_up(owner) == []
    after = [owner.execute(query.encode()).fetchall() for query in (rights, settings, schemas)]
    assert after == before
    assert {(schema, name): of for schema, name, of, _ in after[0]}[
        ("staging", "pages_default")
    ] == "loader"


def test_what_a_member_of_both_makes_belongs_to_the_role_and_is_read_by_the_analyst(
    debian: Debian, owned: str, login: Login
) -> None:
    url = debian.url("worker", SECRET, owned)
    with open_warehouse(Settings(database_url=url)) as warehouse:  # type: ignore[arg-type]
        assert warehouse.roles == {"loader", "transformer"}
        require_write_access(warehouse)
        acting = {role: warehouse.acting_as(role) for role in ("loader", "transformer")}
        with acting["transformer"].connect(autocommit=True) as connection:
            connection.execute("create table marts.by_worker as select 1 as price")
            said = connection.execute("select current_user, current_setting('lock_timeout')")
            assert said.fetchone() == ("transformer", "1min")
        # The form in which dlt and its driver take it.
        with psycopg.connect(acting["loader"].conninfo) as connection:
            assert connection.execute("select current_user").fetchone() == ("loader",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("delete from ops.runs")
        assert "role=transformer" in acting["transformer"].environment()["PGOPTIONS"]
    assert login("reader").execute("select * from marts.by_worker").fetchall() == [(1,)]
    login("transformer").execute("drop table marts.by_worker")


def test_no_password_is_set_by_us(debian: Debian, owned: str) -> None:
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute("alter role analyst password null")
        with psycopg.connect(debian.url("owner", SECRET, owned), autocommit=True) as connection:
            set_up(connection)
        try:
            kept = admin.execute("select rolpassword from pg_authid where rolname = 'analyst'")
            assert kept.fetchone() == (None,)
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(debian.url("analyst", "x", owned))
        finally:
            admin.execute(f"alter role analyst password '{SECRET}'".encode())


def test_who_may_not_make_roles_is_told_in_one_line_and_nothing_is_made(
    debian: Debian, owned: str
) -> None:
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute("create database poor owner passer_by")
        try:
            with psycopg.connect(
                debian.url("passer_by", SECRET, "poor"), autocommit=True
            ) as connection:
                with pytest.raises(UserError, match="passer_by may not set this up.*CREATEROLE"):
                    roles.set_up(connection)
                assert connection.execute("select to_regnamespace('marts')").fetchone() == (None,)
        finally:
            admin.execute("drop database poor with (force)")


def test_a_database_that_was_never_set_up_is_worked_in_as_who_is_logged_in(
    warehouse: Warehouse,
) -> None:
    assert warehouse.acting_as("loader") is warehouse
