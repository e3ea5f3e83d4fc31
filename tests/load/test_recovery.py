"""Killed, robbed of its folder or its tables: the next cycle needs no hand and loses nothing."""

import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from chaos.places import LOADER_PLACES
from chaos.victim import Forge
from load.land.landing import Landing
from load.land.source import Batch, binance_p2p
from load.pipeline import IN_FLIGHT
from tests.load.conftest import Loader, Stub, offer
from tests.load.test_endings import spoil_pages_of_sell
from tests.load.victim import load_and_die

OFFERS = [offer(number) for number in range(45)]
Kill = Callable[..., None]
BOOKS = ("VES-USDT-BUY", "VES-USDT-SELL", "VES-BTC-BUY")

COUNTING = "_dlt_load_id in (select load_id from staging._dlt_loads where status = 0)"


@pytest.fixture(autouse=True)
def market(stub: Stub) -> None:
    for name, size in zip(BOOKS, (45, 7, 0), strict=True):
        stub.put(name, OFFERS[:size])


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with Forge() as opened:
        yield opened


@pytest.fixture
def kill(forge: Forge, loader: Loader, stub: Stub) -> Kill:
    """Runs a cycle in a process of its own that dies at a place of one of its batches."""

    def run(place: str, *, batches: int, minutes: float = 0, batch_pages: int = 250) -> None:
        load = partial(load_and_die, batches=batches, minutes=minutes, batch_pages=batch_pages)
        process = forge.fork(load, loader.warehouse, loader.settings.home, stub.url, place)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        while loader.rows("select count(*) from pg_locks where locktype = 'advisory'") != [0]:
            pass  # the server has yet to notice that its client is gone

    return run


def books_whole(loader: Loader) -> dict[str, list[int]]:
    """By book, how many distinct pages the latest complete snapshot has, and should have."""
    return dict(
        (f"{fiat}-{asset}-{side}", [pages, found])
        for fiat, asset, side, pages, found in loader.rows(
            f"""
            select distinct on (fiat_code, asset_code, side)
                fiat_code, asset_code, side, pages,
                (
                    select count(distinct page) from staging.pages
                    where snapshot_id = coalesce(s.same_as_snapshot_id, s.snapshot_id)
                        and {COUNTING}
                )
            from staging.snapshots as s where is_complete and {COUNTING}
            order by fiat_code, asset_code, side, started_at desc
            """
        )
    )


WHOLE = {"VES-USDT-BUY": [3, 3], "VES-USDT-SELL": [1, 1], "VES-BTC-BUY": [1, 1]}


@pytest.mark.parametrize("point", LOADER_PLACES)
def test_killed_anywhere_and_run_again_is_as_never_killed(
    kill: Kill, loader: Loader, stub: Stub, point: str
) -> None:
    kill(point, batches=1)
    report = loader.run()
    assert books_whole(loader) == WHOLE
    assert loader.run().books_unchanged == 3
    assert books_whole(loader) == WHOLE
    places = list(LOADER_PLACES)
    is_extracted = places.index(point) >= places.index("before normalize")
    assert report.recovered == ("finished" if is_extracted else "nothing")


def test_killed_between_commit_and_marker_a_file_is_there_twice_in_one_load(
    kill: Kill, loader: Loader, stub: Stub
) -> None:
    kill("between the commit and dlt's marker", batches=1)
    assert loader.run().recovered == "finished"
    assert loader.rows(
        "select count(*), count(distinct (snapshot_id, page)), count(distinct _dlt_load_id) "
        "from staging.pages"
    ) == [(10, 5, 1)]


def test_what_an_interrupted_cycle_had_landed_is_not_read_again(
    kill: Kill, loader: Loader, stub: Stub
) -> None:
    for number in range(60):
        stub.put(f"VES-A{number:02}-BUY", OFFERS[:1])
    kill("in extract", batches=3, batch_pages=20)
    landed = {f"{f}-{a}-{s}" for f, a, s in loader.snapshots("fiat_code, asset_code, side")}
    batches = loader.rows(
        "select sum(pages)::int from staging.snapshots group by _dlt_load_id order by 1"
    )
    # A batch is full with its 20th page, and whatever was read beside that one is in it too.
    assert [20 <= pages < 20 + IN_FLIGHT * 3 for pages in batches] == [True, True]
    stub.requests.clear()
    report = loader.run()
    assert report.resumed
    assert not {name for name, _ in stub.searches()} & landed
    assert report.books_read == 63 - len(landed)


def test_a_first_load_that_was_killed_leaves_a_catalogue_to_be_read_again(
    kill: Kill, loader: Loader, stub: Stub
) -> None:
    kill("in extract", batches=1)
    assert loader.run().catalogue_readings == 3
    assert books_whole(loader) == WHOLE


def test_with_the_folder_lost_the_state_comes_back_from_the_warehouse(
    loader: Loader, stub: Stub
) -> None:
    loader.run()
    stub.put("VES-USDT-SELL", OFFERS[:8])
    loader.run()
    shutil.rmtree(loader.settings.home / "dlt")
    report = loader.run()
    assert (report.books_unchanged, report.catalogue_readings) == (3, 0)
    assert report.books_corrected == 0


def test_with_the_folder_lost_in_the_middle_of_a_load_its_rows_are_ignored(
    kill: Kill, loader: Loader, stub: Stub
) -> None:
    loader.run()
    stub.put("VES-USDT-BUY", OFFERS[:44])
    kill("before the load is finished", batches=1, minutes=30)
    loader.clock.advance(40)
    shutil.rmtree(loader.settings.home / "dlt")
    report = loader.run()
    assert report.pages_landed == 3, "the pages of the unfinished load do not count"
    assert books_whole(loader)["VES-USDT-BUY"] == [3, 3]


