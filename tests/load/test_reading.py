"""One book, page by page: when a reading ends, and when it is complete."""

import threading
from typing import Any

import pytest

from load.book.pagination import MOST_PAGES
from load.land.state import Book, BookState, to_microseconds
from tests.load.conftest import NOON, Stub, envelope, offer, pages

NAME = "VES-USDT-BUY"
BOOK = Book.named(NAME)
OFFERS = [offer(number) for number in range(45)]
GO = threading.Event()


def test_a_book_is_read_to_its_short_last_page(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS)
    reading = read()
    assert stub.searches() == [(NAME, 1), (NAME, 2), (NAME, 3)]
    assert reading.is_complete
    assert (reading.offers_seen, reading.offers_distinct, reading.duplicates) == (45, 45, 0)
    assert (reading.pages_read, reading.announced_total, reading.requests) == (3, 45, 3)


def test_a_last_page_that_is_full_needs_no_empty_one_after_it(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS[:40])
    assert read().is_complete
    assert len(stub.searches()) == 2


def test_a_listed_book_without_offers_is_complete_and_empty(stub: Stub, read: Any) -> None:
    stub.put(NAME, [])
    reading = read()
    assert reading.is_complete
    assert (reading.offers_seen, reading.pages_read, len(stub.searches())) == (0, 1, 1)


def test_without_a_total_the_short_page_ends_the_book(stub: Stub, read: Any) -> None:
    stub.override = pages(envelope(OFFERS[:20]), envelope(OFFERS[20:30]))
    reading = read()
    assert reading.is_complete
    assert (reading.offers_distinct, reading.announced_total) == (30, None)


def test_a_book_that_shrinks_while_it_is_read_ends_and_is_complete(stub: Stub, read: Any) -> None:
    stub.override = pages(envelope(OFFERS[:20], 45), envelope(OFFERS[20:40], 40))
    reading = read()
    assert reading.is_complete
    assert reading.announced_total == 40


def test_a_book_that_grows_while_it_is_read_is_complete(stub: Stub, read: Any) -> None:
    stub.override = pages(envelope(OFFERS[:20], 25), envelope(OFFERS[20:26], 26))
    assert read().is_complete


def test_an_offer_met_again_across_a_page_edge_is_a_duplicate(stub: Stub, read: Any) -> None:
    stub.override = pages(envelope(OFFERS[:20], 38), envelope(OFFERS[19:39], 40))
    reading = read()
    assert reading.is_complete
    assert (reading.offers_seen, reading.offers_distinct, reading.duplicates) == (40, 39, 1)


def test_an_offer_lost_over_a_page_edge_makes_the_book_incomplete(stub: Stub, read: Any) -> None:
    stub.override = pages(envelope(OFFERS[:20], 40), envelope([*OFFERS[19:39]], 40))
    reading = read()
    assert reading.reason == "short_of_announced"
    assert (reading.fingerprint, len(reading.pages)) == (None, 2)


def test_offers_without_a_number_are_counted_and_do_not_make_it_incomplete(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, [offer(1), offer(None), {"adv": {}}])
    reading = read()
    assert reading.is_complete
    assert (reading.offers_seen, reading.offers_distinct, reading.offers_unnumbered) == (3, 1, 2)
    assert reading.duplicates == 0


