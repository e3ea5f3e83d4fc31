"""Text that means ill: each page lands or is refused by name, and nobody else's is hurt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from load.exchange.calls import SEARCH
from load.pipeline import run_cycle
from tests.flows.conftest import House, moment
from tests.hostile import TEXTS, Json, pages_nobody_wrote
from tests.landing import item
from tests.load.conftest import Reply, Stub, served

HOSTILE, SOUND = 90, 110  # the line stops where most of what landed is broken, and is right to
BOOKS = HOSTILE + SOUND
REFUSALS = {"not_json", "number_out_of_range", "too_deep", "wrong_shape", "short_of_announced"}


def sound(number: int, side: str) -> list[Json]:
    prefix = f"1299000{side == 'BUY':d}{number:06}"
    return [item(f"{prefix}{each:06}", side=side) for each in range(16)]


@pytest.fixture
def hostile(house: House, no_waiting: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """An exchange with a page in each book that nobody would write."""
    house.empty()
    with served() as stub:
        settings = house.settings.model_copy(update={"api_url": stub.url})
        monkeypatch.setattr(house, "settings", settings)
        for number in range(BOOKS // 2):
            for side in ("BUY", "SELL"):
                stub.put(f"V{number % 3}-A{number}-{side}", sound(number, side))
        spoilt_ones = list(stub.books)[:HOSTILE]
        pages = pages_nobody_wrote({"-".join(book): stub.books[book] for book in spoilt_ones})

        def spoilt(path: str, body: Json, _times: int) -> Reply | None:
            if path != SEARCH or body["page"] > 1:
                return None
            return pages.get(f"{body['fiat']}-{body['asset']}-{body['tradeType']}")

        stub.override = spoilt
        yield stub


def test_what_nobody_would_write_lands_or_is_refused_by_name_and_stops_nothing(
    house: House, hostile: Stub
) -> None:
    assert house.cycle(moment(0)).is_success

    snapshots = house.rows(
        "select is_complete, incomplete_reason, offers_seen from marts.fact_snapshots"
    )
    assert len(snapshots) == BOOKS
    refused = {reason for _, reason, _ in snapshots if reason}
    assert {"not_json", "number_out_of_range", "too_deep"} <= refused
    assert {reason for reason in refused if not reason.startswith("code_")} <= REFUSALS
    assert {offers for is_complete, _, offers in snapshots if is_complete} == {16}
    told = {name for (name,) in house.rows("select nickname from marts.dim_advertisers")}
    assert {text for text in TEXTS if text.isprintable() and text} - told == set()
    # What landed can be opened in every way that PostgreSQL has.
    house.rows("select count(body::jsonb #>> '{data,0,adv}') from staging.pages")

    # The next good page lands, whatever stood in its place.
    hostile.books = {book: sound(999, book[2]) for book in hostile.books}
    hostile.override = lambda *_: None
    report = run_cycle(house.settings, house.warehouse, "good", clock=lambda: moment(1))
    assert report.books_complete == report.books_read == BOOKS
    assert report.pages_landed == BOOKS
