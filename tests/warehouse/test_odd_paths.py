"""A socket in a folder of an odd name: every library finds it."""

from dataclasses import replace
from pathlib import Path

import psycopg2  # type: ignore[import-untyped]
import sqlalchemy

from flows.transform import run_dbt
from load.land.destination import Connections
from warehouse.postgres import open_warehouse
from warehouse.settings import load_settings


def test_a_socket_in_a_folder_of_an_odd_name_is_reached_by_every_library(
    used_home: Path, place: Path
) -> None:
    name = "a b+c%41 it's 50% жук"
    (place / name).symlink_to(used_home / "run")
    with open_warehouse(load_settings(home=used_home)) as opened:
        warehouse = replace(opened, host=str(place / name))
        with warehouse.connect() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        connections = Connections()
        with connections.open(warehouse.conninfo) as adbc, adbc.cursor() as cursor:
            cursor.execute("select 1")
            assert cursor.fetchone() == (1,)
        connections.close()
        by_dlt = psycopg2.connect(warehouse.conninfo)
        by_dlt.close()
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://user@localhost/warehouse", connect_args=warehouse.parameters
        )
        with engine.connect() as by_expectations:
            assert by_expectations.scalar(sqlalchemy.text("select 1")) == 1
        engine.dispose()
        assert run_dbt(warehouse, ["show", "--inline", "select 1 as one"], place / "dbt").is_success