def test_an_empty_page_in_the_middle_is_asked_again(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, times: (
        envelope([], 45) if body["page"] == 2 and times == 1 else None
    )
    reading = read()
    assert reading.is_complete
    assert reading.requests == 4


def test_an_empty_page_that_stays_empty_leaves_the_book_short(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, _times: envelope([], 45) if body["page"] == 2 else None
    reading = read()
    assert reading.reason == "short_of_announced"
    assert stub.searches().count((NAME, 2)) == 3
    assert (NAME, 3) not in stub.searches()


def test_an_empty_page_that_denies_the_whole_book_is_not_believed(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, _times: envelope([], 0) if body["page"] == 3 else None
    reading = read()
    assert reading.reason == "short_of_announced"
    assert reading.offers_distinct == 40
    assert stub.searches().count((NAME, 3)) == 3


def test_a_book_that_shrank_to_the_page_before_is_complete(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, _times: envelope([], 40) if body["page"] == 3 else None
    reading = read()
    assert reading.is_complete
    assert (reading.offers_distinct, reading.requests) == (40, 3)


def test_a_first_page_that_is_empty_against_its_total_is_short_too(stub: Stub, read: Any) -> None:
    stub.override = lambda *_: envelope([], 45)
    assert read().reason == "short_of_announced"


def test_an_empty_page_without_a_total_is_no_end_where_the_page_before_had_one(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, _times: envelope([]) if body["page"] == 3 else None
    assert read().reason == "short_of_announced"


def test_a_total_below_what_its_own_page_shows_is_not_believed(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, _times: (
        envelope(OFFERS[:20], 0) if body["page"] == 1 else None
    )
    reading = read()
    assert reading.is_complete
    assert reading.offers_distinct == 45


def test_a_book_without_end_is_ended(
    stub: Stub, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load.book.pagination.MOST_PAGES", 7)
    stub.override = lambda *_: envelope(OFFERS[:20], 1_000_000)
    reading = read()
    assert reading.reason == "too_many_pages"
    assert reading.pages_read == 7 < MOST_PAGES


def test_a_book_beyond_all_measure_is_ended(
    stub: Stub, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load.book.reading.MOST_BYTES", 10_000)
    stub.override = lambda *_: envelope(OFFERS[:20], 1_000_000)
    assert read().reason == "too_large"


def test_a_page_that_cannot_be_had_ends_the_reading_and_what_was_read_is_kept(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, OFFERS)
    stub.override = lambda _path, body, _times: (503, b"") if body["page"] == 2 else None
    reading = read()
    assert (reading.reason, len(reading.pages), reading.requests) == ("http_503", 1, 6)
    assert reading.fingerprint is None


def test_an_offer_nested_too_deep_is_refused_by_name(stub: Stub, read: Any) -> None:
    deep = b"[" * 600 + b"]" * 600
    stub.put(NAME, OFFERS[:1])
    stub.override = lambda *_: (
        b'{"code":"000000","total":1,"data":[{"adv":{"advNo":"1","x":' + deep + b"}}]}"
    )
    assert read().reason == "too_deep"


def known(offers: int, reason: str = "") -> BookState:
    return BookState(read_us=1, landed=True, offers=offers, pages=1, reason=reason)


def test_a_book_that_is_suddenly_empty_is_not_believed_at_once(stub: Stub, read: Any) -> None:
    stub.put(NAME, [])
    reading = read(known(3))
    assert reading.reason == "suddenly_empty"
    assert len(stub.searches()) == 3


def test_a_book_that_was_empty_for_one_moment_only_is_complete(stub: Stub, read: Any) -> None:
    stub.put(NAME, OFFERS[:3])
    stub.override = lambda _path, _body, times: envelope([], 0) if times == 1 else None
    reading = read(known(3))
    assert reading.is_complete
    assert reading.offers_distinct == 3


def test_a_book_that_stays_suddenly_empty_is_believed_the_second_time(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, [])
    reading = read(known(3, "suddenly_empty"))
    assert reading.is_complete
    assert len(stub.searches()) == 3, "and not for one moment's sake"


def test_a_book_of_one_offer_is_not_believed_to_be_empty_at_once_either(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, [])
    assert read(known(1)).reason == "suddenly_empty"
    assert read(known(0)).is_complete


def test_a_reading_starts_later_than_the_one_before_also_when_the_clock_went_back(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, [])
    last_us = to_microseconds(NOON) + 3_600_000_000
    reading = read(BookState(read_us=last_us))
    assert reading.started_us == last_us + 1_000
    assert reading.finished_at >= reading.started_at
    assert reading.snapshot_id == "VES-USDT-BUY-20261120T130000.001000Z"


def test_an_equal_fingerprint_repeats_the_landed_snapshot_and_needs_no_pages(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, OFFERS)
    first = read()
    state = known(45)
    state.fingerprint, state.base_us = first.fingerprint, 1_000_000
    again = read(state)
    assert again.same_as == "VES-USDT-BUY-19700101T000001.000000Z"
    assert (again.is_unchanged, again.pages, again.pages_read) == (True, [], 3)


def test_new_fields_are_gathered_and_bounded(stub: Stub, read: Any) -> None:
    item = offer(1)
    item["adv"].update({f"key{number}": 1 for number in range(500)})
    stub.put(NAME, [item])
    reading = read()
    assert len(reading.new_fields) == 100
    assert reading.is_complete
