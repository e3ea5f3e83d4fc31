"""Payment methods: what each fiat lists, from 4 identifiers to 333.

A few are known everywhere, the rest are made up per country. The quirks of the real lists are
kept: identifiers that were renamed (`...New`), two identifiers that share a name, names missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from simulator.chance import seeded
from simulator.shapes import METHOD_KEYS
from simulator.universe import FIATS

# Identifier and name; met in many countries.
_WORLDWIDE = (
    ("BANK", "Bank Transfer"),
    ("SpecificBank", "Transfers with specific bank"),
    ("CashDeposit", "Cash Deposit to Bank"),
    ("Wise", "Wise"),
    ("Mobiletopup", "Mobile top-up"),
    ("CashInPerson", "Cash in Person"),
    ("WesternUnion", "Western Union"),
    ("SkrillMoneybookers", "Skrill (Moneybookers)"),
    ("AirTM", "AirTM"),
    ("Payeer", "Payeer"),
)
_FIRST = (
    "Banco", "Nova", "Union", "Popular", "Central", "Mercantil", "First", "Royal", "Credit",
    "Express", "Rapid", "Digital", "Andina", "Costa", "Delta", "Kapital", "Metro", "Norte",
    "Ocean", "Prime", "Sol", "Trust", "Urban", "Vista",
)  # fmt: skip
_SECOND = (
    "Bank", "Pay", "Cash", "Money", "Wallet", "Movil", "Credito", "Exchange", "Savings",
    "Post", "Telecom", "Agro", "Card", "Link", "Plus", "Direct",
)  # fmt: skip
_COLOURS = ("#F0B90B", "#00C6FF", "#26B460", "#E7142A", "#004A2C", "#80BF00", "#FF7B00", "#03A9D7")
# How many a fiat lists where that is known; the others get a number by rank.
_COUNTS = {"USD": 333, "ARS": 36, "UAH": 52, "UZS": 46, "AED": 42, "TRY": 33, "BOB": 11, "LKR": 7}


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay: `identifier` is the key, the names are for people and may be missing."""

    identifier: str
    name: str | None
    short_name: str | None
    colour: str

    def payload(self, names_pay_type: bool = True) -> dict[str, str | None]:
        """The object that stands for it in an offer and in filter-conditions."""
        values: dict[str, str | None] = dict.fromkeys(METHOD_KEYS)
        values["payMethodId"] = ""
        values["payType"] = self.identifier if names_pay_type else None
        values["identifier"] = self.identifier
        values["tradeMethodName"] = self.name
        values["tradeMethodShortName"] = self.short_name
        values["tradeMethodBgColor"] = self.colour
        return values

    def nameless(self) -> Method:
        """The same method as 0.73% of offers list it a second time: without its names."""
        return Method(self.identifier, None, None, self.colour)


@lru_cache(maxsize=256)
def methods_of(fiat: str) -> tuple[Method, ...]:
    """The methods of a fiat, the most used first; facts of the world, not of a seed."""
    rng = seeded("methods", fiat)
    country = FIATS[fiat].country if fiat in FIATS else fiat
    rank = FIATS[fiat].rank if fiat in FIATS else 100.0
    count = _COUNTS.get(fiat) or max(4, int(60 / rank**0.5 * rng.uniform(0.7, 1.3)))
    named = {"BANK": "Bank Transfer"}
    for identifier, name in _WORLDWIDE[1:]:
        if len(named) < count // 3 and rng.random() < 0.7:
            named[identifier] = name
    while len(named) < count:
        first, second = rng.choice(_FIRST), rng.choice(_SECOND)
        plain = f"{first}{second}{country}" if rng.random() < 0.5 else f"{first}{second}"
        name = f"{first} {second}"
        if plain in named:
            # Renamed over the years; old and new may be listed side by side, under one name.
            plain = f"{plain}New" if f"{plain}New" not in named else f"{plain}{len(named)}"
        named[plain] = name
    if count >= 6:
        # Two identifiers, one name: what a join on names would multiply.
        *_, older, newest = named
        named[newest] = named[older]
    methods = []
    for identifier, name in named.items():
        short = name if rng.random() < 0.6 else None
        is_shared = identifier == "BANK" or list(named.values()).count(name) > 1
        known = name if is_shared or rng.random() > 0.02 else None
        methods.append(Method(identifier, known, short if known else None, rng.choice(_COLOURS)))
    head, rest = methods[:1], methods[1:]
    rng.shuffle(rest)
    return tuple(head + rest)


@lru_cache(maxsize=16384)
def method_json(method: Method, names_pay_type: bool) -> str:
    """The method as it stands in an offer, minified."""
    return json.dumps(method.payload(names_pay_type), ensure_ascii=False, separators=(",", ":"))
