"""Three days of a small market, landed directly: whatever a mart tells, there is some of it here.

Two pairs, a reading each half hour around noon. The price rises a little at every other reading;
some offers are filled by and by, with their advertisers' order counts; some are bait. One reading
is cut short, one has its sides swapped, and one advertiser writes HTML where others write names.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from tests.landing import Book, Rate, Reading, item, land, land_prices

START = datetime(2026, 11, 1, 10, tzinfo=UTC)
DAYS = 3
READINGS = 7
OFFERS = 40
HOSTILE = "<img src=x onerror=alert(document.domain)>"
"""A nickname, and the name and identifier of a payment method."""

PRICES: dict[str, float] = {"VES": 600.0, "ARS": 1450.0}
METHODS = ["Banesco", "PagoMovil", "Zelle", HOSTILE]
CUT_SHORT = ("VES", "USDT", "BUY"), 2, 2
SWAPPED = ("VES", "USDT", "SELL"), 1, 4
"""A book with the day and the reading, counted from 0, that is not to be trusted."""


def land_market(connection: psycopg.Connection[Any], days: Iterable[int] = range(DAYS)) -> None:
    """Land the three days, or others, counted from 0, a load each."""
    books: list[Book] = [(fiat, "USDT", side) for fiat in PRICES for side in ("BUY", "SELL")]
    for day in days:
        readings = [_reading(book, day, number) for number in range(READINGS) for book in books]
        land(connection, f"{day + 1}", readings, run_id=f"run-{day + 1}")
        _land_rates(connection, day)
        if day == DAYS - 1:
            _land_forecasts(connection, START + timedelta(days=day, hours=3, minutes=25))


def _land_rates(connection: psycopg.Connection[Any], day: int) -> None:
    """What was read beside the exchange; the last day brought no official rate."""
    at = START + timedelta(days=day)
    rates = [Rate("VES", at, f"{400 + day}"), Rate("ARS", at, f"{1400 + day}")]
    bank = Rate("VES", at, f"{390 + day}", "bank", f"{385 + day}", f"{395 + day}", source="BCV")
    told = [*rates, bank] if day < DAYS - 1 else []
    land_prices(connection, f"{day + 101}", told, {"USDC": ("0.9998", "1.0000")}, at=at)


SKILLS = {("drift", 1): 0.125, ("persistence", 1): 0.0, ("persistence", 24): 0.0}
"""By model and hours ahead; a price is forecast to rise from 600 by eight times the skill."""
EVALUATION = "made-up"


def _land_forecasts(connection: psycopg.Connection[Any], at: datetime) -> None:
    """Forecasts of one pair: by a model with skill for an hour, by none for a day."""
    load, pair = "201", ("VES", "USDT")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "insert into staging._dlt_loads (load_id, schema_name, status)"
            " values (%s, 'forecasts', 0)",
            [load],
        )
        for (model, hours), skill in SKILLS.items():
            cursor.execute(
                "insert into staging.predictor_runs (run_id, evaluated_at, fiat_code, asset_code,"
                " model_id, horizon_hours, first_cutoff_at, last_cutoff_at, n, n_blocks, n_hours,"
                " n_filled_hours, coverage_80_pct, skill, skill_low, skill_high, interval_factor,"
                " is_significant, is_conformal, _dlt_load_id) values (%s, %s, %s, %s, %s, %s, %s,"
                " %s, 40, 40, 700, 20, 81, %s, %s, %s, 1, %s, false, %s)",
                [
                    *(EVALUATION, at, *pair, model, hours, at - timedelta(days=20), at),
                    *(skill, skill / 2, 1.5 * skill, skill > 0, load),
                ],
            )
        for model, hours in (("drift", 1), ("persistence", 24)):
            over = at.replace(minute=0)
            cursor.execute(
                "insert into staging.price_forecasts (run_id, made_at, fiat_code, asset_code,"
                " horizon_hours, evaluation_id, model_id, states_model_id, n_hours, n_filled_hours,"
                " last_price, point, low_80, high_80, down_probability, flat_probability,"
                " up_probability, interval_factor, origin_at, target_at, _dlt_load_id)"
                " values (%s, %s, %s, %s, %s, %s, %s, 'persistence', 700, 20, 600, %s, 590, 610,"
                " 0.25, 0.5, 0.25, 1, %s, %s, %s)",
                [
                    *(EVALUATION, at, *pair, hours, EVALUATION, model),
                    *(600 + 8 * SKILLS[model, hours], over, over + timedelta(hours=hours), load),
                ],
            )


def _reading(book: Book, day: int, number: int) -> Reading:
    at = START + timedelta(days=day, minutes=30 * number, seconds=20 * (book[2] == "SELL"))
    offers = [offer(book, place, day * READINGS + number) for place in range(OFFERS)]
    if (book, day, number) == SWAPPED:
        for one in offers:
            one["adv"]["tradeType"] = book[2]
    reason = "http_429" if (book, day, number) == CUT_SHORT else None
    return Reading(book, at, [offers[:10], offers[10:]], incomplete_reason=reason)


def offer(book: Book, place: int, step: int) -> dict[str, Any]:
    """The offer at a place of a book at a time: the first is bait, the last the hostile one's."""
    fiat, _, side = book
    away = 1 if side == "BUY" else -1
    level = PRICES[fiat] * (1 + 0.002 * (step - step % 2))
    price = Decimal(f"{level * (1 + away * (0.001 + 0.0005 * (place // 4))):.2f}")
    chance = random.Random(f"{book}{place}")
    quantity = Decimal(chance.randrange(200, 3000)) - (step * 5 if place % 3 == 0 else 0)
    adv: dict[str, Any] = {
        "surplusAmount": f"{quantity}",
        "tradableQuantity": f"{quantity}",
        "minSingleTransAmount": f"{PRICES[fiat] * 4:.0f}",
        "maxSingleTransAmount": f"{PRICES[fiat] * chance.choice([100, 500, 2000]):.0f}",
    }
    if place == 0:
        price = Decimal(f"{level * (1 - away * 0.2):.2f}")
        adv |= {"surplusAmount": "2", "tradableQuantity": "2"}
    names: Sequence[str] = [METHODS[place % 3], METHODS[(place // 2) % 3]]
    name = f"Trader {place}"
    if place == OFFERS - 1:
        names, name = [HOSTILE], HOSTILE
        adv |= {"tradableQuantity": "9000", "surplusAmount": "9000"}
    return item(
        f"1299{('VES', 'ARS').index(fiat)}{('BUY', 'SELL').index(side)}{place:014}",
        f"{price}",
        side=side,
        adv=adv,
        advertiser={
            "userNo": f"s{side}{place // 2 if place < 8 else place}",
            "nickName": name,
            "userType": "merchant" if place % 4 == 0 else "user",
            "monthOrderCount": 120 + step,
        },
        methods=[{"identifier": one, "tradeMethodName": one} for one in dict.fromkeys(names)],
        promoted=place == 5,
    )
