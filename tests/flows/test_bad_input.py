"""Whatever the exchange answers: kept as it came, counted, and nothing else is hurt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from flows.cycle import CheckFailed
from simulator.faults import Asked, Fault, Faults
from simulator.replay import Replay
from tests.flows.conftest import House, moment
from tests.flows.recordings import BUY, DOUBLED, SELL, Frame, made_up_ad, write_recordings
from tests.landing import Book

BITCOIN: Book = ("VES", "BTC", "BUY")
ETHER: Book = ("VES", "ETH", "BUY")
SPOILT: dict[Book, str] = {
    ("ARS", "USDT", "BUY"): "notjson",
    ("ARS", "USDT", "SELL"): "cut",
    ("ARS", "BTC", "BUY"): "shape",
    ("ARS", "BTC", "SELL"): "000001",
}
NUL, SURROGATE, NUMBERLESS, PRICELESS = range(4)


class ByBook(Faults):
    """Each page of some books is always spoilt."""

    def __init__(self, kinds: Mapping[Book, str]) -> None:
        super().__init__({})
        self._kinds = {Asked("search", *book, 1): kind for book, kind in kinds.items()}

    def draw(self, asked: Asked) -> Fault | None:
        kind = self._kinds.get(asked)
        return Fault(kind, 0.0) if kind else None


def odd_frame() -> Frame:
    """Five sound books with some odd ads in one of them, and four whose answers get spoilt."""
    frame: Frame = {
        BUY: [made_up_ad(BUY, number) for number in range(60)],
        SELL: [made_up_ad(SELL, number) for number in range(100, 145)],
        BITCOIN: [made_up_ad(BITCOIN, number) for number in range(200, 220)],
        DOUBLED: [made_up_ad(DOUBLED, number) for number in range(250, 270)],
        ETHER: [made_up_ad(ETHER, number) for number in range(300, 305)],
    }
    for number, book in enumerate(SPOILT):
        frame[book] = [made_up_ad(book, 400 + 10 * number + each) for each in range(5)]
    ads = frame[BUY]
    ads[NUL]["advertiser"].update(userNo="sNul", nickName="a\0b")
    ads[SURROGATE]["advertiser"].update(userNo="sSurrogate", nickName="a\ud83db")
    ads[NUMBERLESS]["adv"]["advNo"] = None
    ads[PRICELESS]["adv"]["price"] = "a lot"
    ads[4]["adv"]["madeUpKey"] = {"whatever": 1}
    return frame


@pytest.fixture
def odd(house: House, tmp_path: Path, no_waiting: None) -> Iterator[House]:
    house.empty()
    house.exchange.source = Replay(write_recordings(tmp_path, [odd_frame()]))
    house.exchange.faults = ByBook(SPOILT)
    yield house
    house.exchange.faults = None


def test_each_kind_of_bad_input_gets_what_it_deserves_and_the_cycle_succeeds(odd: House) -> None:
    outcome = odd.cycle(moment(0))
    assert outcome.is_success

    # Answers that cannot be read: an incomplete snapshot that says which.
    snapshots = odd.rows(
        "select fiat_code, asset_code, side, incomplete_reason, quality_verdict, offers_seen"
        " from marts.fact_snapshots where not is_complete"
    )
    reasons = {tuple(row[:3]): row[3] for row in snapshots}
    assert reasons == dict(
        zip(SPOILT, ("not_json", "cut", "wrong_shape", "code_000001"), strict=True)
    )
    assert {row[4:] for row in snapshots} == {("incomplete", 0)}
    ((kept,),) = odd.rows("select incomplete_reasons from ops.runs")
    assert kept == dict.fromkeys(reasons.values(), 1)

    # Ads that cannot be read: left out of the facts, and counted.
    assert odd.rows(
        "select is_complete, offers_seen, offers_distinct, offers_unnumbered, offers_rejected,"
        " cleaned_characters > 1"
        " from marts.fact_snapshots where (fiat_code, asset_code, side) = (%s, %s, %s)",
        *BUY,
    ) == [(True, 60, 59, 1, 1, True)]
    (facts,) = odd.rows(
        "select count(*), count(*) filter (where price > 0), count(adv_no)"
        " from marts.fact_offers where (fiat_code, asset_code, side) = (%s, %s, %s)",
        *BUY,
    )
    assert facts == (58, 58, 58)
    bodies = odd.rows("select string_agg(body::text, '') from staging.pages where side = 'BUY'")
    assert '"a lot"' in bodies[0][0]
    assert '"advNo":null' in bodies[0][0]

    # Characters that no warehouse holds: replaced, and the ads kept.
    names = odd.rows(
        "select people.nickname from marts.dim_advertisers as people"
        " join marts.fact_offers using (advertiser_key)"
        " where people.user_no in ('sNul', 'sSurrogate') order by people.user_no"
    )
    assert names[0] == ("a\ufffdb",)
    assert names[1][0].replace("\ufffd", "") == "ab"

    # A field never seen: reported once.
    assert odd.rows("select new_fields from ops.runs") == [(["adv.madeUpKey"],)]
    assert odd.rows("select field_path, json_type from staging.stg_binance_p2p__new_fields") == [
        ("adv.madeUpKey", "object")
    ]
    assert odd.rows("select run_id, kind, path, what, example from ops.drift") == [
        (outcome.run_id, "new_key", "adv.madeUpKey", "object", '{"whatever":1}')
    ]
    assert outcome.drift == (
        "The exchange's answers drift: adv.madeUpKey is never seen before (object,"
        ' such as {"whatever":1}).'
    )


def test_when_all_books_are_spoilt_nothing_of_the_cycle_becomes_history(odd: House) -> None:
    odd.exchange.faults = ByBook(dict.fromkeys(odd_frame(), "notjson"))
    with pytest.raises(CheckFailed, match="some_snapshot_is_complete"):
        odd.cycle(moment(0))
    assert [state for state, _ in odd.runs()] == ["failed"]
    assert odd.rows("select to_regclass('marts.fact_offers')") == [(None,)]
