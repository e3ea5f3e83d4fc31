"""The three roles of a warehouse, what each may do, and for how long a statement may take.

Their names may carry a prefix, as a server's roles are those of all its databases. `p2p init` puts
a comment on each that it makes: another project's role of such a name is never taken for ours.

    loader       lands and drops raw tables in `staging`; reads in `ops` what was refused
    transformer  reads raw tables; makes its views in `staging`, and all of `marts` and `ops`
    analyst      reads `marts` and `ops`, and no raw page

Tables belong to the role that makes them, never to who has logged in: so whoever is a member of
both may run the full pipeline, and what one makes the other may read.
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

MARK = "p2p: made by p2p init"
"""The comment on a role that is ours."""

_HOME = {LOADER: "staging", TRANSFORMER: "marts"}
"""The schema that whoever may act as the role must be able to make tables in."""

# A version before the comment is known by the limits that it set in this database.
_IS_OURS: LiteralString = """
    (
        coalesce(shobj_description(known.oid, 'pg_authid') = %(mark)s, false)
        or exists (
            select
            from pg_db_role_setting as kept
            inner join pg_database as here on here.oid = kept.setdatabase
            where
                here.datname = current_database()
                and kept.setrole = known.oid
                and kept.setconfig @> %(limits)s::text[]
        )
    )
"""
_IS_ASSUMABLE: LiteralString = """
    pg_has_role(known.oid, 'MEMBER')
    and has_schema_privilege(known.oid, to_regnamespace(%(schema)s), 'CREATE')
"""

_RELATIONS: LiteralString = """
    select *
    from (
        select
            named.nspname,
            relation.relname,
            %(prefix)s || case
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
    "grant usage, create on schema staging to {loader}, {transformer}",
    "grant usage, create on schema marts, ops to {transformer}",
    "grant usage on schema ops to {loader}, {analyst}",
    "grant usage on schema marts to {analyst}",
)
_GRANTS: tuple[LiteralString, ...] = (
    "grant select on all tables in schema marts, ops to {analyst}",
    "grant select on all tables in schema ops to {loader}",
    "alter default privileges for role {loader} in schema staging"
    " grant select on tables to {transformer}",
    "alter default privileges for role {transformer} in schema marts"
    " grant select on tables to {analyst}",
    "alter default privileges for role {transformer} in schema ops"
    " grant select on tables to {analyst}, {loader}",
)


def assumable(connection: psycopg.Connection[Any], prefix: str) -> frozenset[str]:
    """Which of the roles who is logged in may act as, in a database that `p2p init` has set up."""
    return frozenset(
        role
        for role, schema in _HOME.items()
        if _is(connection, _IS_OURS + "and" + _IS_ASSUMABLE, role, prefix, schema=schema)
    )


def require_own(connection: psycopg.Connection[Any], prefix: str) -> None:
    """Make sure that no role of these names is somebody else's.

    Raises:
        UserError: one is: neither a comment on it nor its limits say that it was made here.
    """
    for role in ROLES:
        if _is(connection, "true", role, prefix) and not _is(connection, _IS_OURS, role, prefix):
            raise UserError(
                f"P2P_ROLE_PREFIX: this server has a role {prefix}{role} that p2p did not make: "
                "set a prefix, such as p2p_, for roles of our own; or say "
                f"p2p init --adopt-roles to have {prefix}{role} used here, and given rights."
            )


