"""A chart shows what was read, joins nothing over what was not, and invents no value."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import figures
from report.axes import Scale, Times
from report.charts import Chart, Point, Series, runs, thin, usual_distance
from report.columns import Column, Columns, Part

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def points(*values: float | None) -> list[Point]:
    """Readings every ten minutes."""
    return [
        Point(NOON + timedelta(minutes=10 * number), value, "" if value else "http_429")
        for number, value in enumerate(values)
    ]


def drawn(shown: list[Point]) -> str:
    return Chart("a price", [Series("ask", "ask", shown)], figures.price).draw()


def test_a_withheld_reading_breaks_the_line_and_is_marked_with_its_reason() -> None:
    shown = drawn(points(10.0, 11.0, None, 11.0, 12.0))
    assert len(re.findall(r'<path class="line ask"', shown)) == 2
    assert shown.count('class="withheld"') == 1
    assert shown.count('class="gap"') == 1
    assert "withheld, http_429" in shown


def test_a_silence_breaks_the_line_too() -> None:
    late = Point(NOON + timedelta(hours=3), 12.0)
    joined = runs([*points(10.0, 11.0, 11.0), late], timedelta(minutes=10))
    assert [[point.value for point in run] for run in joined] == [[10.0, 11.0, 11.0], [12.0]]
    assert drawn([*points(10.0, 11.0, 11.0), late]).count('class="gap"') == 1


def test_readings_without_any_price_are_a_sentence_and_no_empty_frame() -> None:
    assert drawn(points(None, None)) == (
        '<p class="none">No value that could be trusted in this time.</p>'
    )


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
    usual_distance(kept)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20), st.booleans())
def test_a_scale_holds_all_values_between_its_round_ends(
    values: list[float], from_zero: bool
) -> None:
    scale = Scale.around(values, from_zero=from_zero)
    assert all(-1e-6 <= scale.at(value) <= 1 + 1e-6 for value in values)
    assert 2 <= len(scale.ticks) <= 8
    step = scale.ticks[1] - scale.ticks[0]
    for tick in scale.ticks:
        label = scale.label(tick).replace(",", "")
        said = float(label[:-1]) * 1e6 if label.endswith("M") else float(label)
        assert abs(said - tick) < step / 1000
    assert len({scale.label(tick) for tick in scale.ticks}) == len(scale.ticks)


@given(st.integers(1, 60 * 24 * 900))
def test_an_axis_of_time_has_few_labels_in_order_and_inside(minutes: int) -> None:
    times = Times.around([NOON, NOON + timedelta(minutes=minutes)])
    ticks = [tick.at for tick in times.ticks()]
    assert len(ticks) <= 7
    assert ticks == sorted(ticks)
    assert all(0 <= times.at(at) <= 1 for at in ticks)


def test_a_day_is_written_below_the_first_time_and_where_it_begins_but_not_below_neighbours() -> (
    None
):
    def below(*ends: datetime) -> list[tuple[str, str]]:
        return [(tick.name, tick.whole) for tick in Times.around(ends).ticks()]

    assert below(NOON, NOON + timedelta(hours=5)) == [
        ("12:00", "01 Nov"), ("13:00", ""), ("14:00", ""), ("15:00", ""), ("16:00", ""),
        ("17:00", ""),
    ]  # fmt: skip
    assert below(NOON + timedelta(hours=11), NOON + timedelta(hours=14)) == [
        ("23:00", ""), ("00:00", "02 Nov"), ("01:00", ""), ("02:00", ""),
    ]  # fmt: skip
    assert below(NOON + timedelta(days=58), NOON + timedelta(days=62))[-2:] == [
        ("01 Jan", "2027"), ("02 Jan", ""),
    ]  # fmt: skip


def test_columns_stand_on_each_other_and_tell_their_parts() -> None:
    parts = [Part("trusted", "trusted"), Part("suspect", "suspect")]
    columns = [
        Column(NOON, [3.0, 1.0]),
        Column(NOON + timedelta(hours=2), [4.0, 0.0], "half of it"),
    ]
    shown = Columns("readings", parts, columns, timedelta(hours=1), "{:.0f}".format).draw()
    drawn = re.findall(
        r'class="column (\w+)" x="([\d.]+)%" y="([\d.]+)" .*?height="([\d.]+)"', shown
    )
    by_look = {look: (float(x), float(y), float(height)) for look, x, y, height in drawn[:2]}
    assert [look for look, *_ in drawn] == ["trusted", "suspect", "trusted"]
    assert by_look["suspect"][2] * 3 == pytest.approx(by_look["trusted"][2])
    assert sum(by_look["suspect"][1:]) == pytest.approx(by_look["trusted"][1])
    assert "2026-11-01 12:00 UTC\ntrusted: 3\nsuspect: 1" in shown
    assert "trusted: 4\nsuspect: 0\nhalf of it" in shown
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
