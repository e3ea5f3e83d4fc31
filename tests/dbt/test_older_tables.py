"""Tables that an older version made go on with what a newer one adds to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.dbt.conftest import Dbt, Rows
from tests.landing import Reading, item, land

NEWER = (
    ("staging.int_opened_offers", "advertiser"),
    ("staging.int_opened_offers", "is_tradable"),
    ("staging.int_opened_offers", "is_foreign"),
    ("marts.fact_offers", "is_tradable"),
    ("marts.fact_snapshots", "offers_missing"),
    ("marts.fact_snapshots", "offers_foreign"),
    ("marts.fact_snapshots", "middle_price"),
    ("marts.fact_snapshots", "faults"),
)
"""Columns that tables of older versions lack, and that each run makes up for."""


def minute(number: int) -> datetime:
    """That many minutes after noon."""
    return datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(minutes=number)


def read(at: int, *offers: dict[str, Any]) -> Reading:
    """A reading of the book, that many minutes after noon."""
    return Reading(("VES", "USDT", "BUY"), minute(at), [offers])


def test_tables_of_an_older_version_get_the_columns_that_they_lack(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "load-0", [read(0, item("1"), item("2"))])
    dbt("run", "--select", "+marts.core")
    for table, column in NEWER:
        connection.execute(f"alter table {table} drop column {column} cascade".encode())
    untradable = item("3", adv={"isTradable": False, "fiatUnit": "VES"})
    foreign = item("4", adv={"asset": "BTC"})
    land(connection, "load-1", [read(15, item("1"), untradable), read(30, foreign)])
    dbt("run", "--select", "+marts.core")
    assert rows(
        "select offers_missing, offers_foreign, faults"
        " from marts.fact_snapshots order by started_at"
    ) == [(0, 0, None), (0, 0, None), (0, 1, "foreign_offers")]
    assert rows(
        "select adv_no, is_tradable, valid_to from marts.fact_offers order by valid_from, adv_no"
    ) == [
        ("1", True, None),
        ("2", True, minute(15)),
        ("3", False, None),
    ]
