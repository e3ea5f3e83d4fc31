"""That the past which `make bench` gives a warehouse is one that its own tests accept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench.history import give_a_past, seconds_of_marts
from tests.dbt.conftest import SEEDS, Dbt, Rows
from tests.landing import Reading, item, land
from warehouse.postgres import Warehouse

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUN = ("run", "--select", "+market_spreads", "+marts.actors", "+price_candles")


def test_a_past_has_as_many_versions_as_asked_for_and_is_in_order(
    connection: psycopg.Connection[Any],
    dbt: Dbt,
    rows: Rows,
    dbt_warehouse: Warehouse,
    dbt_home: Path,
) -> None:
    books = [("VES", "USDT", side) for side in ("BUY", "SELL")]
    page = {
        book: [item(f"1299000000000000000{n}", side=book[2]) for n in range(5)] for book in books
    }
    land(connection, "1", [Reading(book, NOON, [page[book]]) for book in books])
    dbt(*RUN)
    assert seconds_of_marts(dbt_home) > 0
    # Rebuilt, each is known to the planner at once: -1 is what it says of one that it never saw.
    assert (
        rows(
            "select relname from pg_class where relkind = 'r' and reltuples < 0 and"
            " (relnamespace = 'marts'::regnamespace and relname != all(%s)"
            " or relnamespace = 'staging'::regnamespace and relname like 'int\\_%%')",
            SEEDS,
        )
        == []
    )

    assert give_a_past(dbt_warehouse, 100) == 100
    assert rows("select count(*), count(valid_to) from marts.fact_offers") == [(100, 90)]
    assert rows("select count(*), count(distinct snapshot_id) from marts.fact_snapshots") == [
        (20, 20)
    ]
    assert rows("select count(*) from marts.market_spreads") == [(10,)]
    lives = "select count(*), count(gone_at) from marts.offer_lifecycles"
    days = "select count(*), count(distinct day), max(day) from marts.advertiser_days"
    hours = "select count(*) from staging.int_price_hours"
    assert rows(lives) == [(100, 90)]
    assert rows(days) == [(100, 10, NOON.date())]
    assert rows(hours) == [(20,)]
    overlapping = ("test", "--select", "test_name:versions_do_not_overlap,fact_offers")
    assert dbt(*overlapping).tests_passed == 1
    assert dbt(*RUN).models_built > 5, "nothing is left to claim"
    assert rows("select count(*) from marts.market_spreads") == [(10,)]
    assert rows(lives) == [(100, 90)]
    assert rows(days) == [(100, 10, NOON.date())]
    assert rows(hours) == [(20,)]

    # What the marts lack is looked for among what is new, however many loads there were.
    connection.execute(
        "insert into ops.transformed_loads (model, load_id, invocation_id)"
        " select model, 'load-' || number, 'once' from generate_series(1, 1000) as number"
        " cross join (select distinct model from ops.transformed_loads) as models"
    )
    connection.execute("analyze ops.transformed_loads")
    land(connection, "2", [Reading(book, NOON + HOUR, [page[book]]) for book in books])
    dbt(*RUN)
    (compiled,) = dbt_home.glob("target/compiled/**/int_book_offers.sql")
    ((plan,),) = rows(f"explain (analyze, format json) {compiled.read_text()}")
    assert claims_read(plan[0]["Plan"]) < 200

    # What asks for the readings since a time does not go through all of them first.
    asked = "explain (format json) select * from staging.stg_binance_p2p__snapshots where {}"
    for since in ("started_at >= now()", "load_id = '1'"):
        ((plan,),) = rows(asked.format(since))
        read = {
            node["Alias"]: limit_of(node)
            for node in nodes(plan[0]["Plan"])
            if node.get("Relation Name") == "snapshots"
        }
        assert since.split()[0] in read["landed"]
        assert "snapshot_id" in read["same"], "whether another load brought it too"

    # The candles of a book are made of its own hours, and not of all that there are.
    ((plan,),) = rows(
        "explain (format json) select * from marts.price_candles where fiat_code = 'VES'"
        " and asset_code = 'USDT' and price_notion = 'reference_price'"
    )
    readers = [
        one for one in nodes(plan[0]["Plan"]) if one.get("Relation Name") == "int_price_hours"
    ]
    assert len(readers) == 2, "a reader each: hours, and days"
    for node in readers:
        assert "fiat_code = 'VES'" in limit_of(node).replace("::text", "")


def limit_of(node: dict[str, Any]) -> str:
    """What a node of a plan reads no more than, by an index or by looking."""
    return "".join(node.get(part, "") for part in ("Index Cond", "Recheck Cond", "Filter"))


def claims_read(plan: dict[str, Any]) -> int:
    """How many rows of the ledger a plan has read."""
    return sum(
        int(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))
        for node in nodes(plan)
        if node.get("Relation Name") == "transformed_loads"
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan, from the top."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)
