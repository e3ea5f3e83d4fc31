"""A warehouse that goes away in the middle of a cycle is said in one line, whatever step it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ops import record
from warehouse.errors import UserError
from warehouse.postgres import Warehouse


def note_on_an_ended_connection(warehouse: Warehouse) -> None:
    with record.connected(warehouse) as connection:
        with warehouse.connect(autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("select 1")


def test_a_warehouse_that_is_gone_when_something_is_to_be_recorded_says_so(
    warehouse: Warehouse,
) -> None:
    with (
        pytest.raises(UserError, match="DATABASE_URL: the warehouse stopped answering") as failure,
        record.connected(replace(warehouse, port=1)),
    ):
        pass
    assert "\n" not in str(failure.value)


def test_a_connection_that_is_ended_while_something_is_recorded_says_so(
    warehouse: Warehouse,
) -> None:
    with pytest.raises(UserError, match="DATABASE_URL: the warehouse stopped answering"):
        note_on_an_ended_connection(warehouse)
