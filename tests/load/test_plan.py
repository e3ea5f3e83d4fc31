"""Which books are read, from what is known of them and what may be spent."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.land.state import SIDES, SUDDENLY_EMPTY, Book, BookState, to_microseconds
from load.plan.crawl import (
    FLOOR,
    OVERDUE_SECONDS,
    UNKNOWN_PAGES,
    Habits,
    Plan,
    Rounds,
    budget,
    crawl_value,
    due_books,
)
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


def test_a_book_that_was_suddenly_empty_is_looked_at_again_at_once() -> None:
    known = {
        book("USDT"): read(600, offers=1_500, pages=75),
        book("BTC"): read(1, offers=1, reason=SUDDENLY_EMPTY),
    }
    assert names(known, 3) == ["BTC"]


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
        book("A"): read(20, news=10, watched=1_000),
        book("B"): read(20, news=900, watched=1_000),
    }
    assert names(known, 1) == ["B"]


def test_a_larger_book_comes_before_a_small_one_of_the_same_cost() -> None:
    assert names({book("A"): read(20, offers=2), book("B"): read(20, offers=19)}, 1) == ["B"]


def test_a_book_that_costs_less_comes_before_one_of_a_few_offers_more() -> None:
    known = {book("A"): read(20, offers=25, pages=4), book("B"): read(20, offers=20)}
    assert names(known, 4) == ["B"]


def test_the_tail_is_met_in_the_end_however_dull() -> None:
    known = {
        book("BUSY"): read(20, news=5_000, watched=1_000),
        book("DULL"): read(60 * 24 * 7, offers=1, watched=1_000),
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


def test_a_hot_pair_comes_first_on_both_sides_whatever_it_costs() -> None:
    sell = Book("VES", "USDT", "SELL")
    known = {book("USDT"): read(1, pages=75), sell: read(1, pages=40), book("BTC"): read(900)}
    plan = due_books([*known, book("NEW")], known, 10, NOON, INTERVAL, [("VES", "USDT")])
    assert plan.books[:2] == [book("USDT"), sell]
    assert plan.books[2] == book("NEW")
    assert plan.requests == 115 + UNKNOWN_PAGES


def test_a_hot_pair_that_is_not_listed_is_not_read() -> None:
    known = {book("A"): read(20)}
    assert due_books([book("A")], known, 9, NOON, INTERVAL, [("X", "Y")]).books == [book("A")]


def test_hot_pairs_leave_the_others_the_floor() -> None:
    known = {book("USDT"): read(1, pages=100)} | {book(f"A{n}"): read(30) for n in range(50)}
    plan = due_books(list(known), known, 100, NOON, INTERVAL, [("VES", "USDT")])
    assert (len(plan.books), plan.requests) == (1 + int(100 * FLOOR), 100 + int(100 * FLOOR))


def test_the_overdue_get_the_floor_and_the_longest_unread_of_them_first() -> None:
    busy = {book(f"B{n}"): read(90, news=9_000, watched=1_000) for n in range(100)}
    dull = {book(f"D{n}"): read(OVERDUE_SECONDS / 60 + n, offers=1, watched=1e6) for n in range(40)}
    chosen = names(busy | dull, 100)
    assert chosen[:10] == [f"D{n}" for n in range(39, 29, -1)]
    assert all(name.startswith("B") for name in chosen[10:])


def test_what_is_seen_of_one_book_is_expected_of_its_kin_while_they_are_young() -> None:
    known = {
        book("A", "VES"): read(20, news=900, watched=1_000),
        book("A", "BOB"): read(20, news=10, watched=1_000),
        book("B", "VES"): read(20),
        book("B", "BOB"): read(20),
    }
    rates = Habits(known)
    assert rates.rate(book("B", "BOB")) < 0.3 < rates.rate(book("B", "VES"))
    assert rates.rate(book("A", "VES")) == pytest.approx(0.9, rel=0.02)
    assert rates.rate(book("C", "EUR")) > rates.rate(Book("EUR", "C", "SELL")) == 0.3


def test_readings_of_its_own_outweigh_what_its_kin_do() -> None:
    kin = {book(f"A{n}"): read(20, news=900, watched=1_000) for n in range(9)}
    kin[book("X", "BOB")] = read(20, news=9_000, watched=10_000)
    young = Habits(kin | {book("X"): read(20, news=0, watched=1)}).rate(book("X"))
    grown = Habits(kin | {book("X"): read(20, news=0, watched=1_000)}).rate(book("X"))
    assert grown < 0.05 < 0.6 < young


@given(st.floats(0.001, 50), st.floats(60, 86_400), st.integers(1, 2_000))
def test_the_value_is_the_time_that_offers_were_stale_beyond_what_came_of_it(
    rate: float, age: float, offers: int
) -> None:
    steps = 2_000
    hours = age / 3600
    stale = [1 - 1 / (1 + rate * hours * (step + 0.5) / steps) for step in range(steps)]
    at_the_end = hours * (1 - 1 / (1 + rate * hours))
    expected = offers * (at_the_end - hours * sum(stale) / steps)
    assert crawl_value(offers, rate, age) == pytest.approx(expected, rel=0.01, abs=1e-9)


states = st.builds(
    lambda age, offers, pages, news, watched, empties: read(
        age, offers=offers, pages=pages, news=news, watched=watched, empties=empties
    ),
    st.floats(0, 4_000),
    st.integers(0, 60),
    st.integers(1, 8),
    st.floats(0, 100),
    st.floats(0, 1_000),
    st.integers(0, 5),
)
markets = st.dictionaries(
    st.builds(Book, st.sampled_from("VW"), st.sampled_from("ABCDEF"), st.sampled_from(SIDES)),
    st.one_of(st.just(BookState()), states),
    min_size=1,
)
pairs = st.lists(st.tuples(st.sampled_from("VW"), st.sampled_from("ABCDEF")), max_size=3)


def chosen(known: dict[Book, BookState], requests: int, hot: list[tuple[str, str]]) -> Plan:
    return due_books(list(known), known, requests, NOON, INTERVAL, hot)


def cost(known: BookState) -> int:
    return known.pages if known.read_us else UNKNOWN_PAGES


@given(markets, st.integers(1, 60), pairs)
def test_only_what_is_hot_and_the_first_beside_it_exceed_the_budget(
    known: dict[Book, BookState], requests: int, hot: list[tuple[str, str]]
) -> None:
    plan = chosen(known, requests, hot)
    first = [book for book in plan.books if (book.fiat, book.asset) in hot]
    others = plan.books[len(first) :]
    assert plan.books[: len(first)] == first
    assert {book for book in known if (book.fiat, book.asset) in hot} == set(first)
    assert plan.requests == sum(cost(known[book]) for book in plan.books)
    assert len(plan.books) == len(set(plan.books)) == len(known) - plan.left_out
    paid = sum(cost(known[book]) for book in first)
    allowed = max(requests, paid + max(1, int(FLOOR * requests)))
    assert plan.requests <= allowed or len(others) == 1


@given(markets, st.integers(1, 60), pairs)
def test_new_books_come_before_all_others_and_the_longest_unread_is_met(
    known: dict[Book, BookState], requests: int, hot: list[tuple[str, str]]
) -> None:
    plan = chosen(known, requests, hot)
    others = [book for book in plan.books if (book.fiat, book.asset) not in hot]
    new = [book for book in others if not known[book].read_us]
    left_out = known.keys() - plan.books
    assert others[: len(new)] == new
    if any(not known[book].read_us for book in left_out):
        assert sum(cost(known[book]) for book in others[len(new) :]) < UNKNOWN_PAGES
    overdue_us = to_microseconds(NOON) - OVERDUE_SECONDS * 1e6
    overdue = [book for book in known.keys() - set(new) if known[book].read_us <= overdue_us]
    unread = [book for book in overdue if (book.fiat, book.asset) not in hot]
    if unread and not new and not left_out.isdisjoint(known):
        assert min(unread, key=lambda book: (known[book].read_us, book)) == others[0]


@given(markets, st.integers(1, 60), pairs, st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_what_is_known(
    known: dict[Book, BookState], requests: int, hot: list[tuple[str, str]], random: Any
) -> None:
    shuffled = list(known.items())
    random.shuffle(shuffled)
    assert chosen(dict(shuffled), requests, hot) == chosen(known, requests, hot)


MARKET = {
    book("HOT"): read(30, offers=200, pages=10, news=4_000, watched=200),
    **{book(f"B{number}"): read(30, pages=10, news=1, watched=2_000) for number in range(20)},
}


def test_a_long_cycle_plans_again_after_five_minutes_of_its_budget() -> None:
    rounds = Rounds(0.1, 20)
    spent = 0
    while rounds.has_more(spent):
        plan = rounds.plan(list(MARKET), MARKET, spent, NOON)
        assert 0 < plan.requests <= budget(0.1, 5)
        spent += plan.requests
    assert abs(spent - budget(0.1, 20)) < 10, "within what one book costs"


def test_a_hot_book_is_read_again_within_a_cycle_once_it_is_worth_it() -> None:
    rounds, known, now, reads = Rounds(0.1, 20), dict(MARKET), NOON, []
    for _ in range(4):
        for due in rounds.plan(list(known), known, 0, now).books:
            now += timedelta(seconds=100)
            reads.append(due)
            earlier = MARKET[due]
            known[due] = BookState(
                to_microseconds(now), True, "", "", 0, earlier.offers, earlier.pages,
                news=earlier.news, watched=earlier.watched,
            )  # fmt: skip
    assert reads[0] == book("HOT")
    assert reads.count(book("HOT")) == 4
    assert max(reads.count(other) for other in MARKET if other != book("HOT")) == 1


def test_the_hot_pairs_come_first_in_a_cycle_and_not_in_each_of_its_rounds() -> None:
    rounds = Rounds(0.1, 20, [("VES", "B7")])
    assert rounds.plan(list(MARKET), MARKET, 0, NOON).books[0] == book("B7")
    later = {**MARKET, book("B7"): read(1, pages=10, news=1, watched=2_000)}
    assert book("B7") not in rounds.plan(list(later), later, 27, NOON).books


def test_each_round_keeps_the_floor_for_what_is_overdue() -> None:
    overdue = OVERDUE_SECONDS / 60 + 60
    known = MARKET | {book(f"OLD{n}"): read(overdue + n, offers=0) for n in range(9)}
    rounds = Rounds(0.1, 20)
    for number, oldest in enumerate(["OLD8", "OLD6", "OLD4", "OLD2"]):
        plan = rounds.plan(list(known), known, 27 * number, NOON)
        taken = [due for due in plan.books if due.asset.startswith("OLD")]
        assert taken[0].asset == oldest
        for due in taken[: int(FLOOR * 27)]:
            known[due] = read(0, offers=0, empties=1)


def test_what_fits_into_a_round_is_read_once_and_that_is_the_cycle() -> None:
    rounds = Rounds(2, 20)
    assert len(rounds.plan(list(MARKET), MARKET, 0, NOON).books) == len(MARKET)
    assert not rounds.has_more(210)


def test_too_little_for_another_round_ends_the_cycle() -> None:
    rounds = Rounds(0.1, 20)
    rounds.plan(list(MARKET), MARKET, 0, NOON)
    assert rounds.has_more(105)
    assert not rounds.has_more(106)
