"""Spot prices of the assets in dollar coins: best bid and ask, for pegs and for legs.

Each asset against USDT, and USDC against USDT too: the dollar is measured by USDC. Reasons of a
refusal: `wrong_shape`, `http_400`, `no_prices`; of one entry: `not_asked`, `missing`, `crossed` and
those of `load.rates.numbers`.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from load.exchange.client import Refused
from load.rates.beside import Host, Job, PriceReading
from load.rates.numbers import SOUND, positive
from load.text import printable

KIND = "spot_prices"
PATH = "/api/v3/ticker/bookTicker"
QUOTE = "USDT"
DOLLAR = "USDC"
_INVALID_SYMBOL = -1121
_MOST_REQUESTS = 16
_SECONDS_BETWEEN = 0.2
_FIELDS = {
    "bid": "bidPrice",
    "bid_quantity": "bidQty",
    "ask": "askPrice",
    "ask_quantity": "askQty",
}


def symbols_of(assets: Iterable[str]) -> dict[str, str]:
    """By symbol the asset, for what these assets are worth in dollars."""
    return {f"{asset}{QUOTE}": asset for asset in sorted({*assets, DOLLAR} - {QUOTE})}


def job(assets: Iterable[str]) -> Job:
    """Fills a reading with the prices of these assets, as far as they are traded there."""
    wanted = symbols_of(assets)

    def fill(reading: PriceReading, host: Host) -> None:
        take(reading, _answers(host, list(wanted)), wanted)

    return fill


def _answers(host: Host, symbols: Sequence[str]) -> list[Any]:
    """One request, if the host knows every symbol; it refuses all for one that it does not.

    Then they are asked in halves, politely, down to the unknown one.
    """
    answers: list[Any] = []
    waiting = [symbols]
    requests = 0
    while waiting and requests < _MOST_REQUESTS:
        some = waiting.pop(0)
        if requests:
            time.sleep(_SECONDS_BETWEEN)
        requests += 1
        status, document = host.get_json(PATH, {"symbols": orjson.dumps(some).decode()})
        if status == 200:
            if not isinstance(document, list):
                raise Refused("wrong_shape")
            answers += document
        elif not isinstance(document, dict) or document.get("code") != _INVALID_SYMBOL:
            raise Refused(f"http_{status}")
        elif len(some) > 1:
            middle = len(some) // 2
            waiting += [some[:middle], some[middle:]]
    return answers


def take(reading: PriceReading, document: Sequence[Any], wanted: Mapping[str, str]) -> None:
    """Put what can be trusted of the answers into a reading.

    Raises:
        Refused: nothing can.
    """
    missing = dict(wanted)
    for entry in document:
        symbol = entry.get("symbol") if isinstance(entry, dict) else None
        asset = missing.pop(symbol, None) if isinstance(symbol, str) else None
        if asset is None:
            reading.left_out.append(f"{printable(symbol, 20)}: not_asked")
            continue
        found = {column: positive(entry.get(name)) for column, name in _FIELDS.items()}
        wrong = next((reason for _, reason in found.values() if reason != SOUND), SOUND)
        row = {column: number for column, (number, _) in found.items()}
        if wrong == SOUND and Decimal(row["bid"]) > Decimal(row["ask"]):
            wrong = "crossed"
        if wrong != SOUND:
            reading.left_out.append(f"{symbol}: {wrong}")
            continue
        reading.rows.append({"symbol": symbol, "base_asset": asset, "quote_asset": QUOTE, **row})
    reading.left_out += [f"{symbol}: missing" for symbol in missing]
    if not reading.rows:
        raise Refused("no_prices")
