"""Each check of the core tables, seen red on marts broken on purpose."""

from __future__ import annotations

import pytest

from tests.expectations.conftest import BOOKS, INTERVAL, NOON, OFFERS, Line

VES_BUY = "fiat_code = 'VES' and side = 'BUY'"


def test_good_marts_pass_every_check_with_something_to_compare(line: Line) -> None:
    verdict = line.run("core")

    assert [result for result in verdict.results if not result.success] == []
    assert {result.observed for result in verdict.results}.isdisjoint({"nothing to compare"})


def test_empty_tables_are_stopped_and_named(line: Line) -> None:
    for table in (
        "dim_advertisers",
        "dim_cryptocurrencies",
        "dim_fiat_currencies",
        "dim_payment_methods",
        "dim_trading_pairs",
    ):
        line.execute(f"delete from marts.{table}")

    (failed,) = line.run("core").critical_failed

    assert failed.name == "core_tables_are_not_empty"
    assert failed.observed == (
        "5 of 9 fail: marts.dim_advertisers 1, marts.dim_cryptocurrencies 1,"
        " marts.dim_fiat_currencies 1, marts.dim_payment_methods 1, marts.dim_trading_pairs 1"
    )


@pytest.mark.parametrize("table", ["fact_advertiser_statistics", "fact_offer_payment_methods"])
def test_an_empty_table_of_offers_is_stopped(line: Line, table: str) -> None:
    line.execute(f"delete from marts.{table}")

    assert line.failed("core") == {"core_tables_are_not_empty"}


def test_facts_without_any_row_are_stopped(line: Line) -> None:
    line.execute("delete from marts.fact_offers")

    assert line.failed("core") >= {
        "core_tables_are_not_empty",
        "standing_offers_are_those_of_the_last_snapshot",
    }

    line.execute("delete from marts.fact_snapshots")

    assert line.failed("core") >= {
        "core_tables_are_not_empty",
        "every_landed_snapshot_is_in_the_facts",
    }


def test_a_market_without_offers_leaves_the_tables_of_offers_empty(line: Line) -> None:
    line.execute("update marts.fact_snapshots set offers_distinct = 3, offers_rejected = 3")
    for table in (
        "dim_advertisers",
        "fact_advertiser_statistics",
        "fact_offer_payment_methods",
        "fact_offer_snapshots",
        "fact_offers",
    ):
        line.execute(f"delete from marts.{table}")

    assert line.failed("core") == set()


def test_a_landed_snapshot_missing_from_the_facts_is_stopped(line: Line) -> None:
    line.execute(f"delete from marts.fact_snapshots where run_id = 'run-4' and {VES_BUY}")

    assert line.failed("core") == {"every_landed_snapshot_is_in_the_facts"}


def test_the_snapshots_of_a_load_left_by_another_run_are_looked_for(line: Line) -> None:
    line.execute(f"delete from marts.fact_snapshots where run_id = 'run-2' and {VES_BUY}")

    assert line.failed("core") == set()
    assert line.failed("core", load_ids=["load-2", "load-4"]) == {
        "every_landed_snapshot_is_in_the_facts"
    }


@pytest.mark.parametrize(
    "statement",
    [
        f"update marts.fact_offers set valid_to = now() where adv_no = 'VESBUY{OFFERS}'",
        "insert into marts.fact_offers select * from marts.fact_offers where adv_no = 'VESBUY1'",
        f"update marts.fact_snapshots set offers_rejected = 1 where {VES_BUY}",
    ],
    ids=["one too few", "one too many", "one should have been rejected"],
)
def test_standing_offers_are_compared_to_the_last(line: Line, statement: str) -> None:
    line.execute(statement)

    assert "standing_offers_are_those_of_the_last_snapshot" in line.failed("core")


def test_an_incomplete_last_snapshot_says_nothing_of_standing_offers(line: Line) -> None:
    line.execute(
        "update marts.fact_snapshots set is_complete = false, offers_distinct = 5"
        f" where run_id = 'run-4' and {VES_BUY}"
    )

    assert line.failed("core") == set()


