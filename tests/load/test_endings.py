"""How a cycle ends: whole, stopped, interrupted, refused or out of reach."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from load.alone import only_loader
from load.exchange.calls import CONDITIONS, SEARCH
from load.land.source import Batch
from load.land.state import State
from load.land.tables import TABLES
from load.pipeline import ExchangeOutOfReach, Progress
from tests.load.conftest import Json, Loader, Reply, Stub, envelope, offer
from warehouse.errors import UserError
from warehouse.postgres import single_writer

USDT, BTC, SELL = "VES-USDT-BUY", "VES-BTC-BUY", "VES-USDT-SELL"
OFFERS = [offer(number) for number in range(45)]


@pytest.fixture(autouse=True)
def market(stub: Stub) -> None:
    """Two pairs of one fiat; one book of three pages, one of one, one empty."""
    stub.put(USDT, OFFERS)
    stub.put(SELL, OFFERS[:7])
    stub.put(BTC, [])


def search_only(reply: Callable[[Json, int], Reply | None]) -> Callable[..., Reply | None]:
    return lambda path, body, times: reply(body, times) if path == SEARCH else None


def test_an_exchange_that_is_not_there_is_said_in_one_line(loader: Loader) -> None:
    with pytest.raises(ExchangeOutOfReach) as failure:
        loader.run(settings={"api_url": "http://127.0.0.1:9"})
    line = str(failure.value)
    assert "P2P_API_URL=http://127.0.0.1:9" in line
    assert "make demo" in line
    assert "\n" not in line


def test_an_exchange_that_went_away_since_the_last_cycle_is_out_of_reach_too(
    loader: Loader, stub: Stub
) -> None:
    loader.run()
    loader.clock.advance(25 * 60)
    with pytest.raises(ExchangeOutOfReach):
        loader.run(settings={"api_url": "http://127.0.0.1:9"})
    stub.override = lambda *_: (451, b"<html>")
    with pytest.raises(ExchangeOutOfReach, match="http_451.*does not let this address in"):
        loader.run()


def test_a_ban_that_outlasts_the_cycle_with_nothing_read_is_out_of_reach(
    loader: Loader, stub: Stub
) -> None:
    stub.override = lambda *_: (418, b"", {"Retry-After": "259200"})
    with pytest.raises(ExchangeOutOfReach, match="http_418"):
        loader.run()
    assert len(stub.requests) == 1


def test_a_second_loader_is_told_that_one_runs(loader: Loader) -> None:
    with single_writer(loader.warehouse, "load"), pytest.raises(UserError, match="load"):
        loader.run()


def test_two_loaders_with_one_folder_and_different_warehouses_do_not_meet(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load.alone._PATIENCE", 0.0)
    elsewhere = replace(loader.warehouse, database="postgres")
    with (
        only_loader(loader.settings.home, elsewhere),
        pytest.raises(UserError, match="P2P_HOME") as refused,
    ):
        loader.run()
    assert "\n" not in str(refused.value)
    assert loader.run().books_read == 3


def test_a_loader_that_lost_its_lock_to_another_lands_nothing_more_and_loses_nothing(
    loader: Loader, stub: Stub
) -> None:
    for number in range(60):
        stub.put(f"VES-A{number:02}-BUY", OFFERS[:1])
    told: list[Progress] = []
    with loader.warehouse.connect(autocommit=True) as other:

        def let_another_in(progress: Progress) -> None:
            told.append(progress)
            if progress.books_done == 30:
                other.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_locks"
                    " where locktype = 'advisory'"
                )
                other.execute("select pg_advisory_lock(hashtextextended('p2p:load', 0))")

        with pytest.raises(UserError, match="kept other processes out.*another is at it now"):
            loader.run(on_progress=let_another_in)
    assert told[-1].books_done == 63
    assert loader.rows("select count(*) from staging.snapshots") == [0]
    assert loader.run().recovered == "finished"
    assert loader.rows("select count(*) from staging.snapshots where run_id = 'run1'") == [63]


def test_a_stop_lands_what_was_read_whole_and_leaves_the_rest(loader: Loader, stub: Stub) -> None:
    stop = threading.Event()
    for number in range(9):
        stub.put(f"VES-A{number}-BUY", OFFERS[:1])

    def stop_in_the_large_book(body: Json, _: int) -> None:
        if (body["asset"], body["tradeType"]) == ("USDT", "BUY"):
            stop.set()

    stub.override = search_only(stop_in_the_large_book)
    report = loader.run(stop=stop)
    assert report.stopped
    landed = set(loader.rows("select asset_code from staging.snapshots where side = 'BUY'"))
    assert "USDT" not in landed
    assert report.books_read == len(loader.snapshots())
    assert report.books_cut_short + report.books_read == report.books_planned
    stub.requests.clear()
    stub.override = lambda *_: None
    resumed = loader.run()
    assert resumed.resumed
    assert (USDT, 1) in stub.searches()
    assert not {name.split("-")[1] for name, _ in stub.searches() if "BUY" in name} & landed
    assert not resumed.stopped


def test_an_interrupted_cycle_older_than_the_interval_begins_anew(
    loader: Loader, stub: Stub
) -> None:
    stop = threading.Event()

    def stop_on_the_first_page(body: Json, _: int) -> None:
        if (body["asset"], body["tradeType"]) == ("USDT", "BUY"):
            stop.set()

    stub.override = search_only(stop_on_the_first_page)
    loader.run(stop=stop)
    stub.override = lambda *_: None
    loader.clock.advance(21)
    report = loader.run()
    assert not report.resumed
    assert report.books_read == 3


def test_a_cycle_that_ended_is_not_gone_on_with(loader: Loader) -> None:
    loader.run()
    report = loader.run()
    assert not report.resumed
    assert report.books_read == 3


def test_a_poison_page_costs_nobody_else_and_blocks_nothing(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing that gets through the boundary is known to be refused: so the boundary is opened.
    monkeypatch.setattr("load.exchange.envelope.clean", lambda raw: (raw, 0))
    monkeypatch.setattr("load.land.source._pages", spoil_pages_of_sell)
    report = loader.run()
    assert report.incomplete_reasons == {"refused_by_warehouse": 1}
    assert report.books_complete == 2
    assert loader.rows("select count(*) from staging.pages") == [4]
    monkeypatch.undo()
    assert loader.run().books_complete == 3


def test_what_a_refused_batch_had_put_into_memory_is_forgotten(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.put(BTC, [offer(1, brandNew=1)])
    monkeypatch.setattr("load.land.source._pages", spoil_pages_of_sell)
    loader.run()
    # Had the refused batch told of it, the half that landed would not have.
    assert loader.rows(
        "select path from staging.new_fields where path like '%brandNew' and _dlt_load_id in"
        " (select load_id from staging._dlt_loads where status = 0)"
    ) == ["adv.brandNew"]


def spoil_pages_of_sell(batch: Batch) -> list[Json]:
    return [
        {column: None for column in TABLES["pages"].names}
        | {
            "snapshot_id": reading.snapshot_id,
            "page": page.number,
            "body": b"{" if reading.book.side == "SELL" else page.body,
        }
        for reading in batch.readings
        for page in reading.pages
    ]


def test_progress_is_told_as_books_are_read(loader: Loader) -> None:
    told: list[Progress] = []
    loader.run(on_progress=told.append)
    assert (told[-1].books_done, told[-1].books_total) == (3, 3)
    assert (told[-1].pages, told[-1].offers) == (5, 52)
    assert all(step.message.isprintable() for step in told)


def test_a_warehouse_that_does_not_answer_is_said_in_one_line(loader: Loader) -> None:
    nowhere = replace(loader.warehouse, database="not_there")
    with pytest.raises(UserError, match="DATABASE_URL.*does not answer") as refusal:
        loader.run(warehouse=nowhere)
    assert "\n" not in str(refusal.value)


def test_the_state_survives_its_way_through_json() -> None:
    state = State()
    assert State.load(state.dump()).dump() == state.dump()
    assert State.load({}).dump() == state.dump()
    assert State.load({"version": 99, "books": {"?": []}}).dump() == state.dump()


def test_what_a_payment_method_is_called_lands_as_it_is_written(loader: Loader) -> None:
    loader.run()
    assert loader.rows("select identifier, name, short_name from staging.payment_methods") == [
        ("Banesco", "Banesco", None)
    ]


def test_a_payment_method_without_an_identifier_goes_by_its_pay_type(
    loader: Loader, stub: Stub
) -> None:
    methods = [{"identifier": None, "payType": "Wise"}, {"identifier": "", "payType": None}]
    stub.override = lambda path, *_: (
        envelope(None, data={"tradeMethods": methods}) if path == CONDITIONS else None
    )
    loader.run()
    assert loader.rows("select identifier from staging.payment_methods") == ["Wise"]
