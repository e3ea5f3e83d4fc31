"""A clock that was once far ahead: what it has dated freezes nothing when it is right again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from load.exchange.calls import FIATS
from tests.load.conftest import Loader, Stub, offer
from tests.load.test_prices import RATES, rates

OFFERS = [offer(number) for number in range(45)]
AHEAD = timedelta(days=400)


@pytest.fixture(autouse=True)
def market(stub: Stub, loader: Loader) -> None:
    """Two books, and a first cycle by a clock that is more than a year ahead."""
    for name in ("VES-USDT-BUY", "VES-USDT-SELL"):
        stub.put(name, OFFERS)
    loader.clock.now = datetime.now(UTC) + AHEAD
    assert loader.run().books_read == 2
    stub.requests.clear()
    loader.clock.now = datetime.now(UTC)


def test_its_books_are_read_by_the_right_time_and_whole(loader: Loader) -> None:
    report = loader.run()
    assert (report.books_read, report.books_unchanged) == (2, 0)
    dated = loader.rows(
        "select distinct started_at < now() + interval '1 minute' from staging.snapshots"
        " where run_id = 'run2'"
    )
    assert dated == [True]
    assert loader.run().books_unchanged == 2, "what was read since is followed"


def test_its_books_are_due_also_where_not_all_can_be_read(loader: Loader, stub: Stub) -> None:
    loader.run()
    loader.clock.advance(24 * 60)
    for number in range(40):
        stub.put(f"VES-A{number:02}-BUY", OFFERS)
    report = loader.run(settings={"requests_per_second": 0.02})
    assert report.books_read < report.books_listed
    assert loader.rows("select count(*) > 0 from staging.snapshots where run_id = 'run3'") == [True]


def test_its_list_of_what_is_traded_is_asked_for_again(loader: Loader, stub: Stub) -> None:
    loader.run()
    assert [path for path, _ in stub.requests if path == FIATS] == [FIATS]


def test_its_rates_are_asked_for_again(loader: Loader, stub: Stub) -> None:
    def published(at: datetime) -> bytes:
        midnight = int(at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
        return json.dumps(
            rates(time_last_update_unix=midnight, time_next_update_unix=midnight + 86_400)
        ).encode()

    settings = {"rates_url": stub.url}
    loader.clock.now += AHEAD
    stub.outside[RATES] = published(loader.clock.now)
    assert loader.run(settings=settings).beside["official_rates"] == "landed"
    loader.clock.now = datetime.now(UTC)
    stub.outside[RATES] = published(loader.clock.now)
    assert loader.run(settings=settings).beside["official_rates"] == "landed"
