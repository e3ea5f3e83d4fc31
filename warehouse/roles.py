"""The three roles of a warehouse, what each may do, and for how long a statement may take.

    loader       lands and drops raw tables in `staging`; reads in `ops` what was refused
    transformer  reads raw tables; makes its views in `staging`, and all of `marts` and `ops`
    analyst      reads `marts` and `ops`, and no raw page

Tables belong to the role that makes them, never to who has logged in: so whoever is a member of
both may run the whole line, and what one makes the other may read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, LiteralString

from warehouse.errors import UserError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

LOADER, TRANSFORMER, ANALYST = "loader", "transformer", "analyst"
ROLES = (LOADER, TRANSFORMER, ANALYST)
SCHEMAS = ("staging", "marts", "ops")

LIMITS: Mapping[str, Mapping[str, str]] = {
    LOADER: {
        "lock_timeout": "1min",
        "statement_timeout": "15min",
        "idle_in_transaction_session_timeout": "10min",
    },
    TRANSFORMER: {
        "lock_timeout": "1min",
        "statement_timeout": "2h",
        "idle_in_transaction_session_timeout": "1h",
    },
    ANALYST: {
        "lock_timeout": "5s",
        "statement_timeout": "2min",
        "idle_in_transaction_session_timeout": "5min",
        "default_transaction_read_only": "on",
    },
}
"""Settings of a session. An analyst's are a courtesy of the server's, which he may lift."""

ASSUMABLE: LiteralString = """
    select wanted.role
    from (values ('loader', 'staging'), ('transformer', 'marts')) as wanted (role, at)
    inner join pg_roles as known on known.rolname = wanted.role
    inner join pg_namespace as present on present.nspname = wanted.at
    where
        has_schema_privilege(known.oid, present.oid, 'CREATE')
        and pg_has_role(known.oid, 'MEMBER')
"""
"""Which of the roles who is logged in may act as, in a database that `p2p init` has set up."""

_RELATIONS: LiteralString = """
    select *
    from (
        select
            named.nspname,
            relation.relname,
            case
                when named.nspname != 'staging' then 'transformer'
                when relation.relkind = 'v' or relation.relname ~ '^(stg|int)_' then 'transformer'
                else 'loader'
            end as owner,
            relation.relowner
        from pg_class as relation
        inner join pg_namespace as named on named.oid = relation.relnamespace
        where
            named.nspname in ('staging', 'marts', 'ops')
            and relation.relkind in ('r', 'p', 'v', 'm')
    ) as wanted
    where pg_get_userbyid(wanted.relowner) != wanted.owner
    order by wanted.nspname, wanted.relname
"""

_FUNCTIONS: LiteralString = """
    select routine.oid::regprocedure::text
    from pg_proc as routine
    inner join pg_namespace as named on named.oid = routine.pronamespace
    where named.nspname in ('marts', 'ops')
"""

# Grants that are there already are granted once more, which changes nothing. Those on schemas go
# before all else: to own a table takes a right to make one there.
_GRANTS_ON_SCHEMAS: tuple[LiteralString, ...] = (
    "revoke all on schema staging, marts, ops from public",
    "grant usage, create on schema staging to loader, transformer",
    "grant usage, create on schema marts, ops to transformer",
    "grant usage on schema ops to loader, analyst",
    "grant usage on schema marts to analyst",
)
_GRANTS: tuple[LiteralString, ...] = (
    "grant select on all tables in schema marts, ops to analyst",
    "grant select on all tables in schema ops to loader",
    "alter default privileges for role loader in schema staging"
    " grant select on tables to transformer",
    "alter default privileges for role transformer in schema marts"
    " grant select on tables to analyst",
    "alter default privileges for role transformer in schema ops"
    " grant select on tables to analyst, loader",
)


def set_up(connection: psycopg.Connection[Any]) -> list[str]:
    """Make schemas, roles and grants, and give what is there to its role; returns the roles made.

    No password is set: who administers the server does that, as whoever sets one from here would
    show it to the server's log. Run again it changes nothing.

    Raises:
        UserError: who is logged in may not make roles, or something belongs to somebody else.
    """
    from psycopg import errors, sql

    try:
        with connection.transaction():
            # `if not exists` alone lets two at once collide in the catalogue.
            connection.execute("select pg_advisory_xact_lock(hashtext('p2p:init'))")
            make_schemas(connection)
            made = list(_make_roles(connection))
            for grant in _GRANTS_ON_SCHEMAS:
                connection.execute(grant)
            for schema, name, owner, _ in connection.execute(_RELATIONS).fetchall():
                _give(connection, "table", sql.Identifier(schema, name), owner)
            for (routine,) in connection.execute(_FUNCTIONS).fetchall():
                _give(connection, "function", sql.SQL(routine), TRANSFORMER)
            for (name,) in connection.execute(
                "select relname from pg_class where relowner = 'loader'::regrole"
                " and relnamespace = 'staging'::regnamespace and relkind in ('r', 'p')"
            ).fetchall():
                connection.execute(
                    sql.SQL("grant select on {} to transformer").format(
                        sql.Identifier("staging", name)
                    )
                )
            for grant in _GRANTS:
                connection.execute(grant)
            _set_limits(connection)
    except errors.InsufficientPrivilege as error:
        raise UserError(
            f"DATABASE_URL: {connection.info.user} may not set this up "
            f"({error.diag.message_primary}): p2p init needs a role with CREATEROLE that owns the "
            "database and what is in it, or a superuser."
        ) from None
    return made


def make_schemas(connection: psycopg.Connection[Any]) -> None:
    """Make the schemas that are missing. To ask for one that is there takes a right to make it."""
    from psycopg import sql

    for schema in SCHEMAS:
        if connection.execute("select to_regnamespace(%s)", [schema]).fetchone() == (None,):
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))


def _make_roles(connection: psycopg.Connection[Any]) -> Iterator[str]:
    from psycopg import sql

    for role in ROLES:
        known = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
        if known is None:
            connection.execute(
                sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole").format(
                    sql.Identifier(role)
                )
            )
            yield role
    # To give a table away one has to be a member of whom it goes to.
    for role in (LOADER, TRANSFORMER):
        is_member = connection.execute("select pg_has_role(%s, 'USAGE')", [role]).fetchone()
        if is_member != (True,):
            connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))


def _give(
    connection: psycopg.Connection[Any], kind: LiteralString, name: sql.Composable, owner: str
) -> None:
    from psycopg import sql

    connection.execute(
        sql.SQL("alter {} {} owner to {}").format(sql.SQL(kind), name, sql.Identifier(owner))
    )


def _set_limits(connection: psycopg.Connection[Any]) -> None:
    """Limits for who logs in as a role, in this database only; members get them from us."""
    from psycopg import sql

    database = sql.Identifier(connection.info.dbname)
    for role, limits in LIMITS.items():
        for name, value in limits.items():
            connection.execute(
                sql.SQL("alter role {} in database {} set {} = {}").format(
                    sql.Identifier(role), database, sql.Identifier(name), sql.Literal(value)
                )
            )
    connection.execute(
        sql.SQL("grant connect on database {} to loader, transformer, analyst").format(database)
    )
    connection.execute(sql.SQL("grant temporary on database {} to transformer").format(database))
