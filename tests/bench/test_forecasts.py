"""The bench of forecasts in short form."""

from __future__ import annotations

from bench import forecasts
from bench.figures import Figures


def test_an_evaluation_of_one_pair_is_measured_in_seconds_and_megabytes() -> None:
    figures = Figures(show=lambda line: None)
    forecasts.measure(figures, pairs=1)
    assert figures.value("forecasts.pairs") == 1
    for name in ("evaluation", "evaluation.cpu", "evaluation.peak", "hourly"):
        assert figures.value(f"forecasts.{name}") > 0
