"""Killed in the middle of a cycle and run again: as if never killed, and without a hand."""

from __future__ import annotations

import signal

import pytest

from ops import record
from tests.flows.conftest import PATIENCE, House, Story, moment, wait_for
from tests.flows.recordings import ad_number
from tests.flows.victim import POINTS


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_run_again_gives_what_an_undisturbed_run_gives(
    house: House, story: Story, point: str
) -> None:
    house.go_back_to("first")
    house.exchange.source = story.at(1)
    victim = house.killer.cycle(house.settings, moment(1), point)
    victim.join(PATIENCE)
    assert victim.exitcode == -signal.SIGKILL
    assert house.runs() == [("success", None), ("running", None)]

    assert house.cycle(moment(1)).is_success
    assert house.runs() == [("success", None), ("failed", record.ZOMBIE), ("success", None)]
    assert house.rows(
        "select is_resumed from ops.runs where state = 'success' order by started_at"
    ) == [(False,), (point == "between two batches",)]
    # Where all had landed before the end, the cycle that follows reads the books once more.
    expected = story.second if point == "between two batches" else story.again
    for table, rows in house.history().items():
        assert rows == expected[table], table


def test_killed_inside_a_models_statement_and_run_again_gives_what_an_undisturbed_run_gives(
    house: House, story: Story
) -> None:
    house.go_back_to("first")
    house.exchange.source = story.at(1)
    with house.warehouse.connect() as holding:
        # A version that the second cycle ends: the merge into `fact_offers` waits for its row.
        holding.execute(
            "select 1 from marts.fact_offers where adv_no = %s for update", [ad_number(3)]
        )
        victim = house.killer.cycle(house.settings, moment(1))
        wait_for(lambda: is_merging(house) or not victim.is_alive())
        assert victim.is_alive()
        victim.kill()
        victim.join(PATIENCE)
        assert victim.exitcode == -signal.SIGKILL
        assert is_merging(house), "the server goes on with the statement of the dead"

    assert house.cycle(moment(1)).is_success
    assert house.runs() == [("success", None), ("failed", record.ZOMBIE), ("success", None)]
    for table, rows in house.history().items():
        assert rows == story.again[table], table


def is_merging(house: House) -> bool:
    """Whether a statement that merges into `fact_offers` waits for a lock."""
    return house.rows(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock' and query ~* 'merge into .*fact_offers'"
    ) != [(0,)]
