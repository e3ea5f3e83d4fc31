"""DATABASE_URL: read as libpq reads it, carried on whole, and never shown."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from warehouse.connection import Warehouse


@pytest.mark.parametrize(
    ("url", "host", "sslmode"),
    [
        ("postgresql://u:p@db.example.com/d", "db.example.com", "require"),
        ("postgres://u:p@10.0.0.5:6000/d", "10.0.0.5", "require"),
        ("postgresql://u:p@db.example.com/d?sslmode=disable", "db.example.com", "disable"),
        ("postgresql://u:p@localhost/d", "localhost", "prefer"),
        ("postgresql://u:p@127.0.0.1/d", "127.0.0.1", "prefer"),
        ("postgresql+psycopg2://u:p@[::1]:5433/d", "::1", "prefer"),
        ("postgresql://u:p@%2Frun%2FPG/d", "/run/PG", "prefer"),
        ("postgresql://u:p@localhost/d?host=/run/PG", "/run/PG", "prefer"),
        ("postgresql:///d", "localhost", "prefer"),
    ],
)
def test_tls_is_required_unless_the_host_is_local_or_the_url_says_otherwise(
    url: str, host: str, sslmode: str
) -> None:
    warehouse = Warehouse.from_url(url)
    assert (warehouse.host, warehouse.sslmode) == (host, sslmode)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me%40work:p%40ss%2F%23%25%C3%A9%20x@db.example.com:6000/my%2Fdata",
        "postgresql://me:x@[::1]:5433/d?channel_binding=require&options=-c%20jit%3Doff",
        "postgresql://me:x@localhost:5433/d?host=/run/a%20b",
    ],
)
def test_its_own_url_means_the_same_to_libpq(url: str) -> None:
    warehouse = Warehouse.from_url(url)
    ours = conninfo_to_dict(warehouse.url)
    given = conninfo_to_dict(url)
    if "options" in ours:  # any white space parts the words of it
        ours["options"] = str(ours["options"]).replace("\t", " ")
    assert given.items() <= ours.items()
    assert ours.get("sslmode", warehouse.sslmode) == warehouse.sslmode
    assert Warehouse.from_url(warehouse.url) == warehouse


def test_the_password_stays_out_of_the_repr() -> None:
    assert "hidden" not in repr(Warehouse.from_url("postgresql://me:hidden@localhost/d"))


def test_options_that_dbt_has_no_place_for_travel_in_libpq_variables() -> None:
    environment = Warehouse.from_url(
        "postgresql://me:pw@db.example.com/d?sslrootcert=/ca.pem&application_name=z"
    ).environment()
    assert environment == {
        "P2P_PG_HOST": "db.example.com",
        "P2P_PG_PORT": "5432",
        "P2P_PG_USER": "me",
        "P2P_PG_PASSWORD": "pw",
        "P2P_PG_DATABASE": "d",
        "P2P_PG_SSLMODE": "require",
        "PGSSLROOTCERT": "/ca.pem",
    }


def test_a_connection_takes_what_the_caller_asks_over_the_defaults() -> None:
    warehouse = Warehouse.from_url("postgresql://me:pw@127.0.0.1:1/d")
    with pytest.raises(psycopg.OperationalError, match="port 2"):
        warehouse.connect(port=2)
