"""A database whose sessions begin otherwise than anywhere else: the facts are the same."""

from __future__ import annotations

import pytest
from psycopg import sql

from tests.flows.conftest import DATABASE, House, Story, moment
from tests.warehouse.test_postgres import ODD_SETTINGS

pytestmark = pytest.mark.timeout(600)


def without_snapshots(history: dict[str, list[str]]) -> dict[str, list[str]]:
    """But for how many pages a reading took that fell short: those are under way side by side."""
    return {table: rows for table, rows in history.items() if table != "fact_snapshots"}


def test_what_a_database_says_of_sessions_makes_no_difference_to_the_marts(
    house: House, story: Story
) -> None:
    house.empty()
    with house.server.connect(autocommit=True) as connection:
        for name, value in ODD_SETTINGS.items():
            connection.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(name), sql.SQL(value)
                )
            )
    house.exchange.source = story.at(0)
    house.cycle(moment(0))
    assert without_snapshots(house.history()) == without_snapshots(story.first)
    house.exchange.source = story.at(1)
    house.cycle(moment(1))
    assert without_snapshots(house.history()) == without_snapshots(story.second)
