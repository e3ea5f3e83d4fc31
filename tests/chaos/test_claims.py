"""What readings imply, whole and broken off, and where the numbered changes of a market go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from chaos.claims import Claims, claims
from chaos.facts import Snapshot
from chaos.truth import Terms, Truth, Version, account
from simulator.source import Change

BOOK = ("VES", "USDT", "BUY")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def terms(price: int) -> Terms:
    one = Decimal(1)
    return Terms("s1", ("Banesco",), Decimal(price), one, one, one, one, 15, False, False)


def market(*states: Mapping[str, int], changes: tuple[tuple[int, str, str], ...] = ()) -> Truth:
    """Rounds in which offers stand at these prices; `changes` are (round, kind, offer)."""
    truth = Truth([{BOOK: {no: terms(price) for no, price in state.items()}} for state in states])
    truth.changes = [[] for _ in states]
    for number, (round_, kind, adv_no) in enumerate(changes, 1):
        truth.changes[round_].append(Change(number, NOON, kind, adv_no, BOOK))
    return truth


def implied(truth: Truth, *shown: tuple[str, ...] | None, broken: int | None = None) -> Claims:
    """What is implied when each round shows these offers; None: the book was not read."""
    readings = [
        Snapshot(
            f"VES-USDT-BUY-{number}",
            BOOK,
            str(number),
            number != broken,
            "http_503" if number == broken else None,
            1,
            1,
            dict.fromkeys(numbers, Decimal(1)),
        )
        for number, numbers in enumerate(shown)
        if numbers is not None
    ]
    return claims(truth, {str(number): number for number in range(len(shown))}, readings)


def version(adv_no: str, price: int, since: int, until: int | None) -> Version:
    return Version(BOOK, adv_no, terms(price), since, until)


def test_a_reading_that_broke_off_ends_nothing_and_what_it_showed_counts() -> None:
    truth = market({"1": 5, "2": 7}, {"1": 6, "2": 7}, {"1": 6})
    found = implied(truth, ("1", "2"), ("1",), ("1",), broken=1)
    assert found.versions == Counter(
        [version("1", 5, 0, 1), version("1", 6, 1, None), version("2", 7, 0, 2)]
    )
    assert (found.outages, found.kept) == (1, 1)


def test_what_happened_while_nobody_looked_is_told_from_the_next_look_on() -> None:
    truth = market({"1": 5}, {}, {"1": 5}, {"1": 8})
    found = implied(truth, ("1",), None, ("1",), ("1",))
    assert found.versions == Counter([version("1", 5, 0, 3), version("1", 8, 3, None)])


def test_read_whole_in_every_round_it_is_the_market_s_own_history() -> None:
    truth = market({"1": 5}, {"1": 6, "2": 1}, {"2": 1}, {"1": 6, "2": 1})
    assert implied(truth, ("1",), ("1", "2"), ("2",), ("1", "2")).versions == truth.versions()


def test_a_change_that_no_version_tells_is_lost_and_one_that_nobody_made_is_made_up() -> None:
    truth = market({"1": 5}, {"1": 6}, changes=((1, "repriced", "1"),))
    assert account(truth, truth.versions()).told == 1
    assert len(account(truth, {version("1", 5, 0, None): 1}).lost) == 1
    assert account(market({"1": 5}, {"1": 6}), truth.versions()).invented == ((1, BOOK, "1"),)


def test_a_change_that_was_undone_before_the_next_look_is_not_missed() -> None:
    changes = ((1, "repriced", "1"), (1, "repriced", "1"), (1, "orders", "1"))
    accounted = account(market({"1": 5}, {"1": 5}, changes=changes), {})
    assert (accounted.undone, accounted.of_advertisers, accounted.lost) == (2, 1, ())
