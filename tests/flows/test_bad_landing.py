"""What must not become history stops before the transform, and the next good cycle goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flows.cycle import CheckFailed
from simulator.source import Answer, Query, Source
from tests.flows.conftest import House, Story, moment, only_line, p2p, settings_of

Change = Callable[[dict[str, Any]], None]


class Distorted:
    """A source some of whose answers are not those of the market."""

    def __init__(
        self,
        source: Source,
        asked: Callable[[Query], Query] = lambda query: query,
        change: Change = lambda item: None,
    ) -> None:
        self._source, self._asked, self._change = source, asked, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def page(self, query: Query) -> Answer:
        answer = self._source.page(self._asked(query))
        items = [json.loads(item) for item in answer.items]
        for item in items:
            self._change(item)
        return Answer([json.dumps(item).encode() for item in items], answer.total)


def the_buy_page_for_the_sell_page(query: Query) -> Query:
    return replace(query, side="BUY") if query.asset == "USDT" else query


def a_thousandfold(item: dict[str, Any]) -> None:
    whole, _, fraction = item["adv"]["price"].partition(".")
    item["adv"]["price"] = f"{whole}000.{fraction}"


def test_swapped_sides_stop_before_the_transform_and_leave_no_trace_in_the_marts(
    house: House, story: Story
) -> None:
    house.go_back_to("first")
    # The BUY book is honest: what it shows will be the same in the next cycle.
    house.exchange.source = Distorted(story.at(1), asked=the_buy_page_for_the_sell_page)
    with pytest.raises(CheckFailed, match="sides_swapped"):
        house.cycle(moment(0.5))
    assert house.history() == story.first
    ((_, _), (state, error)) = house.runs()
    assert state == "failed"
    assert "no_book_has_its_sides_swapped" in error
    assert house.rows(
        "select count(*) > 0, bool_and(run_id = (select max(run_id) from ops.runs)),"
        " bool_and(reason like '%swapped%') from ops.quarantined_loads"
    ) == [(True, True, True)]
    assert house.rows(
        "select name from ops.check_results where not success and severity = 'critical'"
        " order by name"
    ) == [("makers_are_on_the_opposite_side",), ("no_book_has_its_sides_swapped",)]

    house.exchange.source = story.at(1)
    outcome = house.cycle(moment(1))
    assert outcome.is_success
    assert outcome.counts["books_unchanged"] == 0, "what was refused is no reading to repeat"
    for table, rows in house.history().items():
        assert rows == story.second[table], table


def test_absurd_prices_end_the_command_with_status_1_and_the_marts_as_they_were(
    house: House, story: Story
) -> None:
    house.go_back_to("first")
    house.exchange.source = Distorted(story.at(1), change=a_thousandfold)
    done = p2p("run", **settings_of(house))
    assert done.returncode == 1, done.stderr
    assert "no_price_leaps_out_of_reach" in only_line(done)
    assert done.stdout == ""
    assert house.history() == story.first
    assert [state for state, _ in house.runs()] == ["success", "failed"]
