"""One writer of each kind in a foreign, whatever becomes of its connection."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.warehouse.conftest import Command, Elsewhere
from warehouse.connection import Warehouse
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse, single_writer
from warehouse.settings import Settings


def test_a_second_writer_is_refused_until_the_first_has_left(foreign: Warehouse) -> None:
    with (
        single_writer(foreign, "load"),
        pytest.raises(UserError, match="load") as refused,
        single_writer(foreign, "load"),
    ):
        pass
    assert "\n" not in str(refused.value)
    with single_writer(foreign, "load"):
        pass


def holders(foreign: Warehouse) -> list[int]:
    """The server's processes that hold a writer's lock."""
    with foreign.connect() as connection:
        return [
            pid
            for (pid,) in connection.execute(
                "select pid from pg_locks inner join pg_database on pg_database.oid = database"
                " where locktype = 'advisory' and granted and datname = current_database()"
            )
        ]


def end(foreign: Warehouse, *pids: int) -> None:
    """Have the server end connections, as it does when it restarts."""
    with foreign.connect(autocommit=True) as connection:
        for pid in pids:
            ended = connection.execute("select pg_terminate_backend(%s, 10000)", [pid])
            assert ended.fetchone() == (True,)


def test_a_second_writer_goes_on_when_the_first_leaves_while_it_waits(
    foreign: Warehouse,
) -> None:
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    happened: list[str] = []

    def leave_when_another_waits() -> None:
        with single_writer(foreign, "load"), foreign.connect(autocommit=True) as watching:
            is_first.set()
            while watching.execute(waiting).fetchone() == (0,):
                pass
            happened.append("the first leaves")

    is_first = threading.Event()
    first = threading.Thread(target=leave_when_another_waits)
    first.start()
    is_first.wait()
    with single_writer(foreign, "load"):
        happened.append("the second is in")
        assert len(holders(foreign)) == 1
    first.join()
    assert happened == ["the first leaves", "the second is in"]


def test_a_writer_whose_connection_was_ended_takes_the_lock_again(foreign: Warehouse) -> None:
    with single_writer(foreign, "load") as writer:
        before = holders(foreign)
        end(foreign, *before)
        assert holders(foreign) == []
        writer.require()
        (now,) = holders(foreign)
        assert now not in before
        with pytest.raises(UserError, match="at it already"), single_writer(foreign, "load"):
            pass
    assert holders(foreign) == []


def test_a_writer_whose_connection_was_ended_is_none_when_another_is_at_it(
    foreign: Warehouse,
) -> None:
    with single_writer(foreign, "load") as writer:
        end(foreign, *holders(foreign))
        with single_writer(foreign, "load"):
            with pytest.raises(UserError, match="DATABASE_URL.*kept other processes out") as failed:
                writer.require()
            assert "\n" not in str(failed.value)


def test_a_writer_waits_for_a_server_that_restarts_and_not_for_ever(
    foreign: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr("warehouse.writer._RESTART_PATIENCE", -1.0)
    with single_writer(foreign, "load") as writer:
        monkeypatch.setattr(writer, "_warehouse", replace(foreign, port=1))
        end(foreign, *holders(foreign))
        with pytest.raises(UserError, match="lets us in no more"):
            writer.require()
        assert waits == []
        monkeypatch.setattr("warehouse.writer._RESTART_PATIENCE", 3600.0)
        monkeypatch.setattr(
            "time.sleep", lambda _: monkeypatch.setattr(writer, "_warehouse", foreign)
        )
        writer.require()
        assert len(holders(foreign)) == 1


def test_a_writer_holds_back_no_vacuum_and_no_sequence_of_transactions(
    foreign: Warehouse,
) -> None:
    def held() -> list[tuple[object, ...]]:
        with foreign.connect() as connection:
            return connection.execute(
                "select state, backend_xid, backend_xmin from pg_stat_activity where pid = any(%s)",
                [holders(foreign)],
            ).fetchall()

    with single_writer(foreign, "load") as writer:
        assert held() == [("idle in transaction", None, None)]
        writer.require()
        assert held() == [("idle in transaction", None, None)]


def test_no_timeout_of_a_role_ends_a_writer(foreign: Warehouse, elsewhere: Elsewhere) -> None:
    names = (
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "statement_timeout",
        "transaction_timeout",
    )
    with foreign.connect(autocommit=True) as connection:
        for name in names:
            connection.execute(f"alter role reader set {name} = '200ms'".encode())
    reader = Warehouse.from_url(elsewhere.url(user="reader", password="r"))
    with single_writer(reader, "load") as writer:
        before = holders(foreign)
        with foreign.connect(autocommit=True) as watching:
            while watching.execute(
                "select now() - state_change < interval '500ms' from pg_stat_activity"
                " where pid = any(%s)",
                [before],
            ).fetchone() == (True,):
                pass
        writer.require()
        assert holders(foreign) == before
        with pytest.raises(UserError, match="at it already"), single_writer(reader, "load"):
            pass


def test_writers_of_different_things_do_not_meet(foreign: Warehouse) -> None:
    with single_writer(foreign, "load"), single_writer(foreign, "transform"):
        assert len(set(holders(foreign))) == 2


def test_a_killed_writer_leaves_no_lock_behind(used_home: Path) -> None:
    writer = Command(used_home, extra="lock = single_writer(warehouse, 'load'); lock.__enter__()")
    writer.until_open()
    with open_warehouse(Settings(home=used_home)) as foreign:
        with pytest.raises(UserError), single_writer(foreign, "load"):
            pass
        writer.kill()
        with foreign.connect() as connection:  # waits until the server has seen it gone
            connection.execute("select pg_advisory_lock(hashtextextended('p2p:load', 0))")
        with single_writer(foreign, "load"):
            pass
