"""Corrupted on purpose, through the real line: a check is red, or the number is withheld."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from simulator.replay import Replay
from simulator.source import Answer, Query, Source
from tests.flows.conftest import House, moment
from tests.flows.recordings import BUY, SELL, Frame, made_up_ad, write_recordings
from tests.landing import Book

Ask = Callable[[Query], Answer]
Corruption = Callable[[Ask, Query], Answer]

SOUND: Book = ("CLP", "USDT", "BUY")
DROPPED, DOUBLED = BUY, SELL
ABSURD: Book = ("ARS", "USDT", "BUY")
DEBUG: Book = ("ARS", "USDT", "SELL")
SWAPPED: Book = ("BOB", "USDT", "BUY")
BOOKS = (SOUND, DROPPED, DOUBLED, ABSURD, DEBUG, SWAPPED, ("BOB", "USDT", "SELL"))
OFFERS = 45
FIRST = -12
"""The first cycle, so long ago that none is dated after the server's time."""
STILL = FIRST + 16
"""The cycle in which 45 offers have not moved for 300 minutes: more than 12,000 offer-minutes."""


def a_page_dropped(ask: Ask, query: Query) -> Answer:
    return ask(replace(query, page=query.page + (query.page > 1)))


def a_page_doubled(ask: Ask, query: Query) -> Answer:
    return ask(replace(query, page=query.page - (query.page > 1)))


def the_other_side(ask: Ask, query: Query) -> Answer:
    return ask(replace(query, side="SELL" if query.side == "BUY" else "BUY"))


def one_absurd_price(ask: Ask, query: Query) -> Answer:
    """The first ad asks a hundredth of the others."""
    return _with_first(ask, query, {"price": "0.40"})


def a_debug_value_first(ask: Ask, query: Query) -> Answer:
    """Somebody's test, as it stood for minutes at the head of a real page."""
    much = "99999999"
    return _with_first(
        ask, query, {"price": much, "surplusAmount": much, "tradableQuantity": much, "remarks": "x"}
    )


def _with_first(ask: Ask, query: Query, adv: Mapping[str, Any]) -> Answer:
    answer = ask(query)
    items = [json.loads(item) for item in answer.items]
    if query.page == 1:
        items[0]["adv"].update(adv)
    return Answer([json.dumps(item).encode() for item in items], answer.total)


class Corrupted:
    """A source whose pages of some books are not those of the market."""

    def __init__(self, source: Source, corruptions: Mapping[Book, Corruption]) -> None:
        self._source, self._corruptions = source, corruptions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def page(self, query: Query) -> Answer:
        corrupt = self._corruptions.get((query.fiat, query.asset, query.side))
        ask = self._source.page
        return corrupt(ask, query) if corrupt else ask(query)


def frames() -> list[Frame]:
    """Books of 45 offers on three pages, and the same a per cent dearer."""
    first = {
        book: [made_up_ad(book, 100 * place + number) for number in range(OFFERS)]
        for place, book in enumerate(BOOKS)
    }
    second = copy.deepcopy(first)
    for ad in (ad for book in second.values() for ad in book):
        ad["adv"]["price"] = f"{Decimal(ad['adv']['price']) * Decimal('1.01'):.2f}"
    return [first, second]


@dataclass
class Aftermath:
    """The house after a sound cycle, a corrupted one, one in which all stood still."""

    house: House
    runs: list[str] = field(default_factory=list)

    def quote(self, book: Book, cycle: int) -> dict[str, Any]:
        """What is published of a book as that cycle read it."""
        columns = (
            "is_withheld", "withheld_reason", "median", "best_raw", "naive", "ref_q25",
            "reference_price", "reference_price_kind", "best_eligible", "n_eligible",
        )  # fmt: skip
        (row,) = self.house.rows(
            f"select {', '.join(f'quotes.{column}' for column in columns)}"
            " from marts.market_quotes as quotes"
            " join marts.fact_snapshots using (snapshot_id)"
            " where run_id = %s and quotes.fiat_code = %s and quotes.side = %s",
            self.runs[cycle],
            book[0],
            book[2],
        )
        return dict(zip(columns, row, strict=True))

    def sweeps(self, book: Book, cycle: int) -> list[Decimal]:
        """What the amounts would really cost there, each a price."""
        return [
            price
            for (price,) in self.house.rows(
                "select sweep_price from marts.executable_prices as prices"
                " join marts.fact_snapshots using (snapshot_id)"
                " where run_id = %s and prices.fiat_code = %s and prices.side = %s",
                self.runs[cycle],
                book[0],
                book[2],
            )
        ]

    def red(self, cycle: int) -> set[str]:
        """The checks that failed in that cycle."""
        return {
            name
            for (name,) in self.house.rows(
                "select name from ops.check_results where run_id = %s and not success",
                self.runs[cycle],
            )
        }


