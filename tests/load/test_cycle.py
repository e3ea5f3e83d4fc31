"""Whole cycles: real dlt, real PostgreSQL, and an exchange that says what a test wants."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from load.exchange.calls import CONFIG, FIATS, SEARCH
from load.land.tables import TABLES
from tests.load.conftest import Json, Loader, Reply, Stub, envelope, offer
from warehouse.errors import BadSetting, UserError

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


def test_a_cycle_lands_every_page_verbatim_with_its_digest(loader: Loader, stub: Stub) -> None:
    report = loader.run()
    landed = loader.rows(
        "select fiat_code, asset_code, side, page, offers, announced_total, body::text, "
        "body_sha256, run_id from staging.pages order by 1, 2, 3, 4"
    )
    assert [row[1:6] for row in landed] == [
        ("BTC", "BUY", 1, 0, 0),
        ("USDT", "BUY", 1, 20, 45),
        ("USDT", "BUY", 2, 20, 45),
        ("USDT", "BUY", 3, 5, 45),
        ("USDT", "SELL", 1, 7, 7),
    ]
    assert landed[1][6].encode() == envelope(OFFERS[:20], 45)
    assert all(sha256(row[6].encode()).hexdigest() == row[7] for row in landed)
    assert {row[8] for row in landed} == {"run1"}
    assert (report.books_read, report.books_complete, report.pages_landed) == (3, 3, 5)


def test_every_table_is_there_after_the_first_cycle_with_the_columns_agreed(
    loader: Loader,
) -> None:
    loader.run()
    for table, columns in TABLES.items():
        found = loader.rows(
            "select column_name from information_schema.columns "
            "where table_schema = 'staging' and table_name = %s",
            table,
        )
        assert set(found) == set(columns.names), table
    assert loader.rows(
        "select data_type from information_schema.columns "
        "where table_schema = 'staging' and table_name = 'pages' and column_name = 'body'"
    ) == ["json"]


def test_every_row_belongs_to_a_finished_load(loader: Loader) -> None:
    report = loader.run()
    for table in TABLES:
        loads = loader.rows(f"select distinct _dlt_load_id from staging.{table}")
        assert set(loads) <= set(report.load_ids), table
    assert loader.rows("select count(*) from staging._dlt_loads where status = 0") == [
        len(report.load_ids)
    ]


def test_our_indexes_are_made_and_dlts_unique_ones_are_not(loader: Loader) -> None:
    loader.run()
    loader.run()
    found = loader.rows("select indexdef from pg_indexes where schemaname = 'staging'")
    assert not any("UNIQUE" in index for index in found)
    for place in (
        "pages USING btree (snapshot_id)",
        "pages USING btree (_dlt_load_id)",
        "snapshots USING btree (started_at)",
        "snapshots USING btree (_dlt_load_id)",
        "snapshots USING btree (snapshot_id)",
    ):
        assert sum(place in index for index in found) == 1, place


def test_the_catalogue_lands_once_a_day(loader: Loader, stub: Stub) -> None:
    loader.run()
    loader.run()
    assert sorted(
        loader.rows("select kind, fiat_code, items, is_complete from staging.catalogue_readings")
    ) == [
        ("fiats", None, 1, True),
        ("payment_methods", "VES", 1, True),
        ("trading_pairs", "VES", 3, True),
    ]
    assert loader.rows("select fiat_code, symbol, scale, country_code from staging.fiats") == [
        ("VES", "Bs.", 2, "VE")
    ]
    assert sorted(loader.rows("select asset_code, side from staging.trading_pairs")) == [
        ("BTC", "BUY"),
        ("USDT", "BUY"),
        ("USDT", "SELL"),
    ]
    loader.clock.advance(24 * 60)
    loader.run()
    assert loader.rows("select count(*) from staging.catalogue_readings") == [6]


def test_a_limit_that_names_a_new_fiat_has_it_read_at_once(loader: Loader, stub: Stub) -> None:
    stub.put("ARS-USDT-BUY", OFFERS[:1])
    loader.run(settings={"fiats": ("VES",)})
    assert {name for name, _ in stub.searches()} == {USDT, BTC, SELL}
    loader.run(settings={"fiats": ("ARS",)})
    assert stub.searches()[-1] == ("ARS-USDT-BUY", 1)


def test_a_limit_on_assets_limits_what_is_read(loader: Loader, stub: Stub) -> None:
    report = loader.run(settings={"assets": ("BTC",)})
    assert stub.searches() == [(BTC, 1)]
    assert report.books_listed == 1


def test_a_limit_that_names_nothing_listed_is_said_in_one_line(loader: Loader) -> None:
    with pytest.raises(UserError, match=r"P2P_FIATS=XXX.*lists none") as refusal:
        loader.run(settings={"fiats": ("XXX",)})
    assert "\n" not in str(refusal.value)


def test_a_catalogue_that_fails_leaves_the_last_known_in_place_and_says_so(
    loader: Loader, stub: Stub
) -> None:
    loader.run()
    loader.clock.advance(25 * 60)
    stub.override = lambda path, _body, _times: (503, b"") if path in (FIATS, CONFIG) else None
    report = loader.run()
    assert report.books_complete == 3
    assert loader.rows(
        "select kind, incomplete_reason from staging.catalogue_readings where not is_complete"
    ) == [("fiats", "http_503")]


def test_codes_that_could_not_be_keys_are_dropped_and_counted(loader: Loader, stub: Stub) -> None:
    stub.put("VES-'; drop table-BUY", [])
    report = loader.run()
    assert report.dropped_codes == 1
    assert report.books_listed == 3


def test_an_unchanged_book_lands_its_row_and_no_pages(loader: Loader, stub: Stub) -> None:
    loader.run()
    for item in OFFERS:
        item["advertiser"]["activeTimeInSecond"] += 7
    report = loader.run()
    assert report.books_unchanged == 3
    assert report.pages_landed == 0
    assert loader.rows("select count(*) from staging.pages") == [5]
    first, second = loader.rows(
        "select snapshot_id, same_as_snapshot_id, is_unchanged, pages, offers_distinct "
        "from staging.snapshots where asset_code = 'USDT' and side = 'BUY' order by started_at"
    )
    assert first[1:] == (None, False, 3, 45)
    assert second[1:] == (first[0], True, 3, 45)


def test_a_third_equal_reading_still_names_the_snapshot_with_the_pages(loader: Loader) -> None:
    for _ in range(3):
        loader.run()
    assert loader.rows(
        "select count(distinct same_as_snapshot_id), count(same_as_snapshot_id) "
        "from staging.snapshots where side = 'SELL'"
    ) == [(1, 2)]


def test_a_changed_book_lands_its_pages_anew(loader: Loader, stub: Stub) -> None:
    loader.run()
    stub.put(SELL, [*OFFERS[:6], offer(6, price="41")])
    report = loader.run()
    assert (report.books_unchanged, report.pages_landed) == (2, 1)


def test_a_failed_book_is_an_incomplete_snapshot_and_not_a_failed_cycle(
    loader: Loader, stub: Stub
) -> None:
    stub.override = search_only(
        lambda body, _: (
            b"no page" if body["page"] == 2 else (503, b"") if body["asset"] == "BTC" else None
        )
    )
    report = loader.run()
    assert report.incomplete_reasons == {"not_json": 1, "http_503": 1}
    assert sorted(
        loader.rows(
            "select asset_code, side, is_complete, incomplete_reason, pages from staging.snapshots"
        )
    ) == [
        ("BTC", "BUY", False, "http_503", 0),
        ("USDT", "BUY", False, "not_json", 2),
        ("USDT", "SELL", True, None, 1),
    ]
    assert loader.rows("select count(*) from staging.pages") == [3]


def test_after_an_incomplete_reading_an_equal_book_lands_its_pages_all_the_same(
    loader: Loader, stub: Stub
) -> None:
    loader.run()
    stub.override = search_only(lambda body, _: b"no page" if body["page"] == 2 else None)
    loader.run()
    stub.override = lambda *_: None
    report = loader.run()
    assert (report.books_unchanged, report.books_corrected) == (2, 0)
    assert loader.snapshots("is_complete, is_unchanged, pages")[-3:].count((True, False, 3)) == 1


def test_a_book_suddenly_empty_is_believed_the_second_time(loader: Loader, stub: Stub) -> None:
    loader.run()
    stub.put(SELL, [])
    loader.run()
    loader.run()
    assert loader.rows(
        "select is_complete, incomplete_reason, offers_seen from staging.snapshots "
        "where side = 'SELL' order by started_at"
    ) == [(True, None, 7), (False, "suddenly_empty", 0), (True, None, 0)]


def test_started_at_of_a_book_grows_also_when_the_clock_is_set_back(loader: Loader) -> None:
    loader.run()
    loader.clock.advance(-60)
    loader.run()
    loader.clock.advance(-60)
    loader.run()
    assert loader.rows(
        "select bool_and(grows) from (select started_at > lag(started_at) over (order by run_id) "
        "as grows from staging.snapshots where side = 'SELL') as readings"
    ) == [True]


def test_hostile_text_lands_and_the_next_good_page_too(loader: Loader, stub: Stub) -> None:
    nasty = [offer(number) for number in range(3)]
    nasty[0]["advertiser"]["nickName"] = "'; drop table staging.pages; --<script>\u202e\x1b[2J"
    nasty[1]["advertiser"]["nickName"] = "x" * 10_000
    sent = envelope(nasty, 3).replace(b'"ana"', b'"a\\u0000\\ud800\xff"').replace(b"40.5", b"1e9")
    stub.override = search_only(lambda body, _: sent if body["tradeType"] == "SELL" else None)
    report = loader.run()
    assert report.books_complete == 3
    assert loader.rows(
        "select cleaned_characters, body::jsonb #>> '{data,2,advertiser,nickName}' "
        "from staging.pages where side = 'SELL'"
    ) == [(3, "a\ufffd\ufffd\ufffd")]
    assert report.cleaned_characters == 3
    stub.override = lambda *_: None
    assert loader.run().books_complete == 3


def test_a_field_never_seen_is_reported_once(loader: Loader, stub: Stub) -> None:
    stub.put(SELL, [offer(1, shinyNew="x"), offer(2, shinyNew="y")])
    assert loader.run().new_fields == ["adv.shinyNew"]
    stub.put(SELL, [offer(1, shinyNew="z")])
    assert loader.run().new_fields == []
    assert loader.rows("select path, json_type, run_id from staging.new_fields") == [
        ("adv.shinyNew", "text", "run1")
    ]


def test_four_books_of_one_page_are_read_at_once_and_no_more(loader: Loader, stub: Stub) -> None:
    for number in range(8):
        stub.put(f"VES-A{number}-BUY", OFFERS[:1])
    under_way, most, lock = [0], [0], threading.Lock()
    four = threading.Barrier(4)

    def count(body: Json, times: int) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        if len(stub.searches()) <= 4:
            four.wait(60)
        with lock:
            under_way[0] -= 1

    stub.override = search_only(count)
    loader.run()
    assert most[0] == 4


def test_a_hot_pair_is_read_in_every_cycle_though_it_is_empty_and_the_budget_small(
    loader: Loader,
) -> None:
    loader.run()
    poor = {"requests_per_second": 0.001}
    loader.run(settings=poor)
    loader.run(settings=poor | {"hot": (("VES", "BTC"),)})
    read = loader.rows(
        "select run_id, asset_code from staging.snapshots where run_id <> 'run1' order by 1, 2"
    )
    assert read == [("run2", "USDT"), ("run3", "BTC"), ("run3", "USDT")]


def test_within_a_long_cycle_the_budget_is_spent_in_rounds_that_follow_what_was_seen(
    loader: Loader, stub: Stub
) -> None:
    stub.books.clear()
    for number in range(30):
        stub.put(f"VES-A{number}-BUY", OFFERS[:3])
    stub.override = search_only(
        lambda body, times: (
            envelope([offer(n, str(times)) for n in range(12)], 12)
            if body["asset"] == "A7"
            else None
        )
    )
    slow = {"requests_per_second": 0.1, "extraction_interval": 15}  # three rounds of 27 requests
    report = loader.run(settings=slow)
    times = dict(
        loader.rows(
            "select asset_code, count(distinct started_at) from staging.snapshots group by 1"
        )
    )
    assert len(times) == 30
    assert times["A7"] > 1
    assert sum(times.values()) == report.books_read == report.books_planned
    assert 70 <= len(stub.searches()) <= 81
    assert not loader.run(settings=slow).resumed


def test_a_fiat_without_any_book_is_refused_and_beside_others_reported(
    loader: Loader, stub: Stub
) -> None:
    stub.fiats.append("EUR")
    with pytest.raises(BadSetting, match="P2P_FIATS=EUR: the exchange lists no pair of these"):
        loader.run(settings={"fiats": ("EUR",)})
    report = loader.run(settings={"fiats": ("VES", "EUR", "XXX")})
    assert (report.books_read, report.unlisted) == (3, ["EUR", "XXX"])


def test_the_loader_runs_alone_in_a_process_of_its_own(
    loader: Loader, stub: Stub, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "load"],
        env={
            **os.environ,
            "DATABASE_URL": loader.warehouse.url,
            "P2P_HOME": str(tmp_path / "alone"),
            "P2P_API_URL": stub.url,
            "P2P_RATES_URL": "off",
            "P2P_SPOT_URL": "off",
            "P2P_REQUESTS_PER_SECOND": "1000",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "3 books read, 5 pages landed.\n"), done.stderr
    assert loader.rows("select count(*) from staging.pages") == [5]
