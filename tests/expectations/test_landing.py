"""Each check of the landing, seen red on data broken on purpose; green is the line unbroken."""

from __future__ import annotations

import json

import pytest

from tests.expectations.conftest import BOOKS, INTERVAL, NOON, OFFERS, Line

VES_BUY = "fiat_code = 'VES' and side = 'BUY' and run_id = 'run-4'"
NOW = "run_id = 'run-4'"
ALL_CHANGED = "delete from staging.snapshots where is_unchanged"


def rewrite(line: Line, old: str, new: str, where: str = VES_BUY) -> None:
    """Replace a piece of the bodies of the pages."""
    line.execute(
        "update staging.pages set body = cast(replace(cast(body as text), %s, %s) as json)"
        f" where {where}",
        old,
        new,
    )


def rewrite_one_offer(line: Line, adv: str) -> None:
    """Put `adv`, a piece of JSON, in the place of one offer of one book."""
    line.execute(
        "update staging.pages set body = cast(jsonb_set("
        f"cast(body as jsonb), '{{data,3,adv}}', cast(%s as jsonb)) as json) where {VES_BUY}",
        adv,
    )


def test_a_good_landing_passes_every_check_with_something_to_compare(line: Line) -> None:
    verdict = line.run("landing")

    assert [result for result in verdict.results if not result.success] == []
    assert {result.observed for result in verdict.results}.isdisjoint({"nothing to compare"})


def test_a_run_that_landed_nothing_is_stopped(line: Line) -> None:
    verdict = line.run("landing", run_id="another run")

    assert "landing_is_not_empty" in {result.name for result in verdict.critical_failed}


def test_a_landing_without_a_past_and_without_marts_passes(line: Line) -> None:
    line.execute("delete from staging.snapshots where run_id <> 'run-4' or is_unchanged")
    line.execute("drop schema marts cascade")
    line.execute("drop table staging.trading_pairs")

    assert line.failed("landing") == set()


def test_an_incomplete_snapshot_may_land_without_its_pages(line: Line) -> None:
    line.execute(f"delete from staging.pages where {VES_BUY}")
    line.execute(f"update staging.snapshots set is_complete = false where {VES_BUY}")

    assert line.failed("landing") == {"nearly_all_offers_were_read"}


def test_a_page_that_landed_twice_is_one_page(line: Line) -> None:
    line.execute(f"insert into staging.pages select * from staging.pages where {VES_BUY}")

    assert line.failed("landing") == set()


def test_an_incomplete_snapshot_weighs_by_its_offers(line: Line) -> None:
    """Of 128 offers that were announced; two large books of many small ones are no bad landing."""
    line.execute(f"update staging.snapshots set is_complete = false where {VES_BUY}")

    assert line.failed("landing") == {"nearly_all_offers_were_read"}

    line.execute(
        f"update staging.snapshots set offers_distinct = 2, announced_total = 5 where {VES_BUY}"
    )

    assert line.failed("landing") == set()


def test_books_that_break_off_stop_no_other(line: Line) -> None:
    line.execute(f"update staging.snapshots set is_complete = false where {NOW} and side = 'BUY'")
    line.execute(
        "update staging.snapshots set is_complete = false"
        f" where {NOW} and fiat_code in ('LKR', 'BOB')"
    )

    assert line.failed("landing") == {"nearly_all_offers_were_read"}


def test_a_landing_of_which_nothing_is_complete_is_stopped(line: Line) -> None:
    line.execute(f"update staging.snapshots set is_complete = false where {NOW}")

    verdict = line.run("landing")
    assert [result.name for result in verdict.critical_failed] == ["some_snapshot_is_complete"]
    assert [result.name for result in verdict.warnings] == ["nearly_all_offers_were_read"]


def test_old_readings_are_a_warning_by_the_clock_of_the_run(line: Line) -> None:
    finished = NOON + 4 * INTERVAL

    assert line.failed("landing", as_of=finished + 2 * INTERVAL) == set()
    assert line.failed("landing", as_of=finished + 4 * INTERVAL) == {"newest_snapshot_is_recent"}
    assert line.failed("landing", as_of=finished + 4 * INTERVAL, interval_minutes=60) == set()