def set_up(
    connection: psycopg.Connection[Any], prefix: str = "", *, adopt: bool = False
) -> list[str]:
    """Make schemas, roles and grants, and give what is there to its role; returns the roles made.

    No password is set: who administers the server does that, as whoever sets one from here would
    show it to the server's log. Run again it changes nothing. `adopt` takes roles of these names
    for ours, whoever made them.

    Raises:
        UserError: who is logged in may not make roles, a role is somebody else's, or something
            belongs to somebody else.
    """
    from psycopg import errors, sql

    names = {role: sql.Identifier(f"{prefix}{role}") for role in ROLES}
    try:
        with connection.transaction():
            # `if not exists` alone lets two at once collide in the catalogue.
            connection.execute("select pg_advisory_xact_lock(hashtext('p2p:init'))")
            if not adopt:
                require_own(connection, prefix)
            make_schemas(connection)
            made = list(_make_roles(connection, prefix))
            for grant in _GRANTS_ON_SCHEMAS:
                connection.execute(sql.SQL(grant).format(**names))
            for schema, name, owner, _ in connection.execute(
                _RELATIONS, {"prefix": prefix}
            ).fetchall():
                _give(connection, "table", sql.Identifier(schema, name), owner)
            for (routine,) in connection.execute(_FUNCTIONS).fetchall():
                _give(connection, "function", sql.SQL(routine), f"{prefix}{TRANSFORMER}")
            for (name,) in connection.execute(
                "select relname from pg_class where pg_get_userbyid(relowner) = %s"
                " and relnamespace = 'staging'::regnamespace and relkind in ('r', 'p')",
                [f"{prefix}{LOADER}"],
            ).fetchall():
                connection.execute(
                    sql.SQL("grant select on {} to {}").format(
                        sql.Identifier("staging", name), names[TRANSFORMER]
                    )
                )
            for grant in _GRANTS:
                connection.execute(sql.SQL(grant).format(**names))
            _set_limits(connection, names)
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


def _is(
    connection: psycopg.Connection[Any],
    condition: LiteralString,
    role: str,
    prefix: str,
    schema: str | None = None,
) -> bool:
    """Whether there is such a role, and it meets the condition."""
    given = {
        "name": f"{prefix}{role}",
        "mark": MARK,
        "limits": [f"{name}={value}" for name, value in LIMITS[role].items()],
        "schema": schema,
    }
    query: LiteralString = "select from pg_roles as known where known.rolname = %(name)s and "
    return connection.execute(query + condition, given).fetchone() is not None


def _make_roles(connection: psycopg.Connection[Any], prefix: str) -> Iterator[str]:
    from psycopg import sql

    for role in ROLES:
        name = sql.Identifier(f"{prefix}{role}")
        if not _is(connection, "true", role, prefix):
            connection.execute(
                sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole").format(name)
            )
            yield f"{prefix}{role}"
        connection.execute(sql.SQL("comment on role {} is {}").format(name, sql.Literal(MARK)))
    # To give a table away one has to be a member of whom it goes to.
    for role in (LOADER, TRANSFORMER):
        name = sql.Identifier(f"{prefix}{role}")
        is_member = connection.execute(
            "select pg_has_role(%s, 'USAGE')", [f"{prefix}{role}"]
        ).fetchone()
        if is_member != (True,):
            connection.execute(sql.SQL("grant {} to current_user").format(name))


def _give(
    connection: psycopg.Connection[Any], kind: LiteralString, name: sql.Composable, owner: str
) -> None:
    from psycopg import sql

    connection.execute(
        sql.SQL("alter {} {} owner to {}").format(sql.SQL(kind), name, sql.Identifier(owner))
    )


def _set_limits(connection: psycopg.Connection[Any], names: Mapping[str, sql.Identifier]) -> None:
    """Limits for who logs in as a role, in this database only; members get them from us."""
    from psycopg import sql

    database = sql.Identifier(connection.info.dbname)
    for role, limits in LIMITS.items():
        for name, value in limits.items():
            connection.execute(
                sql.SQL("alter role {} in database {} set {} = {}").format(
                    names[role], database, sql.Identifier(name), sql.Literal(value)
                )
            )
    for grant in (
        "grant connect on database {database} to {loader}, {transformer}, {analyst}",
        "grant temporary on database {database} to {transformer}",
    ):
        connection.execute(sql.SQL(grant).format(database=database, **names))
