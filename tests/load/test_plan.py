"""Which books are read, from what is known of them and what may be spent."""

from datetime import timedelta
from typing import Any

import pytest

from load.plan import budget, due_books
from load.state import Book, BookState, to_microseconds
from tests.load.conftest import NOON

INTERVAL = 1_200.0


def book(asset: str, fiat: str = "VES") -> Book:
    return Book(fiat, asset, "BUY")


def read(minutes_ago: float, *, offers: int = 20, pages: int = 1, **more: Any) -> BookState:
    read_us = to_microseconds(NOON - timedelta(minutes=minutes_ago))
    return BookState(read_us=read_us, landed=True, offers=offers, pages=pages, **more)


def names(known: dict[Book, BookState], requests: int, *new: Book) -> list[str]:
    listed = [*known, *new]
    return [due.asset for due in due_books(listed, known, requests, NOON, INTERVAL).books]


def test_the_budget_is_what_the_interval_allows_less_a_reserve() -> None:
    assert budget(2, 20) == 2_160
    assert budget(0.001, 0.1) == 1


def test_a_handful_of_books_is_read_whole_empty_ones_too() -> None:
    known = {book("USDT"): read(1), book("BTC"): read(1, offers=0, empties=9)}
    assert set(names(known, 100, book("ETH"))) == {"USDT", "BTC", "ETH"}


def test_a_book_never_read_comes_first() -> None:
    known = {book("USDT"): read(600, offers=1_500, pages=75)}
    assert names(known, 3, book("NEW")) == ["NEW"]


def test_the_budget_counts_pages_not_books() -> None:
    known = {book(name): read(30, offers=60, pages=3) for name in ("A", "B", "C")}
    plan = due_books(list(known), known, 6, NOON, INTERVAL)
    assert (len(plan.books), plan.requests, plan.left_out) == (2, 6, 1)


def test_one_book_larger_than_the_budget_is_still_read() -> None:
    assert names({book("USDT"): read(30, offers=1_500, pages=75)}, 10) == ["USDT"]


def test_of_two_equal_books_the_one_unread_for_longer_comes_first() -> None:
    assert names({book("A"): read(20), book("B"): read(40)}, 1) == ["B"]


def test_of_two_equal_ages_the_book_that_tends_to_change_comes_first() -> None:
    known = {
        book("A"): read(20, compared=20, changed=1),
        book("B"): read(20, compared=20, changed=19),
    }
    assert names(known, 1) == ["B"]


def test_a_larger_book_comes_before_a_small_one_of_the_same_cost() -> None:
    assert names({book("A"): read(20, offers=2), book("B"): read(20, offers=19)}, 1) == ["B"]


def test_the_tail_is_met_in_the_end_however_dull() -> None:
    known = {
        book("HOT"): read(20, offers=20, compared=50, changed=50),
        book("DULL"): read(60 * 24 * 7, offers=1, compared=50, changed=0),
    }
    assert names(known, 1) == ["DULL"]


@pytest.mark.parametrize(
    ("empties", "minutes_ago", "due"),
    [
        (1, 39, False),
        (1, 41, True),
        (2, 79, False),
        (2, 81, True),
        (30, 1_439, False),
        (30, 1_441, True),
    ],
)
def test_an_empty_book_is_looked_at_ever_more_rarely_but_once_a_day(
    empties: int, minutes_ago: float, due: bool
) -> None:
    known = {book(f"F{number}"): read(1, pages=3) for number in range(3)}
    known[book("EMPTY")] = read(minutes_ago, offers=0, empties=empties)
    assert ("EMPTY" in names(known, 9)) == due


def test_a_book_listed_twice_is_read_once() -> None:
    assert len(due_books([book("A"), book("A")], {}, 10, NOON, INTERVAL).books) == 1
