"""What the exchange lists: fiats, the pairs of each, its payment methods. Read once a day."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from load.exchange.calls import Answer, CallFailed, Exchange, Unreachable
from load.land.state import SIDES, CatalogueState, to_microseconds
from load.text import is_code

MAX_AGE = timedelta(hours=24)
_MAX_AGE_US = MAX_AGE // timedelta(microseconds=1)
_LARGEST_SCALE = 100


@dataclass
class CatalogueReading:
    """One row of `staging.catalogue_readings` and the rows that it brings."""

    kind: str
    fiat: str | None
    read_at: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0
    """Entries whose code is none: they are left out, and counted in the report."""
    reason: str | None = None

    @property
    def reading_id(self) -> str:
        """Readable and unique."""
        parts = [self.kind, self.fiat, f"{self.read_at:%Y%m%dT%H%M%S.%fZ}"]
        return "-".join(part for part in parts if part)

    def refuse(self, reason: str) -> None:
        """Keep the row and let the entries go: they cannot land."""
        self.rows, self.reason = [], reason


def is_stale(read_us: int, now: datetime) -> bool:
    """Whether what was read then has to be read again; a clock that went back makes it so too."""
    return not 0 <= to_microseconds(now) - read_us < _MAX_AGE_US


def outdate(known: CatalogueState) -> None:
    """Have all of it read again; what is known stays until then."""
    known.fiats_us = 0
    known.pairs = {fiat: (0, sides) for fiat, (_, sides) in known.pairs.items()}
    known.methods = dict.fromkeys(known.methods, 0)


def read_fiats(
    exchange: Exchange, clock: Callable[[], datetime], stop: threading.Event
) -> CatalogueReading:
    """The fiats that the exchange lists."""
    reading = CatalogueReading("fiats", None, clock())
    answer = _answer(reading, lambda: exchange.fiats(stop))
    for entry in answer.data if answer else ():
        code = entry.get("currencyCode")
        if not is_code(code):
            reading.dropped += 1
            continue
        scale = entry.get("currencyScale")
        reading.rows.append(
            {
                "fiat_code": code,
                "symbol": _text(entry.get("currencySymbol")),
                "scale": scale if type(scale) is int and 0 <= scale <= _LARGEST_SCALE else None,
                "country_code": _text(entry.get("countryCode")),
            }
        )
    return reading


def read_fiat(
    exchange: Exchange,
    fiat: str,
    known: CatalogueState,
    clock: Callable[[], datetime],
    stop: threading.Event,
) -> list[CatalogueReading]:
    """The pairs and the payment methods of one fiat, each where it is stale."""
    readings = []
    if is_stale(known.pairs.get(fiat, (0, {}))[0], clock()):
        reading = CatalogueReading("trading_pairs", fiat, clock())
        answer = _answer(reading, lambda: exchange.config(fiat, stop))
        if answer:
            _take_pairs(reading, answer.data)
        readings.append(reading)
    if is_stale(known.methods.get(fiat, 0), clock()):
        reading = CatalogueReading("payment_methods", fiat, clock())
        answer = _answer(reading, lambda: exchange.conditions(fiat, stop))
        if answer:
            _take_methods(reading, answer.data)
        readings.append(reading)
    return readings


def wanted_fiats(
    listed: Sequence[str], known: CatalogueState, limit: Sequence[str], now: datetime
) -> tuple[list[str], list[str]]:
    """The listed fiats within the limit, and those of them that have to be read now."""
    wanted = [fiat for fiat in listed if not limit or fiat in limit]
    stale = [
        fiat
        for fiat in wanted
        if is_stale(known.pairs.get(fiat, (0, {}))[0], now)
        or is_stale(known.methods.get(fiat, 0), now)
    ]
    return wanted, stale


def remember(known: CatalogueState, reading: CatalogueReading) -> None:
    """Take over what was read whole; what failed leaves the last known in place."""
    if reading.reason is not None:
        return
    read_us = to_microseconds(reading.read_at)
    if reading.kind == "fiats":
        if reading.rows:
            known.fiats_us = read_us
            known.fiats = list(dict.fromkeys(row["fiat_code"] for row in reading.rows))
    elif reading.kind == "trading_pairs" and reading.fiat:
        sides: dict[str, list[str]] = {}
        for row in reading.rows:
            sides.setdefault(row["side"], []).append(row["asset_code"])
        known.pairs[reading.fiat] = (read_us, sides)
    elif reading.fiat:
        known.methods[reading.fiat] = read_us


def _answer(reading: CatalogueReading, ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except Unreachable:
        raise
    except CallFailed as failure:
        reading.reason = failure.reason
        return None


def _take_pairs(reading: CatalogueReading, data: Mapping[str, Any]) -> None:
    seen = set()
    for area in data["areas"]:
        if area.get("area") != "P2P":
            continue
        for trade_side in _objects(area.get("tradeSides")):
            side = trade_side.get("side")
            for asset in _objects(trade_side.get("assets")):
                code = asset.get("asset")
                if side not in SIDES or not is_code(code):
                    reading.dropped += 1
                elif (side, code) not in seen:
                    seen.add((side, code))
                    reading.rows.append(
                        {"fiat_code": reading.fiat, "asset_code": code, "side": side}
                    )


def _take_methods(reading: CatalogueReading, data: Mapping[str, Any]) -> None:
    for method in data["tradeMethods"]:
        identifier = _text(method.get("identifier")) or _text(method.get("payType"))
        if not identifier:
            reading.dropped += 1
            continue
        reading.rows.append(
            {
                "fiat_code": reading.fiat,
                "identifier": identifier,
                "name": _text(method.get("tradeMethodName")),
                "short_name": _text(method.get("tradeMethodShortName")),
            }
        )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
