"""How files go into the warehouse."""

from typing import Any

import pytest
from adbc_driver_manager import dbapi

from load.land.destination import Connections
from tests.load.conftest import Loader, Stub, offer
from warehouse.postgres import Warehouse


def test_a_load_asks_once_which_types_the_server_has(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asset in ("USDT", "BTC", "ETH"):
        stub.put(f"VES-{asset}-BUY", [offer(number) for number in range(50)])
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_BYTES", "1")
    monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "2")
    monkeypatch.setattr("load.land.source.ROWS_AT_A_TIME", 2)
    asked, opened = list[dbapi.Connection](), list[dbapi.Connection]()
    connect, open_one = dbapi.connect, Connections.open

    def ask(*arguments: Any, **options: Any) -> dbapi.Connection:
        asked.append(connect(*arguments, **options))
        return asked[-1]

    def open_and_note(connections: Connections, conninfo: str) -> dbapi.Connection:
        opened.append(open_one(connections, conninfo))
        return opened[-1]

    monkeypatch.setattr(dbapi, "connect", ask)
    monkeypatch.setattr(Connections, "open", open_and_note)
    report = loader.run()
    assert loader.rows("select count(*) from staging.pages") == [report.pages]
    assert len(asked) == len(report.load_ids)
    assert len(opened) >= report.pages / 2 > len(asked)
    for connection in (*asked, *opened):
        with pytest.raises(dbapi.ProgrammingError, match="AdbcConnectionInit"):
            connection.cursor()


def test_connections_go_on_when_the_first_one_was_cut(warehouse: Warehouse) -> None:
    connections = Connections()
    with connections.open(warehouse.conninfo), warehouse.connect(autocommit=True) as own:
        cut = own.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid != pg_backend_pid()"
        ).fetchall()
        assert len(cut) >= 2, "the first, and the one that was opened"
        with connections.open(warehouse.conninfo) as another, another.cursor() as cursor:
            cursor.execute("select 1")
            assert cursor.fetchone() == (1,)
    connections.close()
