"""What `p2p forecast` and the flow of that name do: read the candles, forecast, land the rows."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from ops import record
from warehouse.errors import UserError
from warehouse.postgres import require_write_access, single_writer
from warehouse.roles import LOADER, TRANSFORMER

if TYPE_CHECKING:
    import psycopg

    from forecast.outlook import Outlook
    from forecast.rules import Rules
    from warehouse.postgres import Warehouse
    from warehouse.settings import Settings

log = logging.getLogger(__name__)

ASSET = "USDT"
_HOUR = timedelta(hours=1)

_RULES = """
    select rule, threshold from marts.forecast_rules
    where valid_from <= %s
    order by valid_from
"""

# The middle of both sides' closes, of hours that are over. A pair without any is there too.
_CLOSES = """
    select pairs.fiat_code, hours.period_start, hours.close
    from (
        select distinct fiat_code from marts.market_now where asset_code = %(asset)s
    ) as pairs
    left join (
        select fiat_code, period_start, sum(close) / 2 as close
        from marts.price_candles
        where
            asset_code = %(asset)s
            and period = 'hour'
            and price_notion = 'reference_price'
            and coverage_pct >= %(coverage)s
            and close > 0
            and period_start between %(first)s and %(last)s
        group by fiat_code, period_start
        having count(*) = 2
    ) as hours on pairs.fiat_code = hours.fiat_code
    order by pairs.fiat_code, hours.period_start
"""

_EVALUATIONS = """
    select * from marts.predictor_runs
    where asset_code = %s and evaluated_at > %s and evaluated_at <= %s
    order by fiat_code, evaluated_at
"""

_MODELS = """
    select model_id, description, parameters, library, library_version
    from marts.predictor_models
"""


def forecast_prices(
    warehouse: Warehouse,
    settings: Settings,
    now: datetime,
    on_pair: Callable[[str, int, int], None] = lambda pair, done, of: None,
    on_start: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Forecast each pair of USDT; returns the rows of `price_forecasts` that landed.

    A cycle may run at the same time: this has a lock and a pipeline of its own. What it lands is
    taken into the marts by the next build.

    Raises:
        AlreadyRunning: another forecast runs.
        UserError: nothing was built yet, or the warehouse is in trouble.
    """
    from forecast.outlook import look_ahead

    require_write_access(warehouse)
    with single_writer(warehouse.acting_as(LOADER), "forecast") as writer:
        on_start()
        with warehouse.acting_as(TRANSFORMER).connect() as connection:
            rules, coverage = _rules(connection, now)
            pairs = _series(connection, rules, coverage, now)
            known = _choices(connection, rules, now)
            models = set(connection.execute(_MODELS).fetchall())
        run_id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        rows: dict[str, list[dict[str, Any]]] = {"predictor_runs": [], "price_forecasts": []}
        for done, (fiat, series) in enumerate(pairs.items()):
            on_pair(f"{fiat}/{ASSET}", done, len(pairs))
            evaluation_id, choices = known.get(fiat, (run_id, None))
            outlook = look_ahead(series, rules, now, choices)
            _add(rows, outlook, fiat, run_id, evaluation_id, now)
        rows["predictor_models"] = _models(models, run_id, now)
        if rows["price_forecasts"]:
            from load.forecasts import land

            load_ids = land(settings, warehouse.acting_as(LOADER), writer, rows)
            with record.connected(warehouse) as connection:
                record.admit(connection, load_ids)
    counts = {name: len(landed) for name, landed in rows.items()}
    log.info("forecasts made", extra={"run_id": run_id, "pairs": len(pairs), **counts})
    return rows["price_forecasts"]


