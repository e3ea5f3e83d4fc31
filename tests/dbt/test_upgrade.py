"""That a warehouse which an older version built has, after a build, what a new one would have."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.dbt.conftest import Dbt, Rows
from tests.dbt.test_market import BUY, MARTS, RUN, SELL, crowd, minute, reading, told
from tests.landing import land


def test_a_mart_of_other_columns_is_built_anew_from_the_facts_and_needs_no_raw_pages(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    land(connection, "1", [reading(BUY, crowd("10.2")), reading(SELL, crowd("10"), minute(1))])
    dbt(*RUN)
    connection.execute("alter table marts.market_quotes drop column competitive_median cascade")
    connection.execute("alter table marts.market_spreads add column of_older_days text")
    connection.execute("delete from staging.pages")
    dbt(*RUN)
    upgraded = {mart: told(connection, mart) for mart in MARTS}
    dbt("run", "--full-refresh", "--select", *MARTS)
    assert upgraded == {mart: told(connection, mart) for mart in MARTS}
    assert upgraded["market_spreads"][0]["spread_pct"] == 2


def test_a_seed_of_other_columns_is_loaded_anew(
    connection: psycopg.Connection[Any], dbt: Dbt, rows: Rows
) -> None:
    connection.execute("alter table marts.market_rules drop column valid_to")
    dbt("seed", "--select", "market_rules")
    assert rows("select count(*), count(valid_to) from marts.market_rules") == [(13, 0)]
