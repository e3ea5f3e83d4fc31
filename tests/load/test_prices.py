"""Official rates and spot prices: when they are asked for, what is believed, what failing costs."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from load.exchange.client import Refused
from load.rates import official_rates, own_rates, spot_prices
from load.rates.beside import Host, PriceReading
from load.rates.official_rates import Landed
from load.rates.own_rates import import_rates
from simulator.market import Market
from simulator.server import Exchange
from tests.load.conftest import NOON, Json, Loader, Reply, Stub, offer
from warehouse.errors import UserError

RATES, SPOT = official_rates.PATH, spot_prices.PATH
MIDNIGHT = NOON.replace(hour=0)


def rates(**changes: Any) -> Json:
    """An answer of the host of rates."""
    return {
        "result": "success",
        "time_last_update_unix": int(MIDNIGHT.timestamp()) + 151,
        "time_next_update_unix": int(MIDNIGHT.timestamp()) + 86_551,
        "base_code": "USD",
        "rates": {"USD": 1, "VES": 236.8391, "ARS": 1450.5, "IRR": 1e-05},
        **changes,
    }


def ticker(symbol: str, bid: Any = "93400.01", ask: Any = "93400.02") -> Json:
    """A symbol as the host of spot prices tells it."""
    return {"symbol": symbol, "bidPrice": bid, "bidQty": "1.5", "askPrice": ask, "askQty": "2"}


def spot(path: str) -> Reply:
    """A host that trades BTC and USDC only, and refuses all for one that it does not know."""
    symbols = json.loads(parse_qs(urlsplit(path).query)["symbols"][0])
    if not set(symbols) <= {"BTCUSDT", "USDCUSDT"}:
        return 400, b'{"code":-1121,"msg":"Invalid symbol."}'
    return json.dumps([ticker(symbol) for symbol in symbols]).encode()


@pytest.fixture
def asking(loader: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """A loader that asks the stub for rates and prices, too."""
    monkeypatch.setattr("load.rates.spot_prices._SECONDS_BETWEEN", 0)
    for asset in ("USDT", "BTC", "NEW"):
        stub.put(f"VES-{asset}-BUY", [offer(1)])
    stub.outside = {RATES: json.dumps(rates()).encode(), SPOT: spot}
    loader.options = {"settings": {"rates_url": stub.url, "spot_url": stub.url}}
    return loader


def asked(stub: Stub, path: str) -> int:
    return sum(each.startswith(path) for each in stub.asked_outside)


def test_a_cycle_lands_rates_and_the_prices_of_what_it_read(asking: Loader, stub: Stub) -> None:
    report = asking.run()
    assert report.beside == {"official_rates": "landed", "spot_prices": "landed"}
    assert asking.rows(
        "select fiat_code, rate_kind, source, published_at, rate, bid from staging.official_rates"
        " order by rate::numeric"
    ) == [
        (code, "mid_market", "127.0.0.1", MIDNIGHT + timedelta(seconds=151), rate, None)
        for code, rate in [("IRR", "0.00001"), ("USD", "1"), ("VES", "236.8391"), ("ARS", "1450.5")]
    ]
    assert asking.rows(
        "select symbol, base_asset, quote_asset, bid, ask from staging.spot_prices order by 1"
    ) == [(f"{asset}USDT", asset, "USDT", "93400.01", "93400.02") for asset in ("BTC", "USDC")]
    assert asking.rows(
        "select kind, items, left_out, is_complete from staging.price_readings order by kind"
    ) == [("official_rates", 4, 0, True), ("spot_prices", 2, 1, True)]
    # All three at once, then halves, down to the one that is not traded there.
    assert asked(stub, SPOT) == 5


def test_rates_are_asked_for_when_they_are_due_and_land_once(asking: Loader, stub: Stub) -> None:
    asking.run()
    asking.clock.advance(60 * 11)
    assert asking.run().beside["official_rates"] == "current"
    assert (asked(stub, RATES), asked(stub, SPOT)) == (1, 10), "spot prices are of each cycle"

    # A day later the source should have renewed and did not: asked hourly, and nothing lands.
    asking.clock.advance(60 * 2)
    assert asking.run().beside["official_rates"] == "unchanged"
    asking.clock.advance(30)
    assert asking.run().beside["official_rates"] == "current"
    asking.clock.advance(40)
    assert asking.run().beside["official_rates"] == "unchanged"
    assert asked(stub, RATES) == 3
    assert asking.rows("select count(*) from staging.official_rates") == [4]


def test_what_landed_and_does_not_count_is_asked_for_again(asking: Loader) -> None:
    asking.run()
    asking.do("drop table staging.official_rates")
    assert asking.run().beside["official_rates"] == "landed"
    asking.do("create schema ops")
    asking.do(
        "create table ops.quarantined_loads as select distinct _dlt_load_id as load_id"
        " from staging.official_rates"
    )
    assert asking.run().beside["official_rates"] == "landed"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((503, b""), "http_503"),
        ((302, b"", {"Location": "http://127.0.0.1:9"}), "http_302"),
        ((200, b"<!doctype html>"), "not_json"),
        ((200, b'{"result":"success","base_code":"USD","rates":{"VES":NaN}}'), "not_json"),
        ((200, json.dumps([rates()]).encode()), "wrong_shape"),
        ((200, b"{}"), "no_result"),
        ((200, b'{"rates":', {"Content-Length": "900"}), "cut"),
        ((200, b" " * 5_000_001), "too_large"),
    ],
)
def test_an_answer_that_is_none_is_a_reason(stub: Stub, reply: Reply, reason: str) -> None:
    stub.outside = {RATES: reply}
    host = Host(stub.url, "a test", threading.Event())
    with pytest.raises(Refused, match=f"^{reason}$"):
        official_rates.job(None)(PriceReading("official_rates", "x", NOON), host)


def test_a_host_that_fails_costs_the_cycle_nothing_and_is_named(asking: Loader, stub: Stub) -> None:
    stub.outside = {RATES: (503, b""), SPOT: (451, b"{}")}
    report = asking.run()
    assert report.beside == {"official_rates": "http_503", "spot_prices": "http_451"}
    assert (report.books_complete, report.stopped) == (3, False)
    assert asking.rows(
        "select kind, incomplete_reason, items from staging.price_readings order by kind"
    ) == [("official_rates", "http_503", 0), ("spot_prices", "http_451", 0)]
    stub.outside[RATES] = json.dumps(rates()).encode()
    assert asking.run().beside["official_rates"] == "landed", "the next cycle asks again"


def test_a_host_that_hangs_is_not_waited_for(
    asking: Loader, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load.rates.beside.WAIT_SECONDS", 0.2)
    released: list[bool] = []

    def hang(_path: str) -> Reply:
        while not released:
            time.sleep(0.01)
        return 200, b"{}"

    stub.outside = {RATES: hang, SPOT: hang}
    started = time.monotonic()
    report = asking.run()
    took = time.monotonic() - started
    released.append(True)
    assert report.beside == {"official_rates": "timeout", "spot_prices": "timeout"}
    assert took < 5
    assert report.books_complete == 3


def test_a_closed_port_is_a_reason_and_off_asks_nobody(asking: Loader, stub: Stub) -> None:
    dead = "http://127.0.0.1:9"
    asking.options = {"settings": {"rates_url": dead, "spot_url": dead}}
    assert asking.run().beside == {"official_rates": "connection", "spot_prices": "connection"}
    asking.options = {"settings": {"rates_url": None, "spot_url": None}}
    assert asking.run().beside == {"official_rates": "off", "spot_prices": "off"}
    assert stub.asked_outside == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"result": "error"}, "result_not_success"),
        ({"base_code": "EUR"}, "wrong_base"),
        ({"rates": {"USD": 0.9, "VES": 5}}, "base_is_not_one"),
        ({"rates": []}, "no_rates"),
        ({"rates": {}}, "no_rates"),
        ({"time_last_update_unix": "yesterday"}, "no_time"),
        ({"time_last_update_unix": 2**60}, "wrong_time"),
        ({"time_last_update_unix": -5}, "wrong_time"),
        ({"rates": {"USD": 1, "VES": "x", "ARS": -1}}, "mostly_refused"),
    ],
)
def test_rates_that_cannot_be_trusted_are_refused_by_name(changes: Json, reason: str) -> None:
    with pytest.raises(Refused, match=f"^{reason}$"):
        official_rates.take(PriceReading("official_rates", "x", NOON), rates(**changes))


def test_a_rate_that_is_none_is_left_out_by_name_and_costs_no_other() -> None:
    odd = {"AAA": "ten", "BBB": -3, "CCC": 0, "DDD": True, "EEE": None, "x'\x1b": 4, "FFF": 1e300}
    sound = {f"G{number:02}": number + 1 for number in range(9)}
    reading = PriceReading("official_rates", "x", NOON)
    official_rates.take(reading, rates(rates={"USD": 1, **odd, **sound}))
    assert [row["fiat_code"] for row in reading.rows] == ["USD", *sound]
    assert reading.left_out == [
        "AAA: not_a_number", "BBB: not_positive", "CCC: not_positive", "DDD: not_a_number",
        "EEE: not_a_number", "x'\\x1b: no_code", "FFF: out_of_range",
    ]  # fmt: skip


def test_a_price_that_is_none_is_left_out_by_name() -> None:
    wanted = spot_prices.symbols_of(["BTC", "ETH", "SOL", "BNB", "USDT"])
    reading = PriceReading("spot_prices", "x", NOON)
    answers = [
        ticker("BTCUSDT"),
        ticker("BTCUSDT", "1", "2"),
        ticker("ETHUSDT", "0.00000000"),
        ticker("SOLUSDT", "2", "1"),
        ticker("USDCUSDT", "1e5"),
        ticker("EVILUSDT"),
        "text",
    ]
    spot_prices.take(reading, answers, wanted)
    assert [row["symbol"] for row in reading.rows] == ["BTCUSDT"]
    assert reading.left_out == [
        "BTCUSDT: not_asked", "ETHUSDT: not_positive", "SOLUSDT: crossed",
        "USDCUSDT: not_a_number", "EVILUSDT: not_asked", "None: not_asked", "BNBUSDT: missing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "is_due"),
    [
        (timedelta(hours=11), False),
        (timedelta(hours=12), True),
        (timedelta(hours=-2), True),  # the clock went back
    ],
)
def test_what_landed_is_current_until_the_source_says_it_renews(
    now: timedelta, is_due: bool
) -> None:
    landed = Landed(MIDNIGHT, NOON + timedelta(hours=12), NOON)
    assert landed.is_due(NOON + now) is is_due


def test_the_simulated_hosts_are_understood(asking: Loader) -> None:
    market = Market(5, fiats=["VES", "KES"], assets=["USDT", "BTC"], start=NOON, offers=60)
    with Exchange(market) as served:
        urls = dict.fromkeys(("api_url", "rates_url", "spot_url"), served.url)
        report = asking.run(settings=urls)
        assert served.requests["spot"] == 1
    assert report.beside == {"official_rates": "landed", "spot_prices": "landed"}
    assert asking.rows("select sum(left_out) from staging.price_readings") == [0]


def write(path: Path, *lines: str) -> Path:
    file = path / "own.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


HEADER = "date,fiat_code,rate_kind,rate,bid,ask,source"
GOOD = "2026-11-19,ves,central_bank,243.1,242.9,243.3,BCV"


def test_ones_own_rates_land_once_and_again_when_they_are_corrected(
    loader: Loader, tmp_path: Path
) -> None:
    def bring(*lines: str) -> tuple[int, int]:
        file = write(tmp_path, *lines)
        done = import_rates(loader.settings, loader.warehouse, file, "run", lambda: next(times))
        return done.rows, done.news

    times = iter(NOON + timedelta(minutes=number) for number in range(9))
    assert bring("\ufeff" + HEADER, GOOD, "2026-11-20,ARS,own,1450,,,", "") == (2, 2)
    assert bring(HEADER, GOOD) == (1, 0)
    assert bring(HEADER, GOOD.replace("243.1", "243.0")) == (1, 1)
    assert bring(HEADER, GOOD) == (1, 1), "back to what was said first"
    assert loader.rows(
        "select published_at, fiat_code, rate_kind, rate, bid, ask, source"
        " from staging.official_rates order by read_at, fiat_code"
    )[:2] == [
        (datetime(2026, 11, 20, tzinfo=UTC), "ARS", "own", "1450", None, None, "own.csv"),
        (
            datetime(2026, 11, 19, tzinfo=UTC), "VES", "central_bank", "243.1", "242.9", "243.3",
            "BCV",
        ),
    ]  # fmt: skip
    assert loader.rows("select count(*) from staging.price_readings") == [3]

    with loader.warehouse.connect(autocommit=True) as connection:
        connection.execute(
            "insert into staging.fiats (fiat_code, _dlt_load_id) values ('VES', 'one')"
        )
    file = write(tmp_path, HEADER, GOOD, "2026-11-20,VEZ,own,1450,,,")
    done = import_rates(loader.settings, loader.warehouse, file, "run", lambda: next(times))
    assert (done.news, done.unlisted) == (1, ("VEZ",)), "kept, and said to be of no listed fiat"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.replace("243.1", "abc"), "line 3: rate 'abc' is no number above 0"),
        (lambda line: line.replace("243.1", "-1"), "line 3: rate '-1' is no number above 0"),
        (lambda line: line.replace("243.1", "1,5"), "line 3: 8 cells where the header has 7"),
        (lambda line: line.replace("242.9", "250"), "line 3: bid 250 is above ask 243.3"),
        (lambda line: line.replace("2026-11-19", "19.11.2026"), "line 3: date '19.11.2026' is no"),
        (lambda line: line.replace("2026-11-19", "2026-11-21"), "line 3: date 2026-11-21 is not"),
        (lambda line: line.replace("ves", "V/S"), "line 3: fiat_code 'V/S' is no code"),
        (lambda line: line.replace("central_bank", "Bank"), "line 3: rate_kind 'Bank' is no word"),
        (lambda line: line.replace("BCV", "a\x1b[2J"), "line 3: source is not 100 printable"),
        (lambda line: line.replace("ves", "VES").replace("19", "18"), "line 3: repeats line 2"),
    ],
)
def test_a_wrong_line_is_named_in_one_line_and_nothing_is_imported(
    tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    file = write(tmp_path, HEADER, GOOD.replace("19", "18"), change(GOOD))
    with pytest.raises(UserError) as refused:
        own_rates.read_rates(file, NOON.date())
    (line,) = str(refused.value).splitlines()
    assert said in line
    assert line.endswith("nothing was imported.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"day,fiat_code,rate_kind,rate\n", "line 1: the header must name date,fiat_code"),
        (b"date;fiat_code;rate_kind;rate\n2026-11-19;VES;own;1,5\n", "apart by commas, and deci"),
        (b"date\tfiat_code\trate_kind\trate\n", "line 1: there is no comma in the header"),
        (b"date,fiat_code,rate_kind,rate,rate\n", "line 1: the header must name"),
        (b"", "line 1: the header must name"),
        (HEADER.encode(), "there is no rate in it"),
        (HEADER.encode() + b"\n\xff\xfe", r"is no CSV in UTF-8 \(.*\): save it as one"),
        (HEADER.encode() + b'\n"2026', r"is no CSV in UTF-8 \(.*\): save it as one"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "own.csv"
    file.write_bytes(content)
    with pytest.raises(UserError, match=said):
        own_rates.read_rates(file, NOON.date())
    with pytest.raises(UserError, match="cannot be read"):
        own_rates.read_rates(tmp_path / "none.csv", NOON.date())
