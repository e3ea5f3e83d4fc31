"""What must not become history stops before the transform, and the next good cycle goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flows.cycle import CheckFailed
from simulator.source import Answer, Query, Source
from tests.flows.conftest import House, Story, moment

Change = Callable[[dict[str, Any]], None]


class Distorted:
    """A source some of whose answers are not those of the market."""

    def __init__(self, source: Source, change: Change) -> None:
        self._source, self._change = source, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def page(self, query: Query) -> Answer:
        answer = self._source.page(query)
        items = [json.loads(item) for item in answer.items]
        for item in items:
            self._change(item)
        return Answer([json.dumps(item).encode() for item in items], answer.total)


def the_takers_side(item: dict[str, Any]) -> None:
    adv = item["adv"]
    adv["tradeType"] = "SELL" if adv["tradeType"] == "BUY" else "BUY"


def a_thousandfold(item: dict[str, Any]) -> None:
    whole, _, fraction = item["adv"]["price"].partition(".")
    item["adv"]["price"] = f"{whole}000.{fraction}"


def test_sides_swapped_everywhere_stop_before_the_transform_and_leave_no_trace_in_the_marts(
    house: House, story: Story
) -> None:
    house.go_back_to("first")
    house.exchange.source = Distorted(story.at(1), change=the_takers_side)
    with pytest.raises(CheckFailed, match="makers_are_on_the_opposite_side"):
        house.cycle(moment(0.5))
    assert house.history() == story.first
    ((_, _), (state, error)) = house.runs()
    assert state == "failed"
    assert "makers_are_on_the_opposite_side" in error
    assert house.rows(
        "select count(*) > 0, bool_and(run_id = (select max(run_id) from ops.runs)),"
        " bool_and(reason like '%makers%') from ops.quarantined_loads"
    ) == [(True, True, True)]
    assert house.rows(
        "select name from ops.check_results where not success and severity = 'critical'"
        " order by name"
    ) == [("makers_are_on_the_opposite_side",)]

    house.exchange.source = story.at(1)
    outcome = house.cycle(moment(1))
    assert outcome.is_success
    assert outcome.counts["books_unchanged"] == 0, "what was refused is no reading to repeat"
    for table, rows in house.history().items():
        assert rows == story.second[table], table


def test_prices_that_leap_are_withheld_until_they_come_again(house: House, story: Story) -> None:
    house.go_back_to("first")
    house.exchange.source = Distorted(story.at(1), change=a_thousandfold)
    for cycle, is_leap in ((0.5, True), (0.7, False)):
        outcome = house.cycle(moment(cycle))
        assert outcome.is_success
        assert house.rows(
            "select distinct coalesce(readings.quality_reasons, '') like '%%price_leap%%',"
            " readings.quality_verdict = 'suspect'"
            " from marts.fact_snapshots as readings"
            " inner join marts.fact_snapshots as earlier using (fiat_code, asset_code, side)"
            " where readings.run_id = %s and readings.middle_price is not null"
            " and earlier.run_id != %s and earlier.is_complete"
            " and earlier.middle_price is not null",
            outcome.run_id,
            outcome.run_id,
        ) == [(is_leap, is_leap)]
