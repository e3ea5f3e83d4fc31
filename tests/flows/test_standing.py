"""What stands as the project has it is left alone; what does not is made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from flows import standing
from ops.migrations import migrate
from warehouse.postgres import Warehouse

TOUCHED = {
    "a view that somebody dropped": "drop view marts.depth_bands cascade",
    "a view of the same name": (
        "drop view marts.hour_of_week cascade; create view marts.hour_of_week as select 1 as one"
    ),
    "a threshold of another value": "update marts.offer_flag_rules set threshold = threshold + 1",
    "a seed that somebody dropped": "drop table marts.fiat_time_zones cascade",
}


@pytest.fixture
def built(built_warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """A warehouse after a green build; what is done to it is undone."""
    with built_warehouse.connect() as connection:
        migrate(connection)
        assert standing.selection(connection) == ()
        standing.note_build(connection)
        assert standing.selection(connection) == standing.ONLY_WHAT_MOVES
        yield connection
        connection.rollback()


@pytest.mark.parametrize("wrong", TOUCHED)
def test_what_was_touched_has_all_made_again(built: psycopg.Connection[Any], wrong: str) -> None:
    assert built.execute(TOUCHED[wrong].encode()).rowcount
    assert standing.selection(built) == ()


def test_another_version_of_the_project_has_all_made_again(
    built: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "project_digest", lambda: "another")
    assert standing.selection(built) == ()
    monkeypatch.undo()
    assert standing.selection(built) == (), "a build that did not end is taken for one that did"