@pytest.fixture(scope="module")
def after(house: House, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    after = Aftermath(house)
    house.empty()
    replay = Replay(write_recordings(tmp_path_factory.mktemp("recordings"), frames()))
    house.exchange.source = replay
    after.runs.append(house.cycle(moment(FIRST)).run_id)
    replay.advance()
    house.exchange.source = Corrupted(
        replay,
        {
            DROPPED: a_page_dropped,
            DOUBLED: a_page_doubled,
            ABSURD: one_absurd_price,
            DEBUG: a_debug_value_first,
        },
    )
    after.runs.append(house.cycle(moment(FIRST + 1)).run_id)
    after.runs.append(house.cycle(moment(STILL)).run_id)
    return after


def test_of_a_book_with_a_page_dropped_every_number_is_withheld(after: Aftermath) -> None:
    quote = after.quote(DROPPED, 1)
    assert quote["is_withheld"]
    assert quote["withheld_reason"] == "short_of_announced"
    assert (quote["median"], quote["reference_price"]) == (None, None)
    assert after.sweeps(DROPPED, 1) == []
    assert "nearly_all_offers_were_read" in after.red(1)


def test_of_a_book_with_a_page_doubled_every_number_is_withheld(after: Aftermath) -> None:
    quote = after.quote(DOUBLED, 1)
    assert quote["is_withheld"]
    assert "many_duplicates" in quote["withheld_reason"]
    assert (quote["median"], quote["reference_price"]) == (None, None)
    assert after.sweeps(DOUBLED, 1) == []


def test_beside_one_absurd_price_the_reference_stays_that_of_the_market(after: Aftermath) -> None:
    """The naive price follows the bait; the reference does not, and nothing else moves."""
    quote = after.quote(ABSURD, 1)
    assert (quote["best_raw"], quote["naive"]) == (Decimal("0.40"), Decimal("0.40"))
    assert quote["reference_price_kind"] == "competitive_median"
    before = after.quote(ABSURD, 0)["reference_price"]
    assert abs(quote["reference_price"] / before - 1) < Decimal("0.02")
    assert quote["best_eligible"] > 40
    assert quote["n_eligible"] == OFFERS - 1
    assert min(after.sweeps(ABSURD, 1)) > 40


def test_a_debug_value_as_the_first_offer_moves_neither_the_reference_nor_a_sweep(
    after: Aftermath,
) -> None:
    """It holds more than all others, and two notions are its price; eligible it is not."""
    quote = after.quote(DEBUG, 1)
    assert quote["naive"] == quote["ref_q25"] == 99999999
    assert 40 < quote["reference_price"] < 50
    assert quote["best_eligible"] < 50
    assert 40 < max(after.sweeps(DEBUG, 1)) < 50
    assert quote["n_eligible"] == OFFERS - 1


def test_a_source_that_answers_the_same_for_hours_is_said_and_withheld(after: Aftermath) -> None:
    assert not after.quote(SOUND, 1)["is_withheld"]
    quote = after.quote(SOUND, 2)
    assert (quote["withheld_reason"], quote["median"]) == ("frozen", None)
    assert after.sweeps(SOUND, 2) == []
    assert "no_book_is_suspect" in after.red(2)


def test_a_book_of_swapped_sides_is_withheld_and_keeps_the_offers_that_it_had(
    after: Aftermath,
) -> None:
    house = after.house
    current = (
        "select adv_no from marts.fact_offers where valid_to is null"
        " and (fiat_code, asset_code, side) = (%s, %s, %s) order by adv_no"
    )
    before = house.rows(current, *SWAPPED)
    assert len(before) == OFFERS
    house.exchange.source = Corrupted(house.exchange.source, {SWAPPED: the_other_side})
    after.runs.append(house.cycle(moment(STILL + 1)).run_id)
    quote = after.quote(SWAPPED, 3)
    assert (quote["withheld_reason"], quote["median"]) == ("maker_side_mismatch", None)
    assert house.rows(current, *SWAPPED) == before
    assert "no_book_is_suspect" in after.red(3)
