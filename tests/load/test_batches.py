"""What lands together, and what goes on meanwhile."""

import gc
import threading
import weakref
from typing import Any

import pytest

from load.land.landing import Landing
from load.land.source import Batch
from load.land.state import State
from tests.load.conftest import Loader, Stub, offer

USDT, BTC, SELL = "VES-USDT-BUY", "VES-BTC-BUY", "VES-USDT-SELL"
OFFERS = [offer(number) for number in range(45)]


@pytest.fixture(autouse=True)
def market(stub: Stub) -> None:
    """Two pairs of one fiat; one book of three pages, one of one, one empty."""
    stub.put(USDT, OFFERS)
    stub.put(SELL, OFFERS[:7])
    stub.put(BTC, [])


def test_while_a_batch_lands_a_few_pages_more_are_read(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        stub.put(f"VES-A{number:02}-BUY", OFFERS[:1])
    loader.run()  # now it is known how many pages each has
    before = len(stub.searches())
    monkeypatch.setattr("load.land.source.batch_pages", lambda _: 40)
    land, enough = Landing.land, threading.Event()

    def patient(self: Landing, batch: Batch, state: State, *more: Any) -> list[str]:
        most = before + batch.pages_read + 3 + 1 + 1  # of the books that are still under way

        def count(*_: object) -> None:
            if len(stub.searches()) > most:
                enough.set()

        stub.override = count
        count()  # those that came before anyone counted
        assert enough.wait(60), "nobody reads"
        return land(self, batch, state, *more)

    monkeypatch.setattr(Landing, "land", patient)
    assert loader.run().books_unchanged == 63


def test_a_batch_is_bounded_by_the_pages_that_were_read(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        stub.put(f"VES-A{number}-BUY", OFFERS[:1])
    monkeypatch.setattr("load.land.source.batch_pages", lambda _: 5)
    pages_of_loads = "select sum(pages) from staging.snapshots group by _dlt_load_id, run_id"
    assert len(loader.run().load_ids) >= 2
    assert all(5 <= pages <= 5 + 5 or pages < 5 for pages in loader.rows(pages_of_loads))
    assert len(loader.run().load_ids) >= 2, "pages that need not land count as well"


def test_no_batch_is_held_after_it_has_landed(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[Batch]] = []
    real = Landing.land

    def land(landing: Landing, batch: Batch, state: State, *more: Any) -> list[str]:
        held.append(weakref.ref(batch))
        return real(landing, batch, state, *more)

    for number in range(9):
        stub.put(f"VES-A{number}-BUY", OFFERS[:1])
    monkeypatch.setattr(Landing, "land", land)
    monkeypatch.setattr("load.land.source.batch_pages", lambda _: 1)
    loader.run()
    gc.collect()
    assert len(held) > 1
    assert [batch for batch in held if batch()] == []


def test_old_states_do_not_pile_up(loader: Loader) -> None:
    for _ in range(7):
        report = loader.run()
    assert loader.rows("select count(*) from staging._dlt_pipeline_state") == [5]
    assert report.load_ids[-1] in loader.rows(
        "select _dlt_load_id from staging._dlt_pipeline_state"
    )
    kept = list(loader.settings.home.glob("dlt/pipelines/binance_p2p/load/loaded/*"))
    assert len(kept) <= 3
