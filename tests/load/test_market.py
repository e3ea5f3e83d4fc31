"""The loader against the simulated market: what is landed is what was offered, faults or not."""

from collections.abc import Iterator
from random import Random

import pytest
import requests

from load.exchange.calls import SEARCH
from load.pace.pacer import Pacer
from simulator.clock import SECONDS_A_SEARCH, by_request, still
from simulator.faults import Faults
from simulator.market import Market
from simulator.server import Exchange
from tests.load.conftest import Loader

LANDED = """
    select distinct
        page.fiat_code, page.asset_code, page.side, offer -> 'adv' ->> 'advNo',
        offer -> 'adv' ->> 'price'
    from staging.pages as page
    inner join staging.snapshots as snapshot
        on snapshot.snapshot_id = page.snapshot_id and snapshot.is_complete
    cross join lateral json_array_elements(page.body -> 'data') as offer
    where page.run_id = %s
"""


@pytest.fixture
def market() -> Market:
    return Market(5, fiats=["LKR", "BOB"], offers=400)


@pytest.fixture
def exchange(market: Market, loader: Loader) -> Iterator[Exchange]:
    with Exchange(market, clock=still()) as served:
        loader.settings = loader.settings.model_copy(update={"api_url": served.url})
        yield served


def offered(market: Market) -> set[tuple[str, ...]]:
    return {
        (fiat, asset, side, str(item["adv"]["advNo"]), item["adv"]["price"])
        for fiat, asset in market.pairs
        for side in ("BUY", "SELL")
        for item in items(market, fiat, asset, side)
    }


def items(market: Market, fiat: str, asset: str, side: str) -> list[dict[str, dict[str, str]]]:
    with Exchange(market, clock=still()) as served:
        found, page = [], 1
        while True:
            body = {"fiat": fiat, "asset": asset, "tradeType": side, "page": page, "rows": 20}
            data = requests.post(served.url + SEARCH, json=body, timeout=5).json()["data"]
            found += data
            if len(data) < 20:
                return found
            page += 1


def test_every_offer_of_the_market_lands_with_its_price(
    loader: Loader, market: Market, exchange: Exchange
) -> None:
    report = loader.run()
    assert report.books_complete == report.books_listed > 10
    assert set(loader.rows(LANDED, "run1")) == offered(market)


def test_what_is_there_throughout_lands_from_a_market_that_moves_and_nothing_else_does(
    loader: Loader, market: Market, exchange: Exchange
) -> None:
    exchange.clock = by_request(10)
    before = offered(market)
    loader.run()
    after = offered(market)
    assert len(market.changes()) > 10
    landed = set(loader.rows(LANDED, "run1"))
    whole = set(
        loader.rows("select fiat_code, asset_code, side from staging.snapshots where is_complete")
    )
    throughout = {offer for offer in before & after if offer[:3] in whole}
    assert len(throughout - landed) <= len(throughout) / 100, "those that slid over an edge"
    moved = {change.adv_no for change in market.changes()}
    assert {offer[3] for offer in landed - before - after} <= moved


def test_what_changed_in_the_market_lands_in_the_next_cycle(
    loader: Loader, market: Market, exchange: Exchange
) -> None:
    loader.run()
    exchange.advance(15)
    report = loader.run()
    assert 0 < report.books_unchanged < report.books_read
    landed = set(loader.rows(LANDED, "run2"))
    assert landed
    assert landed <= offered(market)


def test_the_rate_is_kept_in_real_time(loader: Loader, exchange: Exchange) -> None:
    loader.run(pacer=Pacer(100), settings={"assets": ("USDT",)})
    assert exchange.most_requests_within(0.1) <= 10 + 4 + 1
    assert exchange.in_flight_peak <= 4


@pytest.mark.parametrize(
    "faults",
    [
        "429=0.1,403=0.01,503=0.05,000002=0.05,cut=0.05,shape=0.05,notjson=0.05,reset=0.05",
        "empty=0.3",
        "503=0.5",
    ],
)
def test_under_faults_what_is_called_complete_is_and_the_rest_says_why(
    loader: Loader, market: Market, exchange: Exchange, faults: str
) -> None:
    exchange.faults = Faults.parse(faults, seed=3)
    report = loader.run(pacer=Pacer(1_000, time=loader.time, chance=Random(2)))
    truth = offered(market)
    landed = set(loader.rows(LANDED, "run1"))
    assert landed <= truth
    whole = set(
        loader.rows(
            "select fiat_code, asset_code, side from staging.snapshots where is_complete "
            "and offers_seen > 0"
        )
    )
    assert landed == {offer for offer in truth if offer[:3] in whole}
    assert report.books_read == report.books_complete + sum(report.incomplete_reasons.values())
    assert report.books_complete > report.books_read / 2
    assert report.attempts >= report.pages
    assert loader.rows(
        "select count(*) from staging.snapshots where is_complete = (incomplete_reason is not null)"
    ) == [0]


def test_books_of_seventy_pages_are_whole_though_they_move_while_they_are_read(
    loader: Loader,
) -> None:
    market = Market(7, fiats=["VES", "CNY"], assets=["USDT"])
    with Exchange(market) as served:
        loader.settings = loader.settings.model_copy(update={"api_url": served.url})
        for _ in range(3):
            loader.run(clock=lambda: market.now)
            market.advance(10)
    readings = loader.rows(
        "select is_complete, pages, extract(epoch from finished_at - started_at)::float8 "
        "from staging.snapshots where pages > 40"
    )
    assert len(readings) >= 3 * 2
    for is_complete, pages, seconds in readings:
        assert is_complete
        # Side by side each would take four times as long; a thread that is slow to send the last
        # page lets some of the next book's go before it.
        assert seconds <= 2 * pages * SECONDS_A_SEARCH
    assert len(market.changes()) > 1_000