def test_a_last_snapshot_with_faults_says_nothing_of_current_offers(line: Line) -> None:
    line.execute(
        "update marts.fact_snapshots set faults = 'foreign_offers', offers_foreign = 16"
        f" where run_id = 'run-4' and {VES_BUY}"
    )

    assert line.failed("core") == set()


@pytest.mark.parametrize("kind", ["rejected", "foreign", "of_wrong_side"])
def test_offers_left_out_of_the_facts_are_not_missed(line: Line, kind: str) -> None:
    line.execute(f"update marts.fact_snapshots set offers_{kind} = 1 where {VES_BUY}")
    line.execute("delete from marts.fact_offers where adv_no = 'VESBUY1'")

    assert line.failed("core") == set()


def test_a_complete_book_without_any_standing_offer_is_seen(line: Line) -> None:
    line.execute(f"delete from marts.fact_offers where {VES_BUY}")

    assert line.failed("core") == {"standing_offers_are_those_of_the_last_snapshot"}


def test_overlapping_versions_are_stopped(line: Line) -> None:
    line.execute(
        "insert into marts.fact_offers (fiat_code, asset_code, side, adv_no, valid_from, valid_to)"
        " select fiat_code, asset_code, side, adv_no, valid_from - interval '1 hour',"
        " valid_from + interval '2 hours' from marts.fact_offers where adv_no = 'VESBUY1'"
    )

    assert line.failed("core") == {"versions_of_an_offer_do_not_overlap"}


def test_versions_that_meet_do_not_overlap(line: Line) -> None:
    line.execute(
        "insert into marts.fact_offers (fiat_code, asset_code, side, adv_no, valid_from, valid_to)"
        " select fiat_code, asset_code, side, adv_no, valid_from, timestamptz '2026-11-20T13:20Z'"
        " from marts.fact_offers where adv_no = 'VESBUY1'"
    )
    line.execute(
        "update marts.fact_offers set valid_from = timestamptz '2026-11-20T13:20Z'"
        " where adv_no = 'VESBUY1' and valid_to is null"
    )

    assert line.failed("core") == set()


def test_old_marts_are_a_warning_by_the_clock_of_the_run(line: Line) -> None:
    finished = NOON + 4 * INTERVAL

    assert line.failed("core", as_of=finished + 2 * INTERVAL) == set()
    assert line.failed("core", as_of=finished + 4 * INTERVAL) == {
        "newest_complete_snapshot_is_recent"
    }


def test_a_suspect_book_is_a_warning_while_it_is(line: Line) -> None:
    suspect = f"update marts.fact_snapshots set quality_verdict = 'suspect' where {VES_BUY}"
    line.execute(f"{suspect} and run_id < 'run-4'")

    assert line.failed("core") == set()

    line.execute(suspect)

    assert line.failed("core") == {"no_book_is_suspect"}


def test_offers_of_a_handful_of_advertisers_are_a_warning(line: Line) -> None:
    line.execute("update marts.fact_offers set advertiser_key = right(advertiser_key, 1)")
    line.execute("update marts.fact_offers set advertiser_key = '1' where advertiser_key > '2'")

    assert line.failed("core") == {"offers_are_spread_over_advertisers"}


def test_limit_fictions_as_the_rule_are_a_warning(line: Line) -> None:
    line.execute("update marts.fact_offers set is_limit_fiction = fiat_code in ('ARS', 'BOB')")

    assert line.failed("core") == set()

    line.execute("update marts.fact_offers set is_limit_fiction = fiat_code <> 'ARS'")

    assert line.failed("core") == {"limit_fictions_are_not_the_rule"}


def test_offers_off_the_market_as_the_rule_are_a_warning(line: Line) -> None:
    line.execute("update marts.fact_offer_snapshots set is_off_market = fiat_code <> 'ARS'")

    assert line.failed("core") == {"offers_off_the_market_are_not_the_rule"}


def test_a_missing_table_fails_its_own_checks_only(line: Line) -> None:
    line.execute("drop table marts.fact_offer_snapshots")

    verdict = line.run("core")

    assert verdict.critical_failed == ()
    assert [(result.name, result.observed) for result in verdict.warnings] == [
        ("offers_off_the_market_are_not_the_rule", "could not be run: UndefinedTable")
    ]
    assert len(verdict.results) > len(BOOKS) - 1
