"""What of dbt's project stands in the warehouse as it is written, and need not be made again.

Views and seeds change with the project, not with the market; they are more than half of what a
build would make. They are left alone as long as neither the project's files nor what the warehouse
holds of them has changed since the last green build.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from warehouse.settings import PROJECT_ROOT

if TYPE_CHECKING:
    import psycopg

ONLY_WHAT_MOVES = ("--selector", "what_moves")
"""What dbt is told, to leave views and seeds alone."""

_FILES = PROJECT_ROOT / "dbt_project"
_SEEDS = _FILES / "seeds"
_AT_THE_ROOT = ("dbt_project.yml", "profiles.yml", "selectors.yml")


def selection(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """What the next build has to be told: nothing, where all of the project is to be made.

    What is to be made whole is no longer known to stand until `note_build` says so.
    """
    known = connection.execute("select project_digest, standing_digest from ops.project").fetchone()
    if known is not None and known == (project_digest(), _standing(connection)):
        return ONLY_WHAT_MOVES
    connection.execute("delete from ops.project")
    return ()


def note_build(connection: psycopg.Connection[Any]) -> None:
    """Remember what a green build has left."""
    connection.execute(
        "insert into ops.project (project_digest, standing_digest) values (%s, %s)"
        " on conflict (is_only) do update set project_digest = excluded.project_digest,"
        " standing_digest = excluded.standing_digest, built_at = now()",
        [project_digest(), _standing(connection)],
    )


@cache
def project_digest() -> str:
    """A digest of the files that dbt reads, and of the dbt that reads them."""
    digest = hashlib.sha256()
    for package in ("dbt-core", "dbt-postgres"):
        digest.update(f"{package} {version(package)}\0".encode())
    own = sorted(path for path in _FILES.rglob("*") if path.is_file())
    for path in (*(PROJECT_ROOT / name for name in _AT_THE_ROOT), *own):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PROJECT_ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _standing(connection: psycopg.Connection[Any]) -> str:
    """A digest of the views as the warehouse understands them, and of the rows of the seeds."""
    from psycopg import sql

    views = sql.SQL(
        "select format('%s.%s %s', relnamespace::regnamespace, relname, pg_get_viewdef(oid))"
        " from pg_class where relkind = 'v'"
        " and relnamespace::regnamespace::text in ('staging', 'marts')"
    )
    seeds = [
        sql.SQL("select {name} || seeded::text from {table} as seeded").format(
            name=sql.Literal(f"{path.stem} "), table=sql.Identifier("marts", path.stem)
        )
        for path in sorted(_SEEDS.glob("*.csv"))
        if connection.execute("select to_regclass(%s)", [f"marts.{path.stem}"]).fetchone()
        != (None,)
    ]
    query = sql.SQL(
        "select md5(coalesce(string_agg(said, e'\\n' order by said collate \"C\"), ''))"
        " from ({parts}) as parts (said)"
    ).format(parts=sql.SQL(" union all ").join([views, *seeds]))
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""
