"""What `p2p maintain` does to tables and indexes, and what it says."""

from __future__ import annotations

import psycopg
import pytest

from upkeep import retention as upkeep
from upkeep.retention import maintain
from warehouse.errors import UserError
from warehouse.postgres import Warehouse, single_writer
from warehouse.settings import Settings

SIZE = "select pg_relation_size('marts.prices_by_note')"


@pytest.fixture
def connection(warehouse: Warehouse) -> psycopg.Connection[tuple[int, ...]]:
    return warehouse.connect(autocommit=True)


def test_dead_rows_are_cleared_and_an_index_that_outgrew_its_rows_is_made_anew(
    connection: psycopg.Connection[tuple[int, ...]],
    warehouse: Warehouse,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "_WORTH_IT", 100_000)
    with connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.prices as"
            " select number, repeat(number::text, 8) as note"
            " from generate_series(1, 20000) as number"
        )
        connection.execute("create index prices_by_note on marts.prices (note)")
        connection.execute("create index prices_by_number on marts.prices (number)")
        connection.execute("delete from marts.prices where number % 20 != 0")
        (before,) = connection.execute(SIZE).fetchone() or (0,)
        report = maintain(warehouse, settings)
        assert report.vacuumed == 1
        assert "prices_by_note" in report.reindexed
        (after,) = connection.execute(SIZE).fetchone() or (0,)
        assert after < before / 5
        (dead,) = connection.execute(
            "select n_dead_tup from pg_stat_user_tables where relname = 'prices'"
        ).fetchone() or (1,)
        assert dead == 0
        assert maintain(warehouse, settings).reindexed == [], "once is enough"


def test_two_at_once_are_refused_in_one_line(warehouse: Warehouse, settings: Settings) -> None:
    with single_writer(warehouse, "upkeep"), pytest.raises(UserError, match="upkeep"):
        maintain(warehouse, settings)
