"""DATABASE_URL: read as libpq reads it, carried on whole, and never shown."""

from urllib.parse import quote

import psycopg
import psycopg2.extensions  # type: ignore[import-untyped]
import pytest
from psycopg.conninfo import conninfo_to_dict

from warehouse.connection import PARAMETERS, Warehouse

ODD = ("a b", "50%", "%41", "a+b", "it's", '"quoted"', "back\\slash", "жук {x}", "a=b c='d'")


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
        "postgresql://me:x@localhost:5433/d?host=/run/a%20b+c",
    ],
)
def test_its_own_url_means_the_same_to_libpq(url: str) -> None:
    warehouse = Warehouse.from_url(url)
    ours = conninfo_to_dict(warehouse.url)
    assert conninfo_to_dict(url).items() <= ours.items()
    assert ours.get("sslmode", warehouse.sslmode) == warehouse.sslmode
    assert Warehouse.from_url(warehouse.url) == warehouse


def test_the_password_stays_out_of_the_repr() -> None:
    assert "hidden" not in repr(Warehouse.from_url("postgresql://me:hidden@localhost/d"))


def test_options_that_dbt_has_no_place_for_travel_in_libpq_variables() -> None:
    environment = Warehouse.from_url(
        "postgresql://me:pw@db.example.com/d?sslrootcert=/ca.pem&application_name=z"
    ).environment()
    options = environment.pop("PGOPTIONS")
    assert "-c default_transaction_isolation=read\\ committed -c " in options
    assert environment.pop("PGSERVICEFILE")
    assert environment == {
        "PGDATESTYLE": "ISO",
        "PGSERVICE": "p2p",
        "PGTZ": "UTC",
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


@pytest.mark.parametrize("odd", ODD)
def test_odd_characters_reach_libpq_as_they_are_in_whatever_form(odd: str) -> None:
    said = quote(odd, safe="")
    warehouse = Warehouse.from_url(f"postgresql://{said}:{said}@localhost/{said}?host=/run/{said}")
    wanted = {"user": odd, "password": odd, "dbname": odd, "host": f"/run/{odd}"}
    assert wanted.items() <= warehouse.parameters.items()
    assert wanted.items() <= psycopg2.extensions.parse_dsn(warehouse.conninfo).items()
    assert Warehouse.from_url(warehouse.url) == warehouse


def test_every_connection_notices_a_peer_that_is_gone() -> None:
    warehouse = Warehouse.from_url("postgresql://me:pw@db.example.com/d?keepalives_idle=5")
    asked = {**PARAMETERS, "keepalives_idle": "5"}
    assert asked.items() <= warehouse.parameters.items()
    assert asked.items() <= conninfo_to_dict(warehouse.conninfo).items()
