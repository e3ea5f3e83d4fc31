"""What the exchange changes for everybody while it runs: its payloads, and which fiats it lists."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from simulator.answers import FIAT_LIST, PORTAL, SEARCH
from simulator.clock import by_request, still
from simulator.market import Market
from simulator.replay import Replay
from simulator.server import Exchange
from simulator.shifts import Shift
from tests.simulator.conftest import body

Json = dict[str, Any]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    market = Market(7, fiats=["VES", "KES"], assets=["USDT"], offers=200, generation=2024)
    with Exchange(market, clock=still()) as served:
        yield served


def shift(exchange: Exchange, **told: Any) -> requests.Response:
    return requests.post(exchange.url + "/simulator/shift", json=told, timeout=5)


def ask(exchange: Exchange, fiat: str = "VES", page: int = 1) -> requests.Response:
    return requests.post(exchange.url + SEARCH, json=body(fiat=fiat, page=page), timeout=5)


def ads(exchange: Exchange, fiat: str = "VES") -> list[Json]:
    return [item["adv"] for item in ask(exchange, fiat).json()["data"]]


def listed(exchange: Exchange) -> list[str]:
    answer = requests.post(exchange.url + FIAT_LIST, json={}, timeout=5)
    return [entry["currencyCode"] for entry in answer.json()["data"]]


def test_a_new_generation_of_payloads_says_the_same_of_the_same_ads(exchange: Exchange) -> None:
    before = ads(exchange)
    assert shift(exchange, generation=2026).ok
    after = ads(exchange)
    assert (len(before[0]), len(after[0])) == (69, 81)
    assert before[0]["commissionRate"]
    assert after[0]["commissionRate"] is None
    for old, new in zip(before, after, strict=True):
        assert old["maxSingleTransAmount"] == new["maxSingleTransAmount"] + ".00"
        for key in ("advNo", "price", "surplusAmount", "tradableQuantity"):
            assert old[key] == new[key]
    exchange.advance(120)
    assert len({len(adv) for adv in ads(exchange)}) == 1


def test_an_amount_may_become_a_number_and_a_new_key_appear(exchange: Exchange) -> None:
    before = ads(exchange)
    assert shift(exchange, as_numbers=["price"], new_keys={"newKey": {"share": "100%"}}).ok
    for old, new in zip(before, ads(exchange), strict=True):
        assert isinstance(new["price"], float)
        assert Decimal(str(new["price"])) == Decimal(old["price"])
        assert new["newKey"] == {"share": "100%"}
        assert set(new) - set(old) == {"newKey"}
        assert new["surplusAmount"] == old["surplusAmount"]


def test_a_fiat_vanishes_from_the_list_and_its_books_are_refused(exchange: Exchange) -> None:
    assert listed(exchange) == ["VES", "KES"]
    assert shift(exchange, delists=["KES"]).ok
    assert listed(exchange) == ["VES"]
    assert (ask(exchange, "KES").status_code, ask(exchange, "KES").json()["code"]) == (
        400,
        "000002",
    )
    portal = requests.post(exchange.url + PORTAL, json={"fiat": "KES"}, timeout=5)
    assert portal.status_code == 400
    assert ask(exchange, "VES").json()["total"] > 0


def test_the_books_of_a_fiat_that_vanished_may_just_be_empty(exchange: Exchange) -> None:
    assert shift(exchange, delists=["KES"], refuses=False).ok
    found = ask(exchange, "KES").json()
    assert (found["code"], found["data"], found["total"]) == ("000000", [], 0)
    assert listed(exchange) == ["VES"]


def test_a_fiat_that_is_listed_again_has_the_ads_that_it_had(exchange: Exchange) -> None:
    before = [adv["advNo"] for adv in ads(exchange, "KES")]
    shift(exchange, delists=["KES"])
    exchange.advance(180)
    assert exchange.source.fiats == ("VES",)
    shift(exchange, lists=["KES"])
    assert listed(exchange) == ["VES", "KES"]
    assert set(before) <= {adv["advNo"] for adv in ads(exchange, "KES")}
    of_kenya = [change for change in exchange.source.changes() if change.book[0] == "KES"]
    kinds = [change.kind for change in of_kenya if change.adv_no == before[0]]
    assert kinds[:2] == ["gone", "returned"]


def test_a_shift_comes_at_its_time_in_the_middle_of_a_reading() -> None:
    market = Market(7, fiats=["VES"], assets=["USDT"], offers=200, generation=2024)
    market.schedule(Shift(generation=2026), minutes=1)
    with Exchange(market, clock=by_request(25)) as exchange:
        keys = [len(ask(exchange, page=page).json()["data"][0]["adv"]) for page in (1, 2, 3, 4)]
    assert keys == [69, 69, 81, 81]


def test_a_shift_on_the_way_does_not_disturb_what_happens_to_the_offers() -> None:
    plain, shifting = (Market(3, fiats=["VES"], assets=["USDT"], offers=400) for _ in range(2))
    shifting.schedule(Shift(as_numbers=("price",)), minutes=20)
    for market in (plain, shifting):
        market.advance(60)
    assert plain.changes() == shifting.changes()
    assert plain.now == shifting.now


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"generation": 2023}, "2022, 2024, 2026"),
        ({"delists": ["XXX"]}, "no fiat XXX"),
        ({"colour": "red"}, "no colour"),
    ],
)
def test_a_shift_that_makes_no_sense_is_refused_in_one_line(
    exchange: Exchange, told: Json, why: str
) -> None:
    answer = shift(exchange, **told)
    assert answer.status_code == 400
    assert why in answer.json()["error"]
    assert listed(exchange) == ["VES", "KES"]


def test_nothing_shifts_in_a_recording(exchange: Exchange, tmp_path: Any) -> None:
    page = tmp_path / "page.json"
    page.write_bytes(ask(exchange).content)
    with pytest.raises(ValueError, match="as it was"):
        Replay([page]).schedule(Shift(generation=2026))
