"""TLS and passwords, against Debian's own PostgreSQL with a certificate made here."""

from __future__ import annotations

import pytest

from tests.debian import Debian
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse
from warehouse.settings import Settings


def settings(url: str) -> Settings:
    return Settings(database_url=url)  # type: ignore[arg-type]


def test_a_server_that_proves_who_it_is_is_reached_over_tls(debian: Debian) -> None:
    with open_warehouse(settings(debian.url())) as warehouse, warehouse.connect() as connection:
        row = connection.execute(
            "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
        ).fetchone()
    assert row == (True, "TLSv1.3")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sslrootcert": "stranger"}, "certificate is not accepted"),
        ({"host": "127.0.0.1"}, "certificate is not accepted"),
        ({"sslrootcert": "/nowhere.crt"}, "certificate"),
        ({"sslmode": "disable"}, "the server admits no such user, database or host"),
        ({"password": "another secret"}, "the user or the password is wrong"),
        ({"user": "nobody-here"}, "the user or the password is wrong"),
    ],
)
def test_whatever_is_not_as_it_should_be_is_refused_in_one_line_that_hides_the_password(
    debian: Debian, changes: dict[str, str], reason: str
) -> None:
    if changes.get("sslrootcert") == "stranger":
        changes = {"sslrootcert": str(debian.stranger)}
    with (
        pytest.raises(UserError, match="DATABASE_URL") as refused,
        open_warehouse(settings(debian.url(**changes))),
    ):
        pass
    said = str(refused.value)
    assert reason in said
    assert "\n" not in said
    assert "another secret" not in said
    assert debian.password not in said
