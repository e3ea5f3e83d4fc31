"""The bench in short form: that it measures what it says. What it measures is `make bench`'s."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from bench import waiting
from bench.figures import Figures
from bench.measure import Plan, measure
from bench.process import WorkFailed, in_own_process, peak_mb

SHORT = Plan(
    offers=600, fiats=("VES",), parts=("landing",), steps=("load",), cycles=2, repetitions=1
)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Where the figures of the short form are shown."""
    return []


@pytest.fixture(scope="module")
def figures(lines: list[str]) -> Figures:
    """The short form, measured once."""
    measured = Figures(show=lines.append)
    measure(SHORT, measured)
    return measured


def test_each_figure_is_a_line_of_name_value_and_unit(figures: Figures, lines: list[str]) -> None:
    assert len(lines) == len(figures.values)
    for line in lines:
        name, value, unit = line.split(" ")
        assert figures.values[name][1] == unit
        assert float(value) == pytest.approx(figures.value(name), rel=0.06)


def test_the_market_goes_on_between_the_cycles(figures: Figures) -> None:
    landed = [figures.value(f"{cycle}.load.pages_landed") for cycle in ("first", "second")]
    assert landed[0] == figures.value("first.load.pages") > 30
    assert 0 < landed[1] < landed[0]
    assert figures.value("first.load.offers") > 500


def test_the_load_is_told_apart_into_waiting_landing_and_the_rest(figures: Figures) -> None:
    whole = figures.value("first.load.seconds")
    assert 0 < figures.value("first.load.waiting") < whole
    assert 0 < figures.value("first.load.landing") < whole


def test_the_peak_memory_is_that_of_the_step_alone(figures: Figures) -> None:
    ballast = bytearray(600_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    assert peak_mb() > 600
    assert 50 < figures.value("first.load.peak_memory") < 600


def test_landing_is_compared_on_the_very_pages_of_the_first_cycle(figures: Figures) -> None:
    assert figures.value("landing.pages") == figures.value("first.load.pages_landed")
    assert figures.value("landing_vs_copy") == pytest.approx(
        figures.value("landing.dlt") / figures.value("landing.copy")
    )


def test_all_figures_are_kept_as_json(figures: Figures, tmp_path: Path) -> None:
    figures.write(tmp_path / "latest.json")
    kept = json.loads((tmp_path / "latest.json").read_text())
    assert kept.keys() == figures.values.keys()
    assert kept["landing_vs_copy"]["unit"] == "ratio"


def test_a_step_that_fails_is_no_figure() -> None:
    with pytest.raises(WorkFailed, match="no_such_step failed"):
        in_own_process("bench.worker", "no_such_step", {})


def test_only_time_in_which_all_wait_and_nothing_lands_is_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    watch = waiting.Waiting()
    asked, answered = Event(), Event()

    def other_reader() -> None:
        with watch.working(), watch.asking():
            asked.set()
            answered.wait()

    with watch.working():
        now[0] = 1.0  # at work, alone
        thread = Thread(target=other_reader)
        thread.start()
        asked.wait()
        now[0] = 2.0  # one waits, one works
        with watch.asking():
            now[0] = 4.0  # both wait
            answered.set()
            thread.join()
            now[0] = 8.0  # the one that is left waits
        now[0] = 16.0  # and works
    assert watch.seconds == 6.0
