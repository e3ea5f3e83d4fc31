"""Closed walks of trades, found by networkx: every simple cycle of at most four legs is tried.

The legs are those of `executable_prices`, which has an oracle of its own; fees are read from the
seeds. What a walk gives is multiplied in floats, the signs of its logarithms told by Bellman-Ford.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log, prod
from typing import Any

import networkx as nx  # type: ignore[import-untyped]  # it has no types of its own

from warehouse.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
SPOT_FEE = 0.001
Walk = tuple[str, ...]
"""The currencies of a walk, in order."""


@dataclass(frozen=True)
class Leg:
    """One trade that fills a ticket: `rate` after fees, and `moved` less the transfer as well."""

    given: str
    got: str
    kind: str
    rate: float
    moved: float | None = None


def transfer_fees() -> dict[str, float]:
    """The cheapest network of each coin in the seed."""
    cheapest: dict[str, float] = {}
    with (SEEDS / "transfer_fees.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            fee = float(row["fee_quantity"])
            cheapest[row["asset_code"]] = min(fee, cheapest.get(row["asset_code"], fee))
    return cheapest


def p2p_legs(
    prices: Iterable[Mapping[str, Any]], transfers: Mapping[str, float]
) -> dict[float, list[Leg]]:
    """The legs of each ticket from rows of `executable_prices`; takers pay nothing."""
    legs: dict[float, list[Leg]] = {}
    for row in prices:
        whole = row["fill_ratio"] == 1
        price = row["sweep_price"] if whole else row["single_order_price_eligible"]
        if price is None:
            continue
        fiat, asset = row["fiat_code"], row["asset_code"]
        if row["side"] == "SELL":
            leg = Leg(asset, fiat, "sell", float(price))
        else:
            quantity = float(row["ticket_amount"] / price)
            fee = transfers.get(asset)
            moved = None if fee is None or fee >= quantity else (1 - fee / quantity) / float(price)
            leg = Leg(fiat, asset, "buy", 1 / float(price), moved)
        legs.setdefault(float(row["ticket_usd"]), []).append(leg)
    return legs


def spot_legs(prices: Mapping[str, tuple[str, str]]) -> list[Leg]:
    """A trade between any two coins, over USDT: a fee for each coin that is not that."""
    coins = {"USDT": (1.0, 1.0, 1.0)} | {
        coin: (float(bid), float(ask), 1 - SPOT_FEE) for coin, (bid, ask) in prices.items()
    }
    return [
        Leg(given, got, "spot", bid / ask * kept * also_kept)
        for given, (bid, _, kept) in coins.items()
        for got, (_, ask, also_kept) in coins.items()
        if given != got
    ]


def official_legs(rates: Mapping[str, float]) -> list[Leg]:
    """Money for money at the rates of a day, which are units of the fiat for a dollar."""
    return [
        Leg(given, got, "official", rates[got] / rates[given])
        for given in rates
        for got in rates
        if given != got
    ]


SHAPES = {
    ("buy", "sell"): "one_book",
    ("buy", "sell", "spot"): "spot",
    ("buy", "buy", "sell", "sell"): "two_fiats",
    ("buy", "official", "sell"): "official",
}


def graph(legs: Iterable[Leg]) -> Any:
    """The currencies, with the legs between them."""
    made = nx.DiGraph()
    for leg in legs:
        made.add_edge(leg.given, leg.got, leg=leg)
    return made


def products(legs: Iterable[Leg]) -> Iterator[tuple[str, Walk, float]]:
    """Shape, currencies and product of every closed walk of a shape that is asked for."""
    network = graph(legs)
    for walk in nx.simple_cycles(network, length_bound=4):
        steps = [
            network.edges[pair]["leg"] for pair in zip(walk, [*walk[1:], walk[0]], strict=True)
        ]
        shape = SHAPES.get(tuple(sorted(step.kind for step in steps)))
        if shape is None:
            continue
        moves = shape in ("two_fiats", "official")
        rates = [step.moved if moves and step.kind == "buy" else step.rate for step in steps]
        if None not in rates:
            yield shape, tuple(walk), prod(rate for rate in rates if rate is not None)


def best(legs: Iterable[Leg]) -> dict[str, float]:
    """The best product of each shape."""
    found: dict[str, float] = {}
    for shape, _, product in products(legs):
        found[shape] = max(product, found.get(shape, 0.0))
    return found


def has_negative_cycle(legs: Iterable[Leg]) -> bool:
    """Whether the logarithms of some closed walk's rates add up to more than nothing."""
    network = graph(legs)
    for _, _, attributes in network.edges(data=True):
        attributes["weight"] = -log(attributes["leg"].rate)
    return bool(nx.negative_edge_cycle(network))


def in_time(rows: Iterable[Mapping[str, Any]], as_of: datetime) -> Iterator[Mapping[str, Any]]:
    """Of rows of `executable_prices` those of each book's last snapshot as of a time."""
    last: dict[tuple[str, str, str], datetime] = {}
    kept = [row for row in rows if row["snapshot_at"] <= as_of]
    for row in kept:
        book = row["fiat_code"], row["asset_code"], row["side"]
        last[book] = max(row["snapshot_at"], last.get(book, row["snapshot_at"]))
    for row in kept:
        if row["snapshot_at"] == last[row["fiat_code"], row["asset_code"], row["side"]]:
            yield row