@pytest.mark.parametrize("offers", [OFFERS // 4, OFFERS * 4])
def test_a_book_of_another_size_is_a_warning(line: Line, offers: int) -> None:
    line.execute(
        f"update staging.snapshots set offers_distinct = %s, announced_total = %s where {VES_BUY}",
        offers,
        offers,
    )

    assert line.failed("landing") == {"books_keep_their_size"}


def test_a_small_book_says_nothing_by_its_size(line: Line) -> None:
    line.execute("update staging.snapshots set offers_distinct = 9, announced_total = 9")
    line.execute(
        f"update staging.snapshots set offers_distinct = 1, announced_total = 1 where {NOW}"
    )

    assert line.failed("landing") == set()


def test_a_pair_without_its_other_side_is_a_warning(line: Line) -> None:
    line.execute("delete from staging.snapshots where fiat_code = 'VES' and side = 'SELL'")

    assert line.failed("landing") == {"both_sides_are_present"}


def test_a_pair_that_lists_one_side_lacks_none(line: Line) -> None:
    line.execute("delete from staging.snapshots where fiat_code = 'VES' and side = 'SELL'")
    line.execute("delete from staging.trading_pairs where fiat_code = 'VES' and side = 'SELL'")

    assert line.failed("landing") == set()


def test_prices_that_are_no_numbers_are_a_warning(line: Line) -> None:
    rewrite(line, '"10.00"', '"10,00"')

    assert line.failed("landing") == {"prices_are_positive_numbers"}


def test_prices_of_zero_are_a_warning(line: Line) -> None:
    rewrite(line, '"10.00"', '"0.00"')

    assert line.failed("landing") == {"prices_are_positive_numbers"}


def test_one_odd_offer_of_a_hundred_is_none(line: Line) -> None:
    rewrite_one_offer(line, '{"price": "soon", "tradeType": "SELL"}')

    assert line.failed("landing") == set()


def test_hostile_offers_and_pages_of_another_shape_break_no_query(line: Line) -> None:
    odd_prices = ["1e999999999", "9" * 400, "NaN", "-5", " 1", {"deep": [1]}, None, 1.5, True]
    odd_offers = [None, 7, "text", [], [{"adv": {"price": "1"}}], {"adv": [1]}, {"adv": "text"}]
    offers = [{"adv": {"price": price, "tradeType": {}}} for price in odd_prices] + odd_offers
    bodies = [{"data": offers}, {"data": None}, {"data": {"a": 1}}, {}, [], "text", 7]
    for body, book in zip(bodies, BOOKS[1:], strict=True):
        line.execute(
            "update staging.pages set body = cast(%s as json)"
            " where run_id = 'run-4' and fiat_code = %s and side = %s",
            json.dumps(body),
            book[0],
            book[2],
        )
    line.execute(ALL_CHANGED)

    assert line.failed("landing") == {
        "prices_are_positive_numbers",
        "makers_are_on_the_opposite_side",
    }
    shares = {result.name: result.observed for result in line.run("landing").results}
    assert shares["prices_are_positive_numbers"] == "0.0625"  # the 1.5, of 16 items


def test_wrong_sides_stop_a_landing_only_where_they_are_everywhere(line: Line) -> None:
    """A book of them is suspect in `fact_snapshots`; where all are, the request went wrong."""
    rewrite(line, '"tradeType": "SELL"', '"tradeType": "BUY"')

    assert line.failed("landing") == set()

    rewrite(line, '"tradeType": "BUY"', '"tradeType": "SELL"', f"{NOW} and side = 'SELL'")
    rewrite(line, '"tradeType": "SELL"', '"tradeType": "BUY"', f"{NOW} and side = 'BUY'")

    assert line.failed("landing") == set(), "one book is unchanged, and as right as it was"

    line.execute(ALL_CHANGED)

    assert line.failed("landing") == {"makers_are_on_the_opposite_side"}


def test_ads_that_nowhere_say_their_side_are_stopped(line: Line) -> None:
    for side in ("SELL", "BUY"):
        rewrite(line, f'"tradeType": "{side}"', '"tradeType": null', NOW)
    line.execute(ALL_CHANGED)

    assert line.failed("landing") == {"makers_are_on_the_opposite_side"}


@pytest.mark.parametrize("price", ["12.50", "7.90", "101.00"])
def test_a_book_whose_price_moved_is_a_warning(line: Line, price: str) -> None:
    rewrite(line, '"10.00"', f'"{price}"')

    assert line.failed("landing") == {"prices_are_near_the_last"}


def test_an_old_price_is_no_measure_for_a_new_one(line: Line) -> None:
    rewrite(line, '"10.00"', '"10000.00"', NOW)
    line.execute(
        "update staging.snapshots set started_at = started_at - interval '3 days'"
        " where run_id <> 'run-4'"
    )

    assert line.failed("landing") == set()


def test_a_median_of_few_offers_is_no_measure(line: Line) -> None:
    rewrite(line, '"10.00"', '"10000.00"', NOW)
    line.execute(
        "delete from marts.fact_offers where cast(substring(adv_no from '[0-9]+$') as integer) > 4"
    )

    assert line.failed("landing") == set()


def test_loads_given_by_name_are_what_is_looked_at(line: Line) -> None:
    line.execute("update staging.snapshots set is_complete = false where run_id = 'run-2'")

    assert line.failed("landing") == set()
    assert "nearly_all_offers_were_read" in line.failed("landing", load_ids=["load-2", "load-4"])
    assert "landing_is_not_empty" in line.failed("landing", load_ids=[])


@pytest.mark.parametrize(
    "statement",
    [
        "update staging._dlt_loads set status = 1 where load_id = 'load-4'",
        "create schema ops; create table ops.quarantined_loads as select 'load-4' as load_id",
    ],
    ids=["unfinished", "quarantined"],
)
def test_only_accepted_loads_are_looked_at(line: Line, statement: str) -> None:
    line.execute(statement)

    assert "landing_is_not_empty" in line.failed("landing")


def test_a_run_id_may_hold_what_sql_and_great_expectations_read_as_theirs(line: Line) -> None:
    run_id = "x' :y {z} %s $v \\ --"
    for table in ("pages", "snapshots"):
        line.execute(f"update staging.{table} set run_id = %s where run_id = 'run-4'", run_id)

    verdict = line.run("landing", run_id=run_id)

    assert verdict.results[0].observed == str(len(BOOKS))
    assert verdict.critical_failed == ()
    assert verdict.docs is not None
    assert verdict.docs.is_file()
