"""A chart shows what was read, joins nothing over what was not, and invents no value."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import figures
from report.charts import MOST_POINTS, Chart, Point, Series, runs, thin
from report.columns import Column, Columns, Part

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def points(*values: float | None) -> list[Point]:
    """Readings every ten minutes."""
    return [
        Point(NOON + timedelta(minutes=10 * number), value, "" if value else "http_429")
        for number, value in enumerate(values)
    ]


def drawn(shown: list[Point]) -> dict[str, Any]:
    return data_of(Chart("a price", [Series("ask", "ask", shown)], figures.price).draw())


def data_of(figure: str) -> dict[str, Any]:
    """The data that stands beside a chart, its rows by the names of their fields."""
    (told,) = re.findall(r'<script type="application/json" data-data>(.*?)</script>', figure)
    data: dict[str, Any] = json.loads(told)
    data["rows"] = [dict(zip(data["fields"], row, strict=True)) for row in data["rows"]]
    return data


def test_a_withheld_reading_breaks_the_line_and_is_marked_with_its_reason() -> None:
    shown = drawn(points(10.0, 11.0, None, 11.0, 12.0))
    assert [row["value"] for row in shown["rows"]] == [10.0, 11.0, None, 11.0, 12.0]
    assert shown["rows"][2]["said"] == "withheld, http_429"
    (gap,) = shown["gaps"]
    assert gap == [shown["rows"][1]["at"], shown["rows"][3]["at"]]


def test_a_silence_breaks_the_line_too() -> None:
    late = Point(NOON + timedelta(hours=3), 12.0)
    joined = runs([*points(10.0, 11.0, 11.0), late])
    assert [[point.value for point in run] for run in joined] == [[10.0, 11.0, 11.0], [12.0]]
    shown = drawn([*points(10.0, 11.0, 11.0), late])
    assert len(shown["gaps"]) == 1
    assert [row["value"] for row in shown["rows"]] == [10.0, 11.0, 11.0, None, 12.0]


def test_a_year_is_drawn_denser_the_nearer_and_its_thinner_part_is_no_silence() -> None:
    every = [Point(NOON + timedelta(minutes=20 * number), 1.0 + number) for number in range(26_000)]
    kept = thin(every)
    last = every[-1].at
    for days, most in ((1, 72), (7, 150), (30, 150)):
        recent = [point for point in kept if point.at > last - timedelta(days=days)]
        assert len(recent) >= most
    assert len(kept) <= 4 * MOST_POINTS + 4
    assert len(runs(kept)) == 1


def test_readings_without_any_price_are_a_sentence_and_no_empty_frame() -> None:
    shown = Chart("a price", [Series("ask", "ask", points(None, None))], figures.price).draw()
    assert shown == '<p class="none">No value that could be trusted in this time.</p>'


@given(
    st.lists(st.one_of(st.none(), st.floats(1, 1e9)), min_size=1, max_size=300),
    st.integers(1, 40),
)
def test_thinning_keeps_values_that_were_read_the_last_one_and_whole_gaps(
    values: list[float | None], most: int
) -> None:
    every = points(*values)
    kept = thin(every, most)
    assert len(kept) <= most + 1
    assert set(kept) <= set(every)
    assert kept[-1] == every[-1]
    assert kept == sorted(kept, key=lambda point: point.at)
    # Of two neighbours that are kept none stands for a value that was read between them, ...
    for before, after in pairwise(kept):
        between = every[every.index(before) + 1 : every.index(after)]
        read = [point for point in between if point.value is not None]
        assert not read or after.value is not None
        # ... and a stretch that is longer than one of `most` keeps a point of its gap.
        assert len(between) <= 2 * len(every) / most + 1


def test_columns_stand_on_each_other_and_tell_their_parts() -> None:
    parts = [Part("trusted", "trusted"), Part("suspect", "suspect")]
    columns = [
        Column(NOON, [3.0, 1.0]),
        Column(NOON + timedelta(hours=2), [4.0, 0.0], "half of it"),
    ]
    shown = data_of(Columns("readings", parts, columns, timedelta(hours=1), "{:.0f}".format).draw())
    assert shown["names"] == ["trusted", "suspect"]
    told = [(row["foot"], row["top"], row["said"], row["note"]) for row in shown["rows"]]
    assert told == [
        (0.0, 3.0, "3", ""),
        (3.0, 4.0, "1", ""),
        (0.0, 4.0, "4", "half of it"),
        (4.0, 4.0, "0", "half of it"),
    ]
    assert "Nothing in this time." in Columns("", parts, [], timedelta(hours=1), str).draw()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (Decimal("643.4000"), "643.4"),
        (Decimal("59975906.00"), "59,975,906"),
        (Decimal("0.00001234567"), "0.0000123457"),
        (Decimal("5.37"), "5.37"),
        (Decimal("1000"), "1,000"),
    ],
)
def test_a_price_has_six_digits_and_all_of_those_before_the_point(
    value: Decimal | None, shown: str
) -> None:
    assert figures.price(value) == shown


def test_amounts_shares_and_ages_are_short_and_a_null_is_no_nought() -> None:
    assert [figures.amount(value) for value in (None, 0, 12.34, 999.9, 1500, 2.5e6)] == [
        "–", "0", "12.3", "1k", "1.5k", "2.5M",
    ]  # fmt: skip
    assert [figures.share(None), figures.percent(None), figures.count(None)] == ["–"] * 3
    assert figures.share(Decimal("0.1234")) == "12.3%"
    assert figures.percent(5, signed=True) == "+5.00%"
    assert [figures.percent(nought) for nought in (0, -0.0, -0.004, 0.004)] == ["0.00%"] * 4
    assert [figures.percent(value, signed=True) for value in (-0.004, -0.006)] == [
        "0.00%",
        "-0.01%",
    ]
    ages = [figures.duration(timedelta(minutes=m)) for m in (0.2, 5, 200, 10_000)]
    assert ages == ["under a minute", "5 min", "3 h", "7 days"]
