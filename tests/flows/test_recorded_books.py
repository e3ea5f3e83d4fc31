"""What a recording shows is what the marts hold: every ad, and every change between the frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from simulator.replay import Replay
from tests.flows.conftest import House, Table, moment
from tests.flows.recordings import (
    BUY,
    DOUBLED,
    SELL,
    TERMS,
    Frame,
    ad_number,
    implied_advertisers,
    implied_versions,
    recorded_frames,
    terms,
    write_recordings,
)
from tests.landing import Book

CYCLES = 3


@dataclass
class Replayed:
    """A recording, and the house after it was replayed frame by frame."""

    house: House
    frames: list[Frame]

    def offers(self, more: str, condition: str, *parameters: Any) -> Table:
        """Ad number and terms of offers, and some more."""
        rows = self.house.rows(f"select adv_no, {TERMS}, {more} from {condition}", *parameters)
        width = len(terms(self.frames[0][BUY][0]))
        return [(row[0], (*row[1:width], tuple(row[width])), *row[width + 1 :]) for row in rows]


@pytest.fixture(scope="module")
def replayed(house: House, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    frames = recorded_frames()
    house.empty()
    house.exchange.source = Replay(write_recordings(tmp_path_factory.mktemp("recordings"), frames))
    for number in range(CYCLES):
        assert house.cycle(moment(number)).is_success
        house.exchange.advance()
    return Replayed(house, frames)


@pytest.mark.parametrize("frame", range(CYCLES))
@pytest.mark.parametrize("book", [BUY, SELL])
def test_each_book_holds_exactly_the_ads_of_the_recording_with_all_their_terms(
    replayed: Replayed, book: Book, frame: int
) -> None:
    held = replayed.offers(
        "1",
        "marts.fact_offer_snapshots as offers"
        " where (fiat_code, asset_code, side, snapshot_at) = (%s, %s, %s, %s)",
        *book,
        moment(frame),
    )
    recorded = {each["adv"]["advNo"]: terms(each) for each in replayed.frames[frame][book]}
    assert len(held) == len(recorded)
    assert {ad: said for ad, said, _ in held} == recorded


def test_three_cycles_give_exactly_the_versions_that_the_changes_between_them_imply(
    replayed: Replayed,
) -> None:
    number_of = {moment(number): number for number in range(CYCLES)} | {None: None}
    for book in (BUY, SELL, DOUBLED):
        versions = replayed.offers(
            "valid_from, valid_to",
            "marts.fact_offers as offers where (fiat_code, asset_code, side) = (%s, %s, %s)",
            *book,
        )
        assert {(ad, said, number_of[a], number_of[b]) for ad, said, a, b in versions} == (
            implied_versions(replayed.frames, book, is_complete=book != DOUBLED)
        )
        assert len(versions) == len(set(versions))


def test_an_ad_that_only_moved_or_was_written_otherwise_has_one_version(
    replayed: Replayed,
) -> None:
    for number in (5, 10, 11, 13, 20):
        assert replayed.house.rows(
            "select count(*) from marts.fact_offers where adv_no = %s", ad_number(number)
        ) == [(1,)]


def test_advertisers_have_the_names_of_the_recording_and_a_version_for_each(
    replayed: Replayed,
) -> None:
    times = {moment(number): number for number in range(CYCLES)} | {None: None}
    for table, column, key in (
        ("dim_advertisers", "nickname", "nickName"),
        ("fact_advertiser_statistics", "month_order_count", "monthOrderCount"),
    ):
        rows = replayed.house.rows(
            f"select user_no, {column}, valid_from, valid_to from marts.{table}"
        )
        told = {(user, said, times[a], times[b]) for user, said, a, b in rows}
        assert told == implied_advertisers(replayed.frames, key), table
        assert len(rows) == len(told)


def test_each_offer_stands_with_its_own_advertiser(replayed: Replayed) -> None:
    rows = replayed.house.rows(
        "select offers.adv_no, people.nickname from marts.fact_offers as offers"
        " join marts.dim_advertisers as people using (advertiser_key)"
        " where opened_snapshot_id like '%%-BUY-%%' and offers.valid_from = %s",
        moment(0),
    )
    assert dict(rows) == {
        each["adv"]["advNo"]: each["advertiser"]["nickName"] or None
        for each in replayed.frames[0][BUY]
    }


def test_each_reading_counts_what_it_saw(replayed: Replayed) -> None:
    assert replayed.house.rows(
        "select side, pages, announced_total, offers_seen, offers_distinct, duplicates,"
        " is_complete, is_unchanged, incomplete_reason"
        " from marts.fact_snapshots where asset_code = 'USDT' order by side, started_at"
    ) == [
        ("BUY", 3, 45, 45, 45, 0, True, False, None),
        ("BUY", 3, 44, 44, 44, 0, True, False, None),
        ("BUY", 3, 43, 43, 43, 0, True, False, None),
        ("SELL", 2, 23, 23, 23, 0, True, False, None),
        ("SELL", 2, 23, 23, 23, 0, True, False, None),
        ("SELL", 2, 23, 23, 23, 0, True, True, None),
    ]


def test_a_book_with_an_ad_twice_is_called_whole_once_the_next_reading_shows_it_again(
    replayed: Replayed,
) -> None:
    assert replayed.house.rows(
        "select offers_seen, offers_distinct, duplicates, is_complete, is_unchanged,"
        " incomplete_reason from marts.fact_snapshots where asset_code = 'BTC'"
        " order by started_at"
    ) == [
        (22, 21, 1, False, False, "short_of_announced"),
        (22, 21, 1, True, False, None),
        (22, 21, 1, True, True, None),
    ]


def test_a_method_listed_twice_in_an_ad_counts_once_and_keeps_its_name(
    replayed: Replayed,
) -> None:
    assert replayed.house.rows(
        "select identifier, names from marts.dim_payment_methods order by identifier"
    ) == [("Banesco", ["Banesco"]), ("PagoMovil", ["Pago Móvil"]), ("SpecificBank", [])]
    assert replayed.house.rows(
        "select count(*) - count(distinct (offer_version_key, payment_method_key))"
        " from marts.fact_offer_payment_methods"
    ) == [(0,)]


def test_every_run_is_recorded_with_what_it_counted(replayed: Replayed) -> None:
    assert replayed.house.rows(
        "select state, error, books_read, books_complete, books_unchanged, tests_failed,"
        " checks_failed, requests >= 7 from ops.runs order by started_at"
    ) == [
        ("success", None, 3, 2, 0, 0, 0, True),
        ("success", None, 3, 3, 0, 0, 0, True),
        ("success", None, 3, 3, 2, 0, 0, True),
    ]
