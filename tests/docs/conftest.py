"""A warehouse to hold the documents' queries against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from warehouse.postgres import Warehouse


@pytest.fixture(scope="module")
def built(built_warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the built market, as `p2p sql` opens it; closed again for who copies it."""
    with built_warehouse.connect(autocommit=True) as connection:
        yield connection
