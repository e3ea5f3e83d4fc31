"""A catalogue that nobody would write: what is no code is left out and counted, nothing breaks."""

import threading
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from load.exchange.calls import CONDITIONS, CONFIG, FIATS, Exchange
from load.exchange.catalogue import CatalogueReading, read_fiat, read_fiats, remember
from load.land.state import CatalogueState, State
from load.land.tables import TABLES
from load.pace.pacer import Pacer
from load.text import is_code
from tests.hostile import Json, dumped, values
from tests.load.conftest import NOON, FakeTime

GO = threading.Event()
codes = st.one_of(st.sampled_from(["VES", "USDT", "BUY", "SELL", "P2P"]), values)


def objects(*keys: str, **nested: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with these keys, now and then something else in their place."""
    fields = {key: codes for key in keys} | nested
    return st.one_of(st.fixed_dictionaries({}, optional=fields), values)


def lists(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(members, max_size=4), values)


fiats = st.lists(objects("currencyCode", "currencySymbol", "currencyScale", "countryCode"))
sides = objects("side", assets=lists(objects("asset")))
areas = st.fixed_dictionaries({"areas": lists(objects("area", tradeSides=lists(sides)))})
names = objects("identifier", "tradeMethodName", "tradeMethodShortName")
methods = st.fixed_dictionaries({"tradeMethods": lists(names)})


class Said(Exchange):
    """An exchange that answers what it was given."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9", Pacer(1_000, time=FakeTime()), clock=lambda: NOON)
        self.understood = 1
        self._said = said

    def _post(self, path: str, body: bytes) -> tuple[bytes, int]:
        return dumped({"code": "000000", "data": self._said[path], "total": None}), 200


@given(fiats, areas, methods)
def test_whatever_the_catalogue_says_its_rows_can_land_and_its_codes_are_codes(
    listed: list[Json], pairs: Json, offered: Json
) -> None:
    exchange = Said({FIATS: listed, CONFIG: pairs, CONDITIONS: offered})
    known = CatalogueState()
    readings: list[CatalogueReading] = [read_fiats(exchange, lambda: NOON, GO)]
    readings += read_fiat(exchange, "VES", known, lambda: NOON, GO)
    for reading in readings:
        remember(known, reading)
        table = {"fiats": "fiats", "trading_pairs": "trading_pairs"}.get(reading.kind)
        for row in reading.rows:
            whole = {"reading_id": reading.reading_id, "read_at": reading.read_at, **row}
            pa.Table.from_pylist([whole], TABLES[table or "payment_methods"])
            assert "\0" not in str(row)
            str(row).encode()
    assert all(map(is_code, known.fiats))
    assert all(is_code(book.asset) for book in known.books((), ()))
    state = State(catalogue=known)
    assert State.load(state.dump()).catalogue == known
