"""What it costs to judge every model on every pair: `python -m bench --parts forecasts`.

Random walks take the place of pairs, 30 days of hours each: what a model is fitted to decides
little of what that takes. One process on one core, as `p2p forecast` is.
"""

import json
import sys
import time
from datetime import UTC, datetime

from bench.figures import Figures
from bench.process import Told, in_own_process, tell

PAIRS, HOURS = 100, 720
_NOW = datetime(2026, 12, 1, tzinfo=UTC)


def measure(figures: Figures, pairs: int = PAIRS) -> None:
    """Measure an evaluation of all pairs, and the forecasts of the hours until the next.

    Raises:
        WorkFailed: a model failed.
    """
    told = in_own_process("bench.forecasts", "evaluate", {"pairs": pairs})
    figures.add("forecasts.pairs", pairs, "pairs")
    figures.add("forecasts.import", told.import_seconds, "s")
    figures.add("forecasts.evaluation", told.seconds, "s")
    figures.add("forecasts.evaluation.cpu", told.cpu_seconds, "s")
    figures.add("forecasts.evaluation.peak", told.peak_mb, "MB")
    figures.add("forecasts.hourly", told.details["hourly_seconds"], "s")
    figures.add("forecasts.credited", told.details["credited"], "models")


def _evaluate(pairs: int) -> Told:
    began = time.perf_counter()
    import numpy as np
    import statsforecast.models  # noqa: F401 - to be loaded before the clock runs

    from forecast.outlook import choices_of, look_ahead
    from forecast.rules import Rules
    from forecast.series import HOUR, Series

    imported = time.perf_counter()
    steps = np.random.default_rng(7).normal(0, 0.002, (pairs, HOURS))
    walks = [Series(100 * np.exp(np.cumsum(walk)), _NOW - HOUR) for walk in steps]
    evaluations = [look_ahead(walk, Rules(), _NOW).evaluation for walk in walks]
    evaluated = time.perf_counter()
    for walk, evaluation in zip(walks, evaluations, strict=True):
        look_ahead(walk, Rules(), _NOW, choices_of(evaluation))
    credited = sum(row["is_significant"] for rows in evaluations for row in rows)
    return Told(
        evaluated - imported,
        import_seconds=imported - began,
        details={"hourly_seconds": time.perf_counter() - evaluated, "credited": credited},
    )


if __name__ == "__main__":
    tell(_evaluate(json.load(sys.stdin)["pairs"]))
