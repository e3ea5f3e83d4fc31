"""Books that are answered well-formed and wrong: capped, another's, without ads, uncounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulator.answers import SEARCH
from simulator.clock import still
from simulator.faults import Asked, Faults
from simulator.market import Market
from simulator.server import Exchange
from tests.simulator.conftest import body


@pytest.fixture(scope="module")
def served() -> Iterator[Exchange]:
    market = Market(7, fiats=["VES", "BOB"], assets=["USDT"], offers=300)
    with Exchange(market, clock=still()) as exchange:
        yield exchange


@pytest.fixture
def exchange(served: Exchange) -> Iterator[Exchange]:
    yield served
    served.faults = None


def ask(exchange: Exchange, **changes: Any) -> requests.Response:
    return requests.post(exchange.url + SEARCH, json={**body(), **changes}, timeout=5)


def whole_book(exchange: Exchange, **changes: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    """All items of a book, page by page, and what each page said is their number."""
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["data"]:
        pages.append(ask(exchange, page=len(pages) + 1, **changes).json())
    items = [item for page in pages for item in page["data"]]
    return items, [page.get("total", "none") for page in pages]


def numbers(items: list[dict[str, Any]]) -> list[str]:
    return [item["adv"]["advNo"] for item in items if "adv" in item]


@pytest.fixture
def honest(exchange: Exchange) -> list[str]:
    return numbers(whole_book(exchange)[0])


def test_a_page_may_be_capped_in_silence_and_the_next_one_begins_where_it_ends(
    exchange: Exchange, honest: list[str]
) -> None:
    exchange.faults = Faults({"capped": 1.0})
    assert len(ask(exchange, rows=20).json()["data"]) == 10 < len(honest)
    items, totals = whole_book(exchange)
    assert numbers(items) == honest
    assert set(totals) == {len(honest)}


def test_a_book_may_be_answered_with_another_pairs_ads(
    exchange: Exchange, honest: list[str]
) -> None:
    exchange.faults = Faults({"foreign": 1.0})
    items, totals = whole_book(exchange)
    assert {item["adv"]["fiatUnit"] for item in items} == {"VES"}
    assert {item["adv"]["tradeType"] for item in items} == {"SELL"}
    assert set(totals) == {len(items)}


def test_some_ads_of_another_pair_may_stand_among_a_books_own(
    exchange: Exchange, honest: list[str]
) -> None:
    exchange.faults = Faults({"mixed": 1.0})
    items, totals = whole_book(exchange)
    own = [item for item in items if item["adv"]["fiatUnit"] == "BOB"]
    assert numbers(own) == honest
    assert len(items) - len(own) == -(-len(honest) // 8)
    assert set(totals) == {len(items)}


def test_a_foreign_ad_may_be_of_another_asset_of_the_same_fiat() -> None:
    market = Market(7, fiats=["BOB"], assets=["USDT", "BTC"])
    with Exchange(market, Faults({"foreign": 1.0})) as exchange:
        (asset,) = {item["adv"]["asset"] for item in ask(exchange).json()["data"]}
    assert asset == "BTC"


def test_some_items_may_have_no_ad_and_always_the_same_ones(
    exchange: Exchange, honest: list[str]
) -> None:
    exchange.faults = Faults({"bare": 1.0})
    once, again = (whole_book(exchange)[0] for _ in range(2))
    assert len(once) == len(honest)
    assert 0 < len(once) - len(numbers(once)) < len(once) / 3
    assert all(item["advertiser"] for item in once)
    assert numbers(once) == numbers(again)


def test_the_total_may_be_left_out(exchange: Exchange, honest: list[str]) -> None:
    exchange.faults = Faults({"uncounted": 1.0})
    items, totals = whole_book(exchange)
    assert numbers(items) == honest
    assert set(totals) == {"none"}


def test_what_befalls_a_book_befalls_all_its_pages_and_a_share_of_the_books() -> None:
    faults = Faults({"capped": 0.2, "foreign": 0.1, "500": 1.0}, seed=2)
    found: Counter[str | None] = Counter()
    for number in range(2_000):
        pages = [Asked("search", f"F{number}", "USDT", "BUY", page) for page in (1, 2, 3)]
        assert [fault.kind for page in pages if (fault := faults.draw(page))] == ["500"] * 3
        (kind,) = {faults.of_book(page) for page in pages}
        found[kind] += 1
    assert found["capped"] == pytest.approx(400, rel=0.2)
    assert found["foreign"] == pytest.approx(200, rel=0.2)
    assert set(found) == {None, "capped", "foreign"}
