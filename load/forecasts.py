"""Forecasts land by a pipeline of their own: they wait for no cycle, and none waits for them.

Two pipelines may append to one schema at once, and each keeps its own state.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dlt
from dlt.extract import DltResource

from load.land.landing import Landing, Refused, share_arenas
from load.land.source import resource_of
from warehouse.errors import UserError
from warehouse.postgres import Warehouse, Writer
from warehouse.settings import Settings

PIPELINE = "forecasts"
TABLES = ("predictor_models", "predictor_runs", "price_forecasts")

Rows = Sequence[Mapping[str, Any]]


def land(
    settings: Settings, warehouse: Warehouse, writer: Writer, rows: Mapping[str, Rows]
) -> list[str]:
    """Land rows by table; returns the load's id.

    `writer` keeps other forecasts out.

    Raises:
        UserError: the warehouse is in trouble, or refuses a value.
    """
    share_arenas()
    landing = Landing(settings.home, warehouse, name=PIPELINE)
    landing.recover()
    try:
        return landing.put(_source(rows), writer.require)
    except Refused as refusal:
        raise UserError(f"The warehouse refuses the forecasts: {refusal}") from refusal


@dlt.source(name=PIPELINE)
def _source(rows: Mapping[str, Rows]) -> Iterator[DltResource]:
    for table in TABLES:
        yield resource_of(table, rows.get(table, ()))
