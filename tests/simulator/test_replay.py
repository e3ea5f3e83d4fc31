"""Recorded books, made up here, served again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.answers import CONDITIONS, FIAT_LIST, PORTAL, SEARCH
from simulator.replay import Replay
from simulator.server import Exchange

Json = dict[str, Any]


def offer(
    number: int, fiat: str = "XTS", asset: str = "USDT", maker: str = "SELL", **more: Any
) -> Json:
    """A made-up item with a few odd values that a replay must not smooth."""
    return {
        "adv": {
            "advNo": f"1{number:019d}",
            "tradeType": maker,
            "asset": asset,
            "fiatUnit": fiat,
            "price": f"{number}.10",
            "fiatSymbol": "¤",
            "fiatScale": 2,
            "minSingleTransAmount": "10.00",
            "maxSingleTransAmount": "500.00",
            "tradeMethods": [
                {"identifier": "PayFast", "tradeMethodName": None},
                {"identifier": "PaySlow", "tradeMethodName": "Slow"},
            ],
            "someNewField": {"deep": [1.0, 1e-7, None]},
            **more,
        },
        "advertiser": {"userNo": f"s{number}", "nickName": " 金 \u0640 ", "userType": "user"},
    }


def page(items: list[Any], **more: Any) -> Json:
    return {"code": "000000", "data": items, "total": len(items), "success": True, **more}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recording: one object as the whole file, several as lines."""

    def to_file(name: str, *objects: object) -> Path:
        path = tmp_path / name
        lines = (json.dumps(each, ensure_ascii=False) for each in objects)
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return to_file


def read_all(url: str, fiat: str, asset: str, side: str, rows: int = 20) -> list[Json]:
    items: list[Json] = []
    for number in range(1, 100):
        body = {"fiat": fiat, "asset": asset, "tradeType": side, "page": number, "rows": rows}
        found = requests.post(url + SEARCH, json=body, timeout=5).json()
        if not found["data"]:
            break
        items += found["data"]
    assert found["total"] == len(items)
    return items


def test_raw_pages_of_several_files_come_back_as_one_book_item_by_item(
    write: Callable[..., Path],
) -> None:
    items = [offer(number) for number in range(1, 48)]
    files = [write("a.json", page(items[:20])), write("b.json", page(items[20:40]))]
    files.append(write("c.jsonl", page(items[40:45]), page(items[45:])))
    with Exchange(Replay(files)) as exchange:
        for rows in (20, 7):
            found = read_all(exchange.url, "XTS", "USDT", "BUY", rows)
            assert json.dumps(found) == json.dumps(items)


def test_offers_a_line_are_served_by_position_on_the_side_opposite_of_the_makers(
    write: Callable[..., Path],
) -> None:
    lines = [
        {"captured_at": 100, "pos": 2, "item": offer(2, maker="BUY")},
        {"captured_at": 100, "pos": 1, "item": offer(1, maker="BUY")},
        {"captured_at": 100, "pos": 1, "item": offer(3, maker="SELL")},
    ]
    replay = Replay([write("offers.jsonl", *lines)])
    assert replay.books == (("XTS", "USDT", "SELL"), ("XTS", "USDT", "BUY"))
    with Exchange(replay) as exchange:
        sell = read_all(exchange.url, "XTS", "USDT", "SELL")
        assert [item["adv"]["price"] for item in sell] == ["1.10", "2.10"]
        assert read_all(exchange.url, "XTS", "USDT", "BUY") == [lines[2]["item"]]


def test_each_book_steps_through_its_own_frames_and_stays_on_its_last(
    write: Callable[..., Path],
) -> None:
    def line(time: int, number: int, maker: str) -> Json:
        return {"captured_at": time, "pos": number, "item": offer(number, maker=maker)}

    path = write(
        "frames.jsonl",
        *[line(200, 2, "BUY"), line(100, 1, "BUY"), line(300, 3, "BUY")],
        *[line(101, 8, "SELL"), line(201, 9, "SELL")],
    )
    replay = Replay([path])
    seen, times = [], []
    with Exchange(replay) as exchange:
        for _ in range(4):
            seen.append([
                read_all(exchange.url, "XTS", "USDT", side)[0]["adv"]["price"]
                for side in ("SELL", "BUY")
            ])  # fmt: skip
            times.append(replay.now.timestamp())
            url = exchange.url + "/simulator/advance"
            requests.post(url, json={"minutes": 15}, timeout=5)
    assert replay.frames == 3
    assert seen == [["1.10", "8.10"], ["2.10", "9.10"], ["3.10", "9.10"], ["3.10", "9.10"]]
    assert times == [101, 201, 300, 300]


