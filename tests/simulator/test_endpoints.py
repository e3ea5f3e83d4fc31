"""The exchange's manners, one by one, over HTTP."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from simulator.answers import CONDITIONS, FIAT_LIST, PORTAL, SEARCH, TWIN
from simulator.market import Market
from simulator.server import Exchange

Json = dict[str, Any]


def test_the_ads_of_a_page_are_of_the_makers_side_the_opposite_of_the_takers(
    search: Callable[..., Json],
) -> None:
    for side, maker in (("BUY", "SELL"), ("SELL", "BUY")):
        items = search(tradeType=side)["data"]
        assert items
        assert {item["adv"]["tradeType"] for item in items} == {maker}


def test_takers_see_the_best_price_first_once_the_promoted_ads_are_over(
    read_book: Callable[..., list[Json]],
) -> None:
    for side, sign in (("BUY", 1), ("SELL", -1)):
        items = read_book(fiat="VES", side=side)
        promoted = [item["privilegeType"] == 1 for item in items]
        assert promoted == sorted(promoted, reverse=True)
        prices = [
            sign * Decimal(item["adv"]["price"]) for item in items if not item["privilegeType"]
        ]
        assert prices == sorted(prices)


def test_a_promoted_ad_says_so_beside_the_ad_and_not_in_it() -> None:
    market = Market(3, fiats=["CNY", "VES", "ARS"], assets=["USDT"])
    with Exchange(market) as exchange:
        items = [
            item
            for fiat in market.fiats
            for item in requests.post(
                exchange.url + SEARCH,
                json={"fiat": fiat, "asset": "USDT", "tradeType": "SELL"},
                timeout=5,
            ).json()["data"]
        ]
    marks = [item["privilegeType"] for item in items]
    assert 1 in marks
    assert all(item["adv"]["privilegeType"] is None for item in items)
    # Wherever there is one it stands at the top, though a better price may follow.
    assert 1 <= marks.count(1) <= 6


def test_the_last_page_is_short_and_a_page_past_the_end_is_empty_and_no_error(
    search: Callable[..., Json],
) -> None:
    total = search(fiat="VES")["total"]
    pages = -(-total // 20)
    assert total % 20, "choose a seed whose last page is short"
    assert len(search(fiat="VES", page=pages)["data"]) == total % 20
    past = search(fiat="VES", page=pages + 1)
    assert (past["code"], past["data"], past["success"]) == ("000000", [], True)


def test_the_public_twin_looks_like_an_empty_market(
    exchange: Exchange, client: requests.Session
) -> None:
    body = {"fiat": "BOB", "asset": "USDT", "tradeType": "BUY", "page": 1, "rows": 20}
    answer = client.post(exchange.url + TWIN, json=body, timeout=5)
    assert answer.status_code == 200
    assert answer.json()["code"] == "000000"
    assert answer.json()["data"] == []
    assert exchange.requests["twin"] == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_path_is_404_in_json_without_a_code(
    exchange: Exchange, client: requests.Session, method: str
) -> None:
    answer = client.request(method, exchange.url + "/bapi/c2c/v2/nowhere", json={}, timeout=5)
    assert answer.status_code == 404
    assert "code" not in answer.json()
    assert exchange.requests["unknown"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 21},
        {"rows": 0},
        {"page": 0},
        {"page": -1},
        {"page": "first"},
        {"page": True},
        {"tradeType": "buy"},
        {"tradeType": None},
        {"fiat": "XXX"},
        {"fiat": "bob"},
        {"asset": "NOPE"},
        {"asset": ["USDT"]},
        {"payTypes": "BANK"},
        {"publisherType": "bot"},
        {"transAmount": "much"},
    ],
    ids=str,
)
def test_an_illegal_parameter_is_400_and_000002(
    exchange: Exchange, client: requests.Session, wrong: Json
) -> None:
    body = {"fiat": "BOB", "asset": "USDT", "tradeType": "BUY", "page": 1, "rows": 20}
    answer = client.post(exchange.url + SEARCH, json={**body, **wrong}, timeout=5)
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "000002",
        "message": "illegal parameter",
        "messageDetail": None,
        "data": None,
        "success": False,
    }


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b'"text"', b"\xff\xfe"])
def test_a_body_that_is_no_search_is_400(
    exchange: Exchange, client: requests.Session, sent: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post(exchange.url + SEARCH, data=sent, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "000002")


def test_a_request_that_does_not_say_it_is_json_is_refused(
    exchange: Exchange, client: requests.Session
) -> None:
    answer = client.post(exchange.url + FIAT_LIST, data=b"{}", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "000002")


def test_discovery_leads_to_every_book_of_the_market(
    exchange: Exchange, client: requests.Session
) -> None:
    market = exchange.source
    assert isinstance(market, Market)
    found = set()
    listed = client.post(exchange.url + FIAT_LIST, json={}, timeout=5).json()["data"]
    for fiat in listed:
        assert set(fiat) == {
            *("currencyCode", "currencySymbol", "currencyScale"),
            *("countryCode", "iconUrl", "description"),
        }
        code = fiat["currencyCode"]
        data = client.post(exchange.url + PORTAL, json={"fiat": code}, timeout=5).json()["data"]
        areas = {area["area"]: area for area in data["areas"]}
        assert len(areas) > 1, "other areas list assets too, which are not P2P pairs"
        for side in areas["P2P"]["tradeSides"]:
            found |= {(code, asset["asset"], side["side"]) for asset in side["assets"]}
    both = itertools.product(market.pairs, ("BUY", "SELL"))
    assert found == {(fiat, asset, side) for (fiat, asset), side in both}


def test_filter_conditions_list_methods_with_the_keys_that_offers_use(
    exchange: Exchange, client: requests.Session, read_book: Callable[..., list[Json]]
) -> None:
    data = client.post(exchange.url + CONDITIONS, json={"fiat": "BOB"}, timeout=5).json()["data"]
    methods = {method["identifier"]: method for method in data["tradeMethods"]}
    assert {15, 360} <= set(data["periods"])
    assert data["countries"] == [{"scode": "BO", "name": "BO"}]
    assert data["preferredCountry"] == "BO"
    for item in read_book():
        for method in item["adv"]["tradeMethods"]:
            assert set(method) == set(methods[method["identifier"]])


@pytest.mark.parametrize("path", [PORTAL, CONDITIONS])
@pytest.mark.parametrize("request_body", [{}, {"fiat": "XXX"}, {"fiat": None}, {"fiat": ["BOB"]}])
def test_discovery_of_an_unknown_fiat_is_400(
    exchange: Exchange, client: requests.Session, path: str, request_body: Json
) -> None:
    answer = client.post(exchange.url + path, json=request_body, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "000002")


def test_filters_leave_only_the_offers_that_match(search: Callable[..., Json]) -> None:
    plain = search(fiat="VES", tradeType="SELL")["total"]
    merchants = search(fiat="VES", tradeType="SELL", publisherType="merchant")
    users = search(fiat="VES", tradeType="SELL", publisherType="user")
    assert {item["advertiser"]["userType"] for item in merchants["data"]} == {"merchant"}
    assert merchants["total"] + users["total"] == plain
    by_bank = search(fiat="VES", tradeType="SELL", payTypes=["BANK"])
    assert 0 < by_bank["total"] < plain
    for item in by_bank["data"]:
        assert "BANK" in [method["identifier"] for method in item["adv"]["tradeMethods"]]
    assert search(fiat="VES", tradeType="SELL", payTypes=["bank"])["total"] == 0
    for item in search(fiat="VES", tradeType="SELL", transAmount="20000")["data"]:
        adv = item["adv"]
        assert int(adv["minSingleTransAmount"]) <= 20000 <= int(adv["maxSingleTransAmount"])


def test_pages_are_gzipped_for_clients_that_accept_it_and_plain_for_the_others(
    exchange: Exchange,
) -> None:
    connection = http.client.HTTPConnection(exchange.url.removeprefix("http://"), timeout=5)
    sent = json.dumps({"fiat": "VES", "asset": "USDT", "tradeType": "BUY", "page": 1, "rows": 20})
    bodies = {}
    # One connection for both: keep-alive works, compressed or not.
    for encoding in ("gzip", "identity"):
        headers = {"Content-Type": "application/json", "Accept-Encoding": encoding}
        connection.request("POST", SEARCH, sent, headers)
        answer = connection.getresponse()
        assert answer.getheader("Content-Encoding") == ("gzip" if encoding == "gzip" else None)
        bodies[encoding] = answer.read()
        assert not answer.will_close
    connection.close()
    assert len(bodies["gzip"]) * 8 < len(bodies["identity"])
    assert json.loads(gzip.decompress(bodies["gzip"]))["total"]


def test_the_market_moves_and_tells_its_changes_over_http(
    exchange: Exchange, client: requests.Session
) -> None:
    before = exchange.source.now
    moved = client.post(exchange.url + "/simulator/advance", json={"minutes": 15}, timeout=5)
    assert moved.status_code == 200
    assert exchange.source.now == before + timedelta(minutes=15)
    changes = client.get(exchange.url + "/simulator/changes?since=3", timeout=5).json()
    assert [change["number"] for change in changes][:2] == [4, 5]
    assert set(changes[0]) == {"number", "time", "kind", "adv_no", "book"}
    assert client.get(exchange.url + "/simulator/health", timeout=5).json()["fiats"] == 3
    assert not exchange.requests, "talk about the simulator is not counted as the exchange's"


@pytest.mark.parametrize("minutes", [-1, "soon", "nan", "inf", None])
def test_the_clock_refuses_to_go_anywhere_but_forward(
    exchange: Exchange, client: requests.Session, minutes: object
) -> None:
    before = exchange.source.now
    url = exchange.url + "/simulator/advance"
    assert client.post(url, json={"minutes": minutes}, timeout=5).status_code == 400
    assert exchange.source.now == before


def test_many_clients_at_once_get_whole_pages_while_the_market_moves(exchange: Exchange) -> None:
    problems: list[str] = []

    def read() -> None:
        with requests.Session() as session:
            for page in range(1, 16):
                body = {"fiat": "VES", "asset": "USDT", "tradeType": "BUY", "page": page}
                answer = session.post(exchange.url + SEARCH, json={**body, "rows": 20}, timeout=10)
                numbers = [item["adv"]["advNo"] for item in answer.json()["data"]]
                if len(set(numbers)) != len(numbers):
                    problems.append(f"page {page} lists an ad twice")

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        exchange.advance(1)
    for reader in readers:
        reader.join()
    assert not problems
    assert exchange.requests["search"] == 60
    assert len(exchange.times) == 60
    assert exchange.times == sorted(exchange.times)


def test_pacing_can_be_checked_by_the_busiest_window(exchange: Exchange) -> None:
    exchange.times[:] = [10.0, 10.4, 10.9, 11.0, 14.0]
    assert exchange.most_requests_within(1.0) == 3
    assert exchange.most_requests_within(60.0) == 5


def test_an_exchange_that_closed_answers_nobody_who_kept_a_connection() -> None:
    with Exchange(Market(1, fiats=["BOB"], assets=["USDT"])) as exchange:
        host = exchange.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=5)
        connection.request("GET", "/simulator/health")
        connection.getresponse().read()
    assert connection.sock.recv(1) == b"", "the other end has hung up"
    connection.close()


def test_an_exchange_that_closed_leaves_its_port_free() -> None:
    with Exchange(Market(1, fiats=["BOB"], assets=["USDT"])) as first:
        port = int(first.url.rpartition(":")[2])
    with Exchange(Market(1, fiats=["BOB"], assets=["USDT"]), port=port) as second:
        assert requests.get(second.url + "/simulator/health", timeout=5).ok
