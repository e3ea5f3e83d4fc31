"""The discovery endpoints' `data`, put together from codes: shared by market and recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.universe import FIATS

PERIODS = (30, 15, 60, 360, 180, 45, 120)


def fiat_entry(code: str, symbol: str | None = None, scale: int | None = None) -> dict[str, Any]:
    """One entry of fiat-list; what is not given is taken from the universe, or null."""
    fiat = FIATS.get(code)
    return {
        "currencyCode": code,
        "currencySymbol": symbol if symbol is not None else fiat.symbol if fiat else None,
        "currencyScale": scale if scale is not None else fiat.scale if fiat else 2,
        "countryCode": fiat.country if fiat else None,
        "iconUrl": None,
        "description": None,
    }


def portal_data(sides: Mapping[str, Sequence[str]], identifiers: Iterable[str]) -> dict[str, Any]:
    """`data` of portal/config: the assets of each taker's side in area P2P.

    Another area stands first with assets of its own, as on the real exchange: whoever takes the
    first area, or all of them, plans books that do not exist.
    """
    methods = [{"identifier": identifier} for identifier in identifiers]

    def area(name: str, assets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        return {
            "area": name,
            "tradeSides": [
                {
                    "side": side,
                    "assets": [{"asset": asset} for asset in listed],
                    "tradeMethods": methods,
                }
                for side, listed in assets.items()
            ],
        }

    block = {"BUY": ["USDT", "EURI"], "SELL": ["USDT"]}
    return {"areas": [area("BLOCK", block), area("P2P", sides)]}


def conditions_data(methods: Sequence[Mapping[str, Any]], country: str | None) -> dict[str, Any]:
    """`data` of filter-conditions: methods as they stand in offers, countries and periods."""
    return {
        "tradeMethods": list(methods),
        "countries": [{"scode": country, "name": country}] if country else [],
        "periods": list(PERIODS),
        "preferredCountry": country,
    }
