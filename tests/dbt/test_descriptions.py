"""What the project says of tables and columns stands in the warehouse, for whoever looks there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.dbt.conftest import Dbt, Rows
from tests.landing import Reading, item, land

RUN = ("run", "--select", "+dim_advertisers")
BOOK = ("VES", "USDT", "BUY")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

WRITTEN = """
    select attname, description, pg_description.xmin::text
    from pg_description
    left join pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0
    where objoid = 'marts.dim_advertisers'::regclass
    order by attname
"""


def test_a_table_that_goes_on_is_described_again_only_where_it_has_to_be(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "1", [Reading(BOOK, NOON, [[item("12990000000000000001")]])])
    dbt(*RUN)
    first = rows(WRITTEN)
    columns = rows(
        "select count(*) from pg_attribute"
        " where attrelid = 'marts.dim_advertisers'::regclass and attnum > 0"
    )
    assert [(len(first) - 1,)] == columns, "the table, and each column of it"

    dbt(*RUN)
    assert rows(WRITTEN) == first

    for spoilt in ("table marts.dim_advertisers", "column marts.dim_advertisers.nickname"):
        connection.execute(f"comment on {spoilt} is null".encode())
        dbt(*RUN)
        assert [line[:2] for line in rows(WRITTEN)] == [line[:2] for line in first]
