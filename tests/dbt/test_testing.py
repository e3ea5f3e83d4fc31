"""That a cycle tests what is new, and goes on doing so until it was green."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import psycopg

from tests.dbt.conftest import Dbt, Rows
from tests.landing import Book, Reading, item, land

BUY: Book = ("VES", "USDT", "BUY")
NEW = ("build", "--exclude-resource-type", "unit_test", "--vars", json.dumps({"tested": "new"}))
A, B = "12990000000000000001", "12990000000000000002"


def hour(number: int) -> datetime:
    """That hour of one day."""
    return datetime(2026, 11, 1, number, tzinfo=UTC)


def test_what_is_red_stays_red_in_cycles_until_it_is_mended_and_the_old_is_left_alone(
    connection: psycopg.Connection[object], dbt: Dbt, rows: Rows
) -> None:
    """A price below nothing: in a version of its own, and no cycle may miss it."""
    for number, offer in enumerate((item(A), item(B)), start=1):
        land(connection, str(number), [Reading(BUY, hour(number), [[offer]])])
    dbt(*NEW)
    assert rows("select * from ops.loads_under_test") == []
    # Spoilt behind everybody's back, in what was seen to be right before.
    connection.execute(b"update marts.fact_offers set price = -1 where valid_to is not null")

    # As a model would that gets one version wrong: an ad of such a price is in no fact.
    connection.execute(
        b"create function marts.spoil() returns trigger language plpgsql as"
        b" $$ begin if new.price = 11 then new.price := -1; end if; return new; end $$"
    )
    connection.execute(
        b"create trigger spoil before insert on marts.fact_offers"
        b" for each row execute function marts.spoil()"
    )
    land(connection, "3", [Reading(BUY, hour(3), [[item(B, "11")]])])
    wrong = dbt(*NEW, must_succeed=False)
    again = dbt(*NEW, must_succeed=False)
    for report in (wrong, again):
        (failure,) = (each for each in report.failures if "_price" in each.node)
        assert failure.message.startswith("Got 1 result,"), "of the two that a look at all finds"
    assert rows("select load_id from ops.loads_under_test") == [("3",)]

    connection.execute(b"drop function marts.spoil() cascade")
    connection.execute(b"update marts.fact_offers set price = 11 where valid_to is null")
    dbt("build", "--resource-type", "test", *NEW[-2:])
    assert rows("select load_id from ops.loads_under_test") == [("3",)], "no model took it in"
    dbt(*NEW)
    assert rows("select * from ops.loads_under_test") == []
