"""The bench of the planner in short form: that what it measures is what it says."""

from __future__ import annotations

from random import Random

import pytest

from bench.figures import Figures
from bench.staleness import (
    Recording,
    Run,
    Said,
    Watched,
    measure,
    optimum,
    planned,
    record,
    round_robin,
)
from load.land.state import Book
from simulator.market import Market

A, B, C = ((name, name) for name in (b"a", b"b", b"c"))
BOOK, QUIET = Book("VES", "USDT", "BUY"), Book("VES", "BTC", "BUY")


def watched(*events: tuple[float, str, Said | None]) -> Watched:
    return Watched(events, {"1": A, "2": A})


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Two hours of a few fiats."""
    return record(2.0, fiats=("VES", "BOB", "KES"))


def test_an_offer_is_stale_from_its_change_to_the_next_reading() -> None:
    book = watched((10.0, "1", B), (15.0, "1", C))
    assert book.reread(30.0)
    book.advance(50.0)
    assert (book.stale_seconds, book.all_seconds) == (20, 100)


def test_an_offer_that_is_as_it_was_read_is_not_stale() -> None:
    book = watched((10.0, "1", None), (15.0, "1", A))
    assert not book.reread(30.0)
    assert (book.stale_seconds, book.all_seconds) == (5, 60)


def test_what_has_gone_and_what_has_come_is_stale_and_counts_among_all() -> None:
    book = watched((0.0, "1", None), (0.0, "3", A))
    book.advance(10.0)
    assert (book.stale_seconds, book.all_seconds) == (20, 30)
    assert book.reread(10.0)
    book.advance(20.0)
    assert (book.stale_seconds, book.all_seconds) == (20, 50)


def test_statistics_make_an_offer_differ_but_not_stale() -> None:
    book = watched((0.0, "1", (b"other statistics", b"a")))
    assert book.reread(10.0)
    assert book.stale_seconds == 0


def test_the_recording_ends_as_the_market_does(recording: Recording) -> None:
    market = Market(seed=1, fiats=recording_fiats(recording))
    market.advance(120)
    for book, standing in recording.books.items():
        end = Watched(recording.events[book], standing)
        end.advance(recording.seconds)
        assert set(end.standing) == {offer.adv_no for offer in market.book(*book)}


def recording_fiats(recording: Recording) -> list[str]:
    return sorted({book.fiat for book in recording.books})


def test_no_policy_spends_more_than_its_pace(recording: Recording) -> None:
    for run in (
        round_robin(recording, 0.1, skip_empty=False),
        round_robin(recording, 0.1, skip_empty=True),
        optimum(recording, 0.1)[0],
    ):
        assert 0.05 * recording.seconds < run.requests < 0.12 * recording.seconds


def test_the_optimum_leaves_a_quiet_book_for_the_one_that_changes() -> None:
    chance, at, changes = Random(1), 0.0, list[tuple[float, str, Said | None]]()
    while at < 86_400:
        at += chance.expovariate(1 / 600)
        changes.append((at, "1", (f"{at}".encode(), f"{at}".encode())))
    recording = Recording(86_400, {BOOK: {"1": A}, QUIET: {"1": A}}, {BOOK: changes, QUIET: []})
    best, promised = optimum(recording, 1 / 300)
    in_turn = round_robin(recording, 1 / 300, skip_empty=False)
    assert promised == pytest.approx(best.staleness(), rel=0.5)
    assert best.staleness() < 0.75 * in_turn.staleness()


def test_reading_all_the_time_leaves_next_to_nothing_stale(recording: Recording) -> None:
    run, state = planned(recording, 5.0)
    assert run.staleness() < 5
    assert len(state.books) == len(recording.books)
    unread = Run(recording)
    assert run.staleness() < unread.staleness() / 5


def test_each_figure_of_the_day_is_a_line_of_its_own() -> None:
    lines = list[str]()
    measure(Figures(show=lines.append), hours=0.5, fiats=("BOB",))
    assert all(len(line.split(" ")) == 3 for line in lines)
    assert any(line.startswith("staleness.learned_vs_optimum ") for line in lines)
