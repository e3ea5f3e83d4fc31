"""Requests are counted by few outcomes and by how long they took."""

from __future__ import annotations

import pytest

from ops.tally import BOUNDS, OUTCOMES, Tally, outcome_of


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("http_418", "http_418"),
        ("http_429", "http_429"),
        ("http_503", "http_5xx"),
        ("http_404", "http_other"),
        ("code_000002", "code"),
        ("code_whatever-they-make-up", "code"),
        ("wrong_shape", "wrong_shape"),
        ("never_met", "other"),
    ],
)
def test_a_reason_counts_as_one_of_a_few_outcomes(reason: str, outcome: str) -> None:
    assert outcome_of(reason) == outcome
    assert outcome in OUTCOMES


def test_times_fall_into_the_bucket_that_holds_them() -> None:
    tally = Tally()
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] + 0.01, 1_000.0):
        tally.add("understood", seconds)
    outcomes, took = tally.told()
    assert outcomes == {"understood": 4}
    assert took == {"sum": 1_000.11, "buckets": [2, 1, *[0] * (len(BOUNDS) - 2), 1]}