def shown(rows: Iterable[Mapping[str, Any]]) -> tuple[list[list[Any]], dict[str, list[str]]]:
    """For a terminal: a row a pair and horizon, and the pairs without a forecast by the reason."""
    lines: list[list[Any]] = []
    without: dict[str, list[str]] = {}
    for row in rows:
        pair = f"{row['fiat_code']}/{ASSET}"
        if reason := row.get("reason"):
            pairs = without.setdefault(reason.replace("_", " "), [])
            if pair not in pairs:
                pairs.append(pair)
            continue
        prices = [row[name] for name in ("last_price", "point", "low_80", "high_80")]
        said = [f"{price:.6g}" for price in prices]
        lines.append([pair, row["horizon_hours"], *said, row["model_id"]])
    return lines, without


def _rules(connection: psycopg.Connection[Any], now: datetime) -> tuple[Rules, float]:
    """The thresholds that hold, and from which coverage on an hour has a close.

    Raises:
        UserError: the marts are not there, or of another version.
    """
    from forecast.rules import Rules

    missing = [
        name
        for name in ("forecast_rules", "price_candles", "predictor_runs", "predictor_models")
        if not record.exists(connection, f"marts.{name}")
    ]
    if missing:
        raise UserError(
            f"There is no table marts.{missing[0]} yet: run `p2p run` or `p2p demo` first."
        )
    said = {rule: threshold for rule, threshold in connection.execute(_RULES, [now])}
    try:
        return Rules.of(said), float(said["least_coverage_pct"])
    except KeyError as rule:
        raise UserError(
            f"The seed forecast_rules has no {rule.args[0]}: put the row back, and run `p2p run`."
        ) from None


def _series(
    connection: psycopg.Connection[Any], rules: Rules, coverage: float, now: datetime
) -> dict[str, Any]:
    """By fiat: the hours of its pair that are over, as far back as is looked."""
    from forecast.series import series_of

    rows = connection.execute(
        _CLOSES,
        {
            "asset": ASSET,
            "coverage": coverage,
            "first": now - _HOUR * rules.hours_read,
            "last": now - _HOUR,
        },
    ).fetchall()
    return {
        fiat: series_of([(hour, close) for _, hour, close in hours if hour is not None])
        for fiat, hours in groupby(rows, itemgetter(0))
    }


def _choices(
    connection: psycopg.Connection[Any], rules: Rules, now: datetime
) -> dict[str, tuple[str, Any]]:
    """By fiat: the id of its last evaluation that is recent enough, and what it chose."""
    from forecast.outlook import choices_of

    first = now - _HOUR * rules.evaluation_every_hours
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_EVALUATIONS, [ASSET, first, now]).fetchall()
    found = {}
    for (fiat, evaluation_id), scored in groupby(rows, itemgetter("fiat_code", "evaluation_id")):
        if choices := choices_of(scored):
            found[fiat] = (evaluation_id, choices)
    return found


def _add(
    rows: dict[str, list[dict[str, Any]]],
    outlook: Outlook,
    fiat: str,
    run_id: str,
    evaluation_id: str,
    now: datetime,
) -> None:
    pair = {"run_id": run_id, "fiat_code": fiat, "asset_code": ASSET}
    rows["predictor_runs"] += [{**pair, "evaluated_at": now, **row} for row in outlook.evaluation]
    rows["price_forecasts"] += [
        {
            **pair,
            "made_at": now,
            "evaluation_id": None if row.get("reason") else evaluation_id,
            **row,
        }
        for row in outlook.forecasts
    ]


def _models(known: Iterable[Any], run_id: str, now: datetime) -> list[dict[str, Any]]:
    """The models that the warehouse does not know as they are."""
    from forecast.models import MODELS

    said = set(known)
    found = []
    for model_id, model in MODELS.items():
        parameters = json.dumps(dict(model.parameters), sort_keys=True)
        row = (model_id, model.description, parameters, model.library, model.library_version)
        if row not in said:
            names = ("model_id", "description", "parameters", "library", "library_version")
            found.append({"run_id": run_id, "seen_at": now, **dict(zip(names, row, strict=True))})
    return found
