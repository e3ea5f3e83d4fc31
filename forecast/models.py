"""The models of the price, by statsforecast, each fitted again at every cut-off."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from forecast.rules import LONGEST, NOMINAL, Rules
from forecast.series import Numbers

PERSISTENCE, CHAIN = "persistence", "markov_chain"
_LIBRARY = "statsforecast"


@dataclass(frozen=True)
class Model:
    """What a model is, for those who read its numbers."""

    description: str
    parameters: Mapping[str, Any]
    library: str | None = _LIBRARY
    make: Callable[[Any], Any] | None = None
    """Makes it from `statsforecast.models`; None for what predicts no price."""

    @property
    def library_version(self) -> str | None:
        """The version of what fits it."""
        return version(self.library) if self.library else None


MODELS: Mapping[str, Model] = {
    PERSISTENCE: Model(
        "The price stays where it is, the state what it is: the baseline of every skill",
        {"class": "Naive"},
        make=lambda models: models.Naive(alias=PERSISTENCE),
    ),
    "drift": Model(
        "The price goes on by its mean step over the fit",
        {"class": "RandomWalkWithDrift"},
        make=lambda models: models.RandomWalkWithDrift(alias="drift"),
    ),
    "auto_ets": Model(
        "Exponential smoothing with additive errors; trend and damping by the corrected AIC",
        {"class": "AutoETS", "model": "AZN", "season_length": 1},
        make=lambda models: models.AutoETS(season_length=1, model="AZN", alias="auto_ets"),
    ),
    "auto_theta": Model(
        "The best of four Theta models by the error within the fit",
        {"class": "AutoTheta", "season_length": 1},
        make=lambda models: models.AutoTheta(season_length=1, alias="auto_theta"),
    ),
    CHAIN: Model(
        "States of the hour's move by the transitions counted up to the cut-off",
        {"states": ["down", "flat", "up"]},
        library=None,
    ),
}
OF_PRICES = tuple(name for name, model in MODELS.items() if model.make)


@dataclass(frozen=True)
class Paths:
    """What a model said at each cut-off: a row a cut-off, a column an hour ahead; logarithms."""

    point: Numbers
    low: Numbers
    high: Numbers


def cutoffs_of(length: int, rules: Rules) -> list[int]:
    """The places at which a series is cut off, in order; the last is its end.

    A step that shares no divisor with 24 has every hour of the day its turn.
    """
    earliest = max(rules.forecast_fit_hours, length - rules.evaluation_hours) - 1
    return list(range(length - 1, earliest - 1, -rules.evaluation_step_hours))[::-1]


def paths(
    logs: Numbers, rules: Rules, models: Sequence[str], n_cutoffs: int = 1
) -> dict[str, Paths]:
    """Fit each model on the hours up to each of the last cut-offs, and on none after them."""
    import pandas as pd  # type: ignore[import-untyped]
    from statsforecast import StatsForecast
    from statsforecast import models as library

    # What lies after the end of the series is unknown: with it the last cut-off is the end.
    known = np.concatenate([logs, np.full(LONGEST, np.nan)])
    frame = pd.DataFrame({"unique_id": "pair", "ds": np.arange(len(known)), "y": known})
    makes = [make for name in models if (make := MODELS[name].make)]
    level = round(100 * NOMINAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = StatsForecast(
            models=[make(library) for make in makes],
            freq=1,
            # A price that never moves is nothing that a smoothing could be fitted to.
            fallback_model=library.Naive(),
        ).cross_validation(
            df=frame,
            h=LONGEST,
            step_size=rules.evaluation_step_hours,
            n_windows=n_cutoffs,
            input_size=min(rules.forecast_fit_hours, len(logs)),
            level=[level],
        )
    said = said.sort_values(["cutoff", "ds"])

    def of(column: str) -> Numbers:
        return np.asarray(said[column], dtype=float).reshape(n_cutoffs, LONGEST)

    return {
        name: Paths(of(name), of(f"{name}-lo-{level}"), of(f"{name}-hi-{level}")) for name in models
    }