def test_a_broken_folder_is_dropped(loader: Loader) -> None:
    loader.run()
    state = loader.settings.home / "dlt" / "pipelines" / "binance_p2p" / "state.json"
    state.write_text('{"half of a st')
    assert loader.run().books_unchanged == 3


def test_a_truncated_package_is_aborted_and_its_books_are_read_again(
    kill: Kill, loader: Loader, stub: Stub
) -> None:
    loader.run()
    stub.put("VES-USDT-BUY", OFFERS[:44])
    kill("before load", batches=1, minutes=30)
    loader.clock.advance(40)
    (parquet,) = loader.settings.home.glob("dlt/**/new_jobs/pages*.parquet")
    parquet.write_bytes(parquet.read_bytes()[:1_000])
    report = loader.run()
    assert report.recovered == "aborted"
    assert report.pages_landed == 3
    assert books_whole(loader) == WHOLE


def test_a_poison_package_left_by_an_older_run_blocks_nothing(
    loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.run()
    with monkeypatch.context() as poisoned:
        poisoned.setattr("load.land.source._pages", spoil_pages_of_sell)
        landing = Landing(loader.settings.home, loader.warehouse)
        stub.put("VES-USDT-SELL", OFFERS[:6])
        poisoned.setattr(Landing, "land", extract_only)
        with pytest.raises(InterruptedError):
            loader.run()
    assert landing.recover() == "aborted"
    assert loader.run().pages_landed == 1
    assert books_whole(loader) == WHOLE


def extract_only(landing: Landing, batch: Batch, state: object, _: object) -> list[str]:
    landing._pipeline.extract(
        binance_p2p(batch, state.dump()),  # type: ignore[attr-defined]
        loader_file_format="parquet",
    )
    raise InterruptedError


@pytest.mark.parametrize("table", ["pages", "snapshots", "new_fields", "fiats"])
def test_a_dropped_table_is_made_again_and_what_was_in_it_is_read_again(
    loader: Loader, stub: Stub, table: str
) -> None:
    loader.run()
    loader.do(f"drop table staging.{table}")
    report = loader.run()
    assert loader.rows("select to_regclass(%s) is not null", f"staging.{table}") == [True]
    assert books_whole(loader) == WHOLE
    assert report.pages_landed == (5 if table in ("pages", "snapshots") else 0)
    assert report.catalogue_readings == (1 if table == "fiats" else 0)


@pytest.mark.parametrize("table", ["_dlt_loads", "_dlt_pipeline_state", "_dlt_version"])
def test_a_dropped_table_of_dlts_is_made_again(loader: Loader, table: str) -> None:
    loader.run()
    loader.do(f"drop table staging.{table}")
    loader.run()
    assert loader.run().books_unchanged == 3
    assert books_whole(loader) == WHOLE


def test_a_dropped_schema_is_made_again(loader: Loader) -> None:
    loader.run()
    loader.do("drop schema staging cascade")
    report = loader.run()
    assert (report.catalogue_readings, report.pages_landed) == (3, 5)
    assert books_whole(loader) == WHOLE


def test_a_page_that_is_missing_makes_its_book_land_again(loader: Loader) -> None:
    loader.run()
    loader.do("delete from staging.pages where side = 'BUY' and asset_code = 'USDT' and page = 2")
    report = loader.run()
    assert (report.books_corrected, report.pages_landed) == (1, 3)
    assert books_whole(loader) == WHOLE


def test_what_is_in_quarantine_is_not_repeated_by_an_unchanged_snapshot(
    loader: Loader, stub: Stub
) -> None:
    loader.run()
    stub.put("VES-USDT-SELL", OFFERS[:8])
    bad = loader.run().load_ids
    loader.do("create schema ops")
    loader.do("create table ops.quarantined_loads (load_id text primary key, run_id text)")
    for load_id in bad:
        loader.do("insert into ops.quarantined_loads values (%s, 'run2')", load_id)
    report = loader.run()
    assert report.books_unchanged == 0, "the reading before it does not count for any book"
    assert report.pages_landed == 5
    assert loader.run().books_unchanged == 3


def test_a_state_that_is_older_than_the_warehouse_is_not_believed(
    loader: Loader, stub: Stub
) -> None:
    loader.run()
    stub.put("VES-USDT-SELL", OFFERS[:8])
    newest = loader.run().load_ids
    stub.put("VES-USDT-SELL", OFFERS[:7])
    loader.do("delete from staging._dlt_pipeline_state where _dlt_load_id = any(%s)", newest)
    shutil.rmtree(loader.settings.home / "dlt")
    report = loader.run()
    assert report.books_unchanged == 0
    readings = loader.snapshots("side, offers_distinct, is_unchanged")
    assert [row[1:] for row in readings if row[0] == "SELL"] == [
        (7, False),
        (8, False),
        (7, False),
    ]
    assert loader.rows(
        "select count(*) = count(distinct (fiat_code, asset_code, side, started_at)) "
        "from staging.snapshots"
    ) == [True]


def test_folders_of_killed_extractions_are_swept(kill: Kill, loader: Loader, stub: Stub) -> None:
    kill("before extract is committed", batches=1)
    working = loader.settings.home / "dlt" / "pipelines" / "binance_p2p" / "normalize"
    assert len(list(working.iterdir())) > 1
    loader.run()
    assert [folder.name for folder in working.iterdir() if folder.is_dir()] == ["extracted"]


def test_a_column_that_a_warehouse_of_an_earlier_version_lacks_is_added(loader: Loader) -> None:
    loader.run()
    loader.do("alter table staging.snapshots drop column offers_missing")
    loader.run()
    assert set(loader.rows("select offers_missing from staging.snapshots")) == {None, 0}
