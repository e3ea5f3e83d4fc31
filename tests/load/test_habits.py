"""What the state learns of a book from one reading to the next."""

from datetime import timedelta
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.book.reading import Reading, remember
from load.land.state import Book, BookState, State, to_microseconds
from load.plan.sketch import differing, sketch
from tests.load.conftest import NOON

BOOK = Book("VES", "USDT", "BUY")


def said(*offers: object) -> list[tuple[str, bytes]]:
    return [(str(offer), blake2b(str(offer).encode()).digest()) for offer in offers]


def reading(hours: float, *offers: object, unchanged: bool = False) -> Reading:
    at = NOON + timedelta(hours=hours)
    return Reading(
        BOOK,
        to_microseconds(at),
        at,
        pages_read=max(1, len(offers) // 20),
        offers_distinct=len(offers),
        fingerprint="f",
        sketch=sketch(said(*offers)),
        same_as="before" if unchanged else None,
    )


def learned(*readings: Reading) -> BookState:
    known = BookState()
    for each in readings:
        remember(known, each)
    return known


@given(st.integers(0, 400), st.integers(0, 30), st.integers(0, 30))
def test_a_sketch_tells_about_how_many_offers_two_readings_do_not_share(
    common: int, gone: int, new: int
) -> None:
    shared = [f"both {number}" for number in range(common)]
    before = sketch(said(*shared, *(f"gone {number}" for number in range(gone))))
    after = sketch(said(*shared, *(f"new {number}" for number in range(new))))
    apart = gone + new
    bits = 4 * min(len(before), len(after))
    if apart < bits / 4:
        assert differing(before, after) == pytest.approx(apart, abs=3 + 0.6 * apart)
    else:
        assert differing(before, after) > bits / 16


@pytest.mark.parametrize(
    ("offers", "digits"), [(0, 8), (16, 8), (17, 16), (300, 256), (9_999, 256)]
)
def test_a_sketch_is_as_long_as_its_book_needs(offers: int, digits: int) -> None:
    assert len(sketch(said(*range(offers)))) == digits


def test_the_same_book_twice_differs_in_nothing_whatever_its_order() -> None:
    offers = said(*range(99))
    assert differing(sketch(offers), sketch([*reversed(offers), offers[5]])) == 0


def test_books_that_share_nothing_differ_by_no_more_than_can_be_told() -> None:
    apart = differing(sketch(said(*range(1_000))), sketch(said(*range(1_000, 2_000))))
    assert 600 < apart < 1_300


def test_a_first_reading_teaches_nothing_of_how_a_book_changes() -> None:
    known = learned(reading(0, *range(10)))
    assert (known.news, known.watched) == (0, 0)


def test_an_unchanged_book_adds_to_the_time_it_was_watched() -> None:
    known = learned(reading(0, *range(10)), reading(0.5, *range(10), unchanged=True))
    assert (known.news, known.watched) == (0, 5)


def test_one_revised_offer_of_a_hundred_is_about_one_change() -> None:
    known = learned(reading(0, *range(100)), reading(1, *range(99), "99 revised"))
    assert known.news == pytest.approx(1, rel=0.1)
    assert known.watched == 100


def test_a_change_that_the_sketch_does_not_see_still_counts() -> None:
    known = learned(reading(0, 1))
    known.sketch = sketch(said(2))
    remember(known, reading(1, 2))
    assert known.news > 0


def test_what_was_seen_a_day_ago_counts_half() -> None:
    known = learned(reading(0, *range(10)), reading(1, *range(10), unchanged=True))
    remember(known, reading(25, *range(10), unchanged=True))
    assert known.watched == 10 / 2 + 240
    known.news = 8
    remember(known, reading(49, *range(10), unchanged=True))
    assert known.news == 4


def test_an_empty_book_is_watched_as_if_it_held_an_offer() -> None:
    known = learned(reading(0), reading(2, unchanged=True))
    assert (known.news, known.watched, known.empties) == (0, 2, 2)


def test_an_incomplete_reading_is_compared_with_nothing() -> None:
    known = learned(reading(0, *range(10)))
    broken = reading(1, *range(5))
    broken.refuse("too_deep")
    remember(known, broken)
    assert known.sketch == ""
    remember(known, reading(2, *range(10)))
    assert (known.news, known.watched) == (0, 0)


def test_a_state_of_the_first_version_is_read_less_what_it_counted_otherwise() -> None:
    document = State().dump()
    fields = [7, True, "", "f", 6, 20, 1, 0]
    old = document | {"version": 1, "books": {BOOK.name: [*fields, 12, 5, 900.0]}}
    assert State.load(old).books == {BOOK: BookState(*fields)}  # type: ignore[arg-type]


def test_what_was_learned_outlives_the_process() -> None:
    state = State()
    remember(state.of(BOOK), reading(0, *range(30)))
    remember(state.of(BOOK), reading(1, *range(9, 39)))
    kept = State.load(state.dump()).books[BOOK]
    assert kept == state.books[BOOK]
    assert kept.news > 5
