"""Forecasts land while a cycle runs, become marts with the next build, and rest on what is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from flows.forecasting import forecast_prices
from flows.transform import run_dbt
from forecast.models import MODELS
from forecast.rules import HORIZONS
from tests.forecast.walks import trend
from tests.made_up_market import EVALUATION
from warehouse.errors import AlreadyRunning, UserError
from warehouse.postgres import Warehouse, single_writer
from warehouse.settings import Settings, load_settings

NOW = datetime(2026, 12, 1, 0, 25, tzinfo=UTC)
LAST_HOUR = NOW.replace(minute=0) - timedelta(hours=1)
HOURS = 560
MARTS = ("predictor_models", "predictor_runs", "price_forecasts")
Rows = list[dict[str, Any]]


@dataclass
class Place:
    """A warehouse with a built market, in which one pair has a history."""

    warehouse: Warehouse
    settings: Settings

    def forecast(self, now: datetime = NOW) -> Rows:
        """Forecast at a moment; what landed of the pair that has a history."""
        rows = forecast_prices(self.warehouse, self.settings, now)
        return [row for row in rows if row["fiat_code"] == "VES"]

    def build(self, *more: str) -> None:
        """Have dbt make the marts of forecasts."""
        home = self.settings.home / "dbt"
        report = run_dbt(self.warehouse, ["run", "--select", *MARTS, *more], home)
        assert report.is_success, report.failures

    def rows(self, mart: str, condition: str = "true") -> Rows:
        """The rows of a mart, in the order of its key."""
        if mart != "predictor_models":
            condition += f" and evaluation_id is distinct from '{EVALUATION}'"
        query = f"select * from marts.{mart} where {condition} order by 1, 2, 3, 4, 5"
        with self.warehouse.connect() as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            return cursor.execute(query.encode()).fetchall()


def tell(connection: psycopg.Connection[Any], fiat: str, hour: datetime, price: float) -> None:
    """Have both books of a pair show a price through an hour; the middle is the price."""
    connection.execute(
        "insert into staging.int_price_hours (fiat_code, asset_code, side, opens, highs, lows,"
        " closes, weighted_sums, weights, price_counts, n_offers, confidence, cadence_minutes,"
        " bucket_start, first_at, last_at)"
        " select %(fiat)s, 'USDT', side, p, p, p, p, p, array_fill(60::numeric, array[10]),"
        " array_fill(1, array[10]), 9, 0.9, 60, %(hour)s, %(hour)s, %(hour)s"
        " from (values ('BUY', 1.01), ('SELL', 0.99)) as books (side, way)"
        " cross join lateral (select array_fill(way * %(price)s::numeric, array[10]) as p) as p",
        {"fiat": fiat, "hour": hour, "price": price},
    )


@pytest.fixture(scope="module")
def place(
    server: Warehouse, built_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A copy of the built market, with a pair that rises for weeks."""
    with server.connect(autocommit=True) as connection:
        connection.execute(
            f"create database forecasts_test template {built_warehouse.database}".encode()
        )
    warehouse = replace(server, database="forecasts_test")
    home = tmp_path_factory.mktemp("forecasts")
    with warehouse.connect() as connection:
        connection.execute("delete from staging.int_price_hours where fiat_code = 'VES'")
        closes = trend(1, HOURS).closes
        for number, price in enumerate(closes):
            tell(connection, "VES", LAST_HOUR - timedelta(hours=HOURS - 1 - number), price)
    yield Place(warehouse, load_settings(home=home, database_url=warehouse.url))
    with server.connect(autocommit=True) as connection:
        connection.execute(b"drop database forecasts_test with (force)")


@pytest.fixture(scope="module")
def first(place: Place) -> Rows:
    """What a first forecast lands, while a cycle loads, and what the next build makes of it."""
    with single_writer(place.warehouse, "cycle"), single_writer(place.warehouse, "load"):
        rows = place.forecast()
    place.build()
    return rows


def test_a_forecast_lands_while_a_cycle_runs_and_its_rows_become_marts(
    place: Place, first: Rows
) -> None:
    told = place.rows("price_forecasts", "fiat_code = 'VES'")
    assert [(row["trading_pair"], row["horizon_hours"]) for row in told] == [
        ("VES/USDT", hours) for hours in HORIZONS
    ]
    runs = {(row["model_id"], row["horizon_hours"]): row for row in place.rows("predictor_runs")}
    assert runs.keys() == {(model, hours) for model in MODELS for hours in HORIZONS}
    for row, landed in zip(told, first, strict=True):
        assert float(row["point"]) == pytest.approx(landed["point"], rel=1e-12)
        assert row["low_80"] < row["point"] < row["high_80"]
        assert row["origin_at"] == LAST_HOUR + timedelta(hours=1)
        assert row["target_at"] - row["origin_at"] == timedelta(hours=row["horizon_hours"])
        scored = runs[row["model_id"], row["horizon_hours"]]
        assert row["has_skill"] == scored["is_significant"]
        assert row["skill"] == scored["skill"]
        assert row["coverage_80_pct"] == scored["coverage_80_pct"]
    credited = [row for row in told if row["has_skill"]]
    assert credited, "a trend that nobody finds"
    assert all(row["model_id"] != "persistence" and row["skill_low"] > 0 for row in credited)
    assert {row["model_id"] for row in place.rows("predictor_models")} == MODELS.keys()


def test_a_pair_of_few_hours_has_a_row_that_says_so(place: Place, first: Rows) -> None:
    rows = place.rows("price_forecasts", "fiat_code = 'ARS'")
    assert [row["horizon_hours"] for row in rows] == list(HORIZONS)
    for row in rows:
        assert (row["reason"], row["n_hours"] < 20) == ("too_little_history", True)
        assert (row["point"], row["model_id"], row["has_skill"]) == (None, None, None)


def test_an_evaluation_holds_for_a_day_and_an_hour_counts_when_it_is_over(
    place: Place, first: Rows
) -> None:
    with place.warehouse.connect() as connection:
        tell(connection, "VES", LAST_HOUR + timedelta(hours=1), 2 * first[0]["last_price"])
    before = place.forecast(NOW + timedelta(minutes=30))
    assert [row["last_price"] for row in before] == [row["last_price"] for row in first], (
        "an hour that is not over"
    )
    later = place.forecast(NOW + timedelta(hours=1))
    assert {row["evaluation_id"] for row in (*first, *before, *later)} == {
        first[0]["evaluation_id"]
    }
    assert later[0]["last_price"] == pytest.approx(2 * first[0]["last_price"], rel=1e-6)
    place.build()
    assert len({row["evaluation_id"] for row in place.rows("predictor_runs")}) == 1
    assert len(place.rows("predictor_models")) == len(MODELS)
    much_later = place.forecast(NOW + timedelta(hours=30))
    assert {row["reason"] for row in much_later} == {"too_old"}


def test_the_marts_of_forecasts_rebuilt_are_as_they_were(place: Place, first: Rows) -> None:
    place.build()
    told = {mart: place.rows(mart) for mart in MARTS}
    place.build()
    assert {mart: place.rows(mart) for mart in MARTS} == told, "a build without news"
    place.build("--full-refresh")
    assert {mart: place.rows(mart) for mart in MARTS} == told


def test_two_forecasts_at_once_are_refused_and_a_warehouse_without_marts_too(
    place: Place, warehouse: Warehouse, settings: Settings
) -> None:
    with single_writer(place.warehouse, "forecast"), pytest.raises(AlreadyRunning):
        place.forecast()
    with pytest.raises(UserError, match="run `p2p run`"):
        forecast_prices(warehouse, settings, NOW)
