"""That states of the price are counted as NumPy counts them, over gaps that nobody fills."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from warehouse.postgres import Warehouse

START = datetime(2026, 1, 5, tzinfo=UTC)
STATES = ["down", "flat", "up"]
FLAT = {"hour": 0.1, "day": 0.5}
NOTIONS = 10  # of which the reference price is the last
BOOKS = [
    (fiat, side, hours, seed)
    for seed, (fiat, hours) in enumerate([("AAA", 2000), ("BBB", 700), ("CCC", 49), ("DDD", 3)])
    for side in ("BUY", "SELL")
]


def closes(fiat: str, side: str, hours: int, seed: int) -> dict[int, float]:
    """A walk by the hour with gaps; each side of a pair misses hours of its own."""
    steps = np.random.default_rng(seed).choice([-0.004, -0.0005, 0, 0.0007, 0.005], hours)
    walk = 100 * np.exp(np.cumsum(steps)) * (1.01 if side == "BUY" else 0.99)
    is_there = np.random.default_rng([seed, len(side)]).random(hours) < 0.93
    return {hour: round(float(walk[hour]), 6) for hour in range(hours) if is_there[hour]}


def counts(series: dict[int, float], flat: float) -> np.ndarray:
    """Transitions between states by NumPy, over all periods, those without a close as NaN."""
    prices = np.full(max(series) + 1, np.nan)
    prices[list(series)] = list(series.values())
    moves = 100 * np.diff(np.log(prices))
    states = np.where(np.isnan(moves), -1, 1 + np.sign(moves) * (np.abs(moves) > flat)).astype(int)
    known = (states[:-1] >= 0) & (states[1:] >= 0)
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (states[:-1][known], states[1:][known]), 1)
    return matrix


def shares(matrix: np.ndarray) -> np.ndarray:
    """The left eigenvector of 1, which columns of probabilities would have on the other side."""
    values, vectors = np.linalg.eig(matrix.T)
    vector = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    return np.asarray(vector / vector.sum())


def days_of(series: dict[int, float]) -> dict[int, float]:
    """The last close of each day of which half the hours are there."""
    by_day: dict[int, dict[int, float]] = {}
    for hour, price in series.items():
        by_day.setdefault(hour // 24, {})[hour] = price
    return {day: found[max(found)] for day, found in by_day.items() if len(found) >= 12}


@pytest.fixture(scope="module")
def told(built_warehouse: Warehouse) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """What the mart says of these walks, each a book with one reading an hour."""
    with built_warehouse.connect() as connection:
        connection.cursor().executemany(
            "insert into staging.int_price_hours (fiat_code, asset_code, side, opens, highs, lows,"
            " closes, weighted_sums, weights, price_counts, n_offers, confidence, cadence_minutes,"
            " bucket_start, first_at, last_at)"
            " select %(fiat)s, 'USDT', %(side)s, p, p, p, p, p, array_fill(60::numeric, array[n]),"
            " array_fill(1, array[n]), 9, 0.9, 60, %(at)s, %(at)s, %(at)s"
            " from (select array_fill(%(price)s::numeric, array[10]) as p, 10 as n) as prices",
            [
                {"fiat": fiat, "side": side, "at": START + timedelta(hours=hour), "price": price}
                for fiat, side, hours, seed in BOOKS
                for hour, price in closes(fiat, side, hours, seed).items()
            ],
        )
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        rows = cursor.execute(
            "select * from marts.state_transitions where fiat_code = any(%s)"
            " order by fiat_code, side, period, state, next_state",
            [[fiat for fiat, *_ in BOOKS]],
        ).fetchall()
        connection.rollback()
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["fiat_code"], row["side"], row["period"]), []).append(row)
    return found


def test_states_of_random_series_are_counted_as_numpy_counts_them(
    told: dict[tuple[str, str, str], list[dict[str, Any]]],
) -> None:
    by_book = {(fiat, side): closes(fiat, side, *rest) for fiat, side, *rest in BOOKS}
    for fiat in {fiat for fiat, _ in by_book}:
        buy, sell = by_book[fiat, "BUY"], by_book[fiat, "SELL"]
        by_book[fiat, "MID"] = {hour: (buy[hour] + sell[hour]) / 2 for hour in buy if hour in sell}
    buy_days = {key: days_of(series) for key, series in by_book.items() if key[1] != "MID"}
    seen = 0
    for (fiat, side), hours in by_book.items():
        if side == "MID":
            buys, sells = buy_days[fiat, "BUY"], buy_days[fiat, "SELL"]
            days = {day: (buys[day] + sells[day]) / 2 for day in buys if day in sells}
        else:
            days = buy_days[fiat, side]
        for period, series in (("hour", hours), ("day", days)):
            expected = counts(series, FLAT[period]) if len(series) > 2 else np.zeros((3, 3), int)
            rows = told.get((fiat, side, period), [])
            if not expected.sum():
                assert rows == []
                continue
            seen += 1
            assert [(row["state"], row["next_state"]) for row in rows] == [
                (state, following) for state in STATES for following in STATES
            ]
            assert [row["n"] for row in rows] == expected.ravel().tolist(), (fiat, side, period)
            matrix = (expected + 1) / (expected.sum(axis=1, keepdims=True) + 3)
            found = np.array([float(row["probability"]) for row in rows]).reshape(3, 3)
            assert found == pytest.approx(matrix, abs=1e-11)
            assert found.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-11)
            held = [float(row["stationary_share"]) for row in rows[::3]]
            assert held == pytest.approx(shares(matrix), abs=1e-9)
            assert held @ found == pytest.approx(held, abs=1e-9)
            dwell = [float(row["expected_dwell"]) for row in rows[::3]]
            assert dwell == pytest.approx(1 / (1 - np.diag(matrix)), abs=1e-6)
    assert seen > 12
