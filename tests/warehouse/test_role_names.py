"""A server whose roles are also another project's: ours have a prefix, and no other is taken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from load.land.landed import create_tables
from load.land.tables import TABLES
from ops.migrations import migrate
from tests.debian import Debian
from warehouse import roles
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse
from warehouse.settings import load_settings

SECRET = "of-a-test"


@dataclass(frozen=True)
class Place:
    """A database, its owner who may make roles, and a prefix of its own for their names."""

    debian: Debian
    database: str
    prefix: str

    def connect(self, user: str | None = None) -> psycopg.Connection[Any]:
        """Log in as the owner, or as another; `postgres` may do anything."""
        secret = None if user == "postgres" else SECRET
        url = self.debian.url(user or f"{self.prefix}owner", secret, self.database)
        return psycopg.connect(url, autocommit=True)

    def set_up(self, *, adopt: bool = False) -> list[str]:
        """What `p2p init` does."""
        with self.connect() as connection:
            roles.make_schemas(connection)
            create_tables(connection, TABLES)
            migrate(connection)
            return roles.set_up(connection, self.prefix, adopt=adopt)


@pytest.fixture
def place(debian: Debian) -> Iterator[Place]:
    """A database without anything in it."""
    name = f"t{uuid.uuid4().hex[:8]}"
    made = Place(debian, name, f"{name}_")
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute(f"create role {name}_owner login createrole password '{SECRET}'".encode())
        admin.execute(f"create role {name}_member login password '{SECRET}'".encode())
        admin.execute(f"create database {name} owner {name}_owner".encode())
        yield made
        admin.execute(f"drop database {name} with (force)".encode())
        for (role,) in admin.execute(
            "select rolname from pg_roles where rolname like %s", [f"{name}%"]
        ).fetchall():
            admin.execute(f"drop role {role}".encode())


def opened_as_member(place: Place) -> frozenset[str]:
    """As which roles a member of two of them may act."""
    url = place.debian.url(f"{place.prefix}member", SECRET, place.database)
    with open_warehouse(load_settings(database_url=url, role_prefix=place.prefix)) as warehouse:
        for role in warehouse.roles:
            with warehouse.acting_as(role).connect() as connection:
                acts = connection.execute("select current_user").fetchone()
                assert acts == (f"{place.prefix}{role}",)
        return warehouse.roles


def grant(place: Place) -> None:
    """Make the member one of both roles that write."""
    with place.connect("postgres") as admin:
        for role in ("loader", "transformer"):
            admin.execute(f"grant {place.prefix}{role} to {place.prefix}member".encode())


def test_roles_with_a_prefix_do_all_that_those_without_one_do(place: Place) -> None:
    assert place.set_up() == [f"{place.prefix}{role}" for role in roles.ROLES]
    grant(place)
    assert opened_as_member(place) == {"loader", "transformer"}
    with place.connect() as connection:
        owners = connection.execute(
            "select distinct nspname, relowner::regrole::text from pg_class"
            " inner join pg_namespace on pg_namespace.oid = relnamespace"
            " where nspname in ('staging', 'marts', 'ops') and relkind = 'r' order by 1, 2"
        ).fetchall()
    assert owners == [
        ("ops", f"{place.prefix}transformer"),
        ("staging", f"{place.prefix}loader"),
    ]
    assert place.set_up() == []


def test_a_role_of_another_project_is_neither_adopted_nor_acted_as_unasked(place: Place) -> None:
    with place.connect("postgres") as admin:
        admin.execute(f"create role {place.prefix}loader".encode())
        admin.execute(f"grant {place.prefix}loader to {place.prefix}member".encode())
        admin.execute("create schema staging")
        admin.execute(f"grant create on schema staging to {place.prefix}loader".encode())
    assert opened_as_member(place) == frozenset()
    with place.connect() as connection, pytest.raises(UserError) as refused:
        roles.set_up(connection, place.prefix)
    said = str(refused.value)
    assert "\n" not in said
    assert f"a role {place.prefix}loader that p2p did not make" in said
    assert "P2P_ROLE_PREFIX" in said
    assert "--adopt-roles" in said
    with place.connect() as connection:
        made = connection.execute(
            "select count(*) from pg_roles where rolname = %s", [f"{place.prefix}transformer"]
        )
        assert made.fetchone() == (0,)


def test_a_role_of_another_project_is_ours_when_that_is_asked_for(place: Place) -> None:
    with place.connect("postgres") as admin:
        admin.execute(f"create role {place.prefix}loader".encode())
    made = place.set_up(adopt=True)
    assert made == [f"{place.prefix}transformer", f"{place.prefix}analyst"]
    grant(place)
    assert opened_as_member(place) == {"loader", "transformer"}
    assert place.set_up() == []


def test_roles_of_a_version_that_left_no_comment_are_known_by_their_limits(place: Place) -> None:
    place.set_up()
    grant(place)
    with place.connect("postgres") as admin:
        for role in roles.ROLES:
            admin.execute(f"comment on role {place.prefix}{role} is null".encode())
    assert opened_as_member(place) == {"loader", "transformer"}
    assert place.set_up() == []
    with place.connect() as connection:
        kept = connection.execute(
            "select distinct shobj_description(oid, 'pg_authid') from pg_roles"
            " where rolname = any(%s)",
            [[f"{place.prefix}{role}" for role in roles.ROLES]],
        ).fetchall()
    assert kept == [(roles.MARK,)]
