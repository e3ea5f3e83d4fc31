"""When a reading is the whole book: what may be missing, what is believed, how large a page is."""

from typing import Any

import pytest

from load.book.reading import Reading, remember
from load.land.state import BookState
from tests.load.conftest import Stub, envelope, offer, pages

NAME = "VES-USDT-BUY"
OFFERS = [offer(number) for number in range(45)]


def crowd(offers: int) -> list[Any]:
    return [offer(number) for number in range(offers)]


@pytest.mark.parametrize(
    ("listed", "announced", "is_complete"),
    [(98, 99, False), (99, 100, True), (198, 200, True), (197, 200, False), (1386, 1400, True)],
)
def test_of_a_hundred_announced_one_may_be_missing_and_of_ninety_nine_none(
    stub: Stub, read: Any, listed: int, announced: int, is_complete: bool
) -> None:
    items = crowd(listed)
    stub.override = lambda _path, body, _times: envelope(
        items[(body["page"] - 1) * 20 : body["page"] * 20], announced
    )
    reading = read()
    assert (reading.is_complete, reading.offers_missing) == (is_complete, announced - listed)


def test_offers_without_a_number_are_met_and_not_missing(stub: Stub, read: Any) -> None:
    stub.override = lambda *_: envelope([offer(1), {"adv": {}}], 2)
    reading = read()
    assert (reading.is_complete, reading.offers_missing) == (True, 0)


def test_a_page_lost_in_the_middle_is_not_made_good_by_the_size_of_the_book(
    stub: Stub, read: Any
) -> None:
    items = crowd(2_400)
    stub.put(NAME, items)
    stub.override = lambda _path, body, _times: envelope([], 2_400) if body["page"] == 60 else None
    assert read().reason == "short_of_announced"


def test_a_last_page_that_never_comes_is_missed_however_large_the_book(
    stub: Stub, read: Any
) -> None:
    stub.put(NAME, crowd(2_410))
    stub.override = lambda _path, body, _times: envelope([], 2_410) if body["page"] == 121 else None
    reading = read()
    assert (reading.reason, reading.offers_missing) == ("short_of_announced", 10)


def announcing(total: int, items: list[Any]) -> Any:
    return lambda _path, body, _times: envelope(
        items[(body["page"] - 1) * 20 : body["page"] * 20], total
    )


def read_twice(read: Any, stub: Stub, first: Any, second: Any) -> tuple[Reading, Reading]:
    state, readings = BookState(), []
    for answers in (first, second):
        stub.override = answers
        readings.append(read(state))
        remember(state, readings[-1])
    return readings[0], readings[1]


def test_a_shortfall_that_the_next_reading_shows_again_is_believed(stub: Stub, read: Any) -> None:
    first, second = read_twice(read, stub, announcing(56, crowd(50)), announcing(57, crowd(51)))
    assert (first.reason, first.offers_missing) == ("short_of_announced", 6)
    assert (second.reason, second.offers_missing) == (None, 6)


def test_a_shortfall_of_another_size_is_not_believed(stub: Stub, read: Any) -> None:
    first, second = read_twice(read, stub, announcing(56, crowd(50)), announcing(56, crowd(45)))
    assert (first.reason, second.reason) == ("short_of_announced", "short_of_announced")


def test_a_shortfall_is_not_shown_again_by_what_was_within_one_per_cent_before(
    stub: Stub, read: Any
) -> None:
    first, second = read_twice(read, stub, announcing(200, crowd(198)), announcing(200, crowd(197)))
    assert (first.reason, second.reason) == (None, "short_of_announced")


def test_a_reading_that_failed_between_two_shortfalls_says_nothing_of_them(
    stub: Stub, read: Any
) -> None:
    state = BookState()
    reasons: list[str | None] = []
    for answers in (announcing(56, crowd(50)), lambda *_: (503, b""), announcing(56, crowd(50))):
        stub.override = answers
        if reasons:  # else nothing was ever understood, which is another end
            assert state.shortfall > 0
        reading = read(state)
        remember(state, reading)
        reasons.append(reading.reason)
    assert reasons == ["short_of_announced", "http_503", None]


def test_a_book_that_always_announces_more_is_not_asked_for_its_missing_page_thrice(
    stub: Stub, read: Any
) -> None:
    read_twice(read, stub, announcing(45, crowd(40)), announcing(45, crowd(40)))
    assert stub.searches().count((NAME, 3)) == 3 + 1


def test_a_first_page_of_ten_that_announces_more_is_a_page_of_a_capped_size(
    stub: Stub, read: Any
) -> None:
    stub.override = lambda _path, body, _times: envelope(
        OFFERS[(body["page"] - 1) * 10 : body["page"] * 10], 45
    )
    reading = read()
    assert reading.is_complete
    assert (reading.pages_read, reading.offers_distinct, reading.requests) == (5, 45, 5)


def test_a_capped_size_is_learned_without_a_total_as_well(stub: Stub, read: Any) -> None:
    stub.override = lambda _path, body, _times: envelope(
        OFFERS[(body["page"] - 1) * 10 : body["page"] * 10]
    )
    reading = read()
    assert reading.is_complete
    assert (reading.pages_read, reading.offers_distinct) == (5, 45)


def test_a_first_page_of_ten_alone_is_no_book_of_forty_five(stub: Stub, read: Any) -> None:
    stub.override = lambda _path, body, _times: (
        envelope(OFFERS[:10], 45) if body["page"] == 1 else envelope([], 45)
    )
    reading = read()
    assert (reading.reason, reading.offers_missing) == ("short_of_announced", 35)


def test_a_page_asked_for_past_the_end_of_a_shrunken_book_does_not_cost_it(
    stub: Stub, read: Any
) -> None:
    stub.override = pages(envelope(OFFERS[:20], 41), envelope(OFFERS[20:40], 41), envelope([], 40))
    assert read().is_complete
