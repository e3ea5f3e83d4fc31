"""Two other hosts, served beside the exchange: official daily rates, and spot prices.

In the shapes of `open.er-api.com/v6/latest/USD` and `data-api.binance.vision`'s book ticker. A
dollar costs on the simulated market what its official rate says, times the premium of that fiat.
"""

from __future__ import annotations

import json
from datetime import timedelta
from math import exp
from urllib.parse import parse_qs

from simulator.answers import Response, to_json
from simulator.chance import share
from simulator.rates import ASSET_USD, FIAT_PER_USD, PARALLEL_PREMIUM
from simulator.source import Source

RATES = "/v6/latest/USD"
SPOT = "/api/v3/ticker/bookTicker"
OUTSIDE = {RATES: "rates", SPOT: "spot"}

# As on the real host, a currency that is new is missing for a while.
_NOT_QUOTED = frozenset({"ZWG"})
_RENEWED_SECONDS_AFTER_MIDNIGHT = 151
_DAY = 86_400
_DAILY_NOISE, _PREMIUM_NOISE, _HALF_SPREAD = 0.002, 0.05, 0.00005


def premium(source: Source, fiat: str) -> float:
    """How much more a dollar costs on the market than officially, as a fraction."""
    usual = PARALLEL_PREMIUM.get(fiat, 0.0)
    return usual * (1 + _PREMIUM_NOISE * (2 * share(source.seed, "premium", fiat) - 1))


def official_rate(source: Source, fiat: str, day: int) -> float:
    """Units of the fiat for one dollar as published on a day (counted from 1970)."""
    noise = _DAILY_NOISE * (2 * share(source.seed, "official", fiat, day) - 1)
    rate = FIAT_PER_USD[fiat] / (1 + premium(source, fiat)) * (1 + noise)
    return 1.0 if fiat == "USD" else float(f"{rate:.6g}")


def rates(source: Source) -> Response:
    """Today's rates; they are renewed once a day, soon after midnight UTC."""
    renewed = source.now - timedelta(seconds=_RENEWED_SECONDS_AFTER_MIDNIGHT)
    day = int(renewed.timestamp()) // _DAY
    last = day * _DAY + _RENEWED_SECONDS_AFTER_MIDNIGHT
    listed = sorted(set(FIAT_PER_USD) - _NOT_QUOTED - {"USD"})
    return Response(
        200,
        to_json(
            {
                "result": "success",
                "time_last_update_unix": last,
                "time_next_update_unix": last + _DAY,
                "base_code": "USD",
                "rates": {fiat: official_rate(source, fiat, day) for fiat in ["USD", *listed]},
            }
        ),
    )


def spot(source: Source, query: str) -> Response:
    """Best bid and ask of the symbols asked for, `symbols=["BTCUSDT"]`; of all by default."""
    known = {f"{asset}USDT": asset for asset in ASSET_USD if asset != "USDT"}
    try:
        wanted = json.loads(parse_qs(query).get("symbols", ["null"])[0])
    except ValueError:
        wanted = ""
    if wanted is None:
        wanted = list(known)
    if not isinstance(wanted, list):
        return _refused(-1100, "Illegal characters found in parameter 'symbols'.")
    if not all(symbol in known for symbol in wanted):
        return _refused(-1121, "Invalid symbol.")
    return Response(200, to_json([_ticker(source, symbol, known[symbol]) for symbol in wanted]))


def answer(endpoint: str, query: str, source: Source) -> Response:
    """The answer of one of the two hosts."""
    return rates(source) if endpoint == "rates" else spot(source, query)


def _ticker(source: Source, symbol: str, asset: str) -> dict[str, str]:
    middle = ASSET_USD[asset] * exp(source.drift(asset))
    quantity = 20_000 / middle
    return {
        "symbol": symbol,
        "bidPrice": f"{middle * (1 - _HALF_SPREAD):.10f}",
        "bidQty": f"{quantity:.8f}",
        "askPrice": f"{middle * (1 + _HALF_SPREAD):.10f}",
        "askQty": f"{quantity:.8f}",
    }


def _refused(code: int, message: str) -> Response:
    return Response(400, to_json({"code": code, "msg": message}))