def test_pages_with_a_time_of_capture_are_frames_too(write: Callable[..., Path]) -> None:
    first, second = page([offer(1)], captured_at=10), page([offer(2)], captured_at=20)
    replay = Replay([write("pages.jsonl", second, first)])
    assert replay.items("XTS", "USDT", "BUY") == [offer(1)]
    replay.advance()
    assert replay.items("XTS", "USDT", "BUY") == [offer(2)]


def test_discovery_tells_what_the_recordings_hold(write: Callable[..., Path]) -> None:
    items = [offer(1), offer(2, asset="BTC", maker="BUY"), offer(3, fiat="VES")]
    with Exchange(Replay([write("mixed.json", page(items))])) as exchange:

        def ask(path: str, body: Json) -> Any:
            return requests.post(exchange.url + path, json=body, timeout=5).json()["data"]

        fiats = {fiat["currencyCode"]: fiat["currencySymbol"] for fiat in ask(FIAT_LIST, {})}
        assert fiats == {"XTS": "¤", "VES": "¤"}
        areas = {area["area"]: area for area in ask(PORTAL, {"fiat": "XTS"})["areas"]}
        assert {
            side["side"]: [asset["asset"] for asset in side["assets"]]
            for side in areas["P2P"]["tradeSides"]
        } == {"BUY": ["USDT"], "SELL": ["BTC"]}
        methods = ask(CONDITIONS, {"fiat": "XTS"})["tradeMethods"]
        assert [method["identifier"] for method in methods] == ["PayFast", "PaySlow"]
        body = {"fiat": "XTS", "asset": "BTC", "tradeType": "BUY", "page": 1, "rows": 20}
        assert ask(SEARCH, body) == []


def test_filters_work_on_recorded_offers(write: Callable[..., Path]) -> None:
    rich = offer(2, minSingleTransAmount="900.00", maxSingleTransAmount="2000.00")
    with Exchange(Replay([write("two.json", page([offer(1), rich]))])) as exchange:
        body = {"fiat": "XTS", "asset": "USDT", "tradeType": "BUY", "page": 1, "rows": 20}
        for more, expected in (
            ({"transAmount": "1000"}, [rich]),
            ({"payTypes": ["PaySlow"]}, [offer(1), rich]),
            ({"payTypes": ["payslow"]}, []),
            ({"publisherType": "merchant"}, []),
        ):
            found = requests.post(exchange.url + SEARCH, json={**body, **more}, timeout=5).json()
            assert found["data"] == expected


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([{"some": "thing"}], "is neither a page of the exchange .* nor an offer"),
        ([[1, 2]], "is neither a page"),
        ([{"captured_at": 1, "item": offer(1)}, 5], "line 2 is neither"),
        ([page([{"advertiser": {}}])], "without fiatUnit, asset and tradeType"),
        ([page(["text"])], "without fiatUnit, asset and tradeType"),
        ([page([offer(1, maker="BOTH")])], "without fiatUnit, asset and tradeType"),
        ([{"captured_at": "noon", "item": offer(1)}], "captured_at is not a number"),
        ([page([])], "contain no offer"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_in_one_line(
    write: Callable[..., Path], objects: list[object], why: str
) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        Replay([write("bad.jsonl", *objects)])
    assert "\n" not in str(refused.value)


def test_files_that_are_no_json_or_not_there_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "html.json").write_text("<html>\n</html>")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name, why in (
        ("html.json", "line 1 is not JSON"),
        ("binary.json", "not UTF-8"),
        ("missing.json", "No such file"),
        (".", "Is a directory"),
    ):
        with pytest.raises(ValueError, match=why):
            Replay([tmp_path / name])
