"""Pages that somebody means ill with, or nobody thought of: hypothesis makes them up."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.landing import item

Json = dict[str, Any]

TEXTS = [
    "a\0b",
    "\ud83d",
    "\ude00\ud83d",
    "x" * 10_000,
    "9" * 10_000,
    "'; drop table marts.fact_offers; --",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "\u202egnp.exe\u2066\u200f\u061c",
    "a\r\nb\u2028c\u0085d",
    "[red]markup[/red]",
    "{{ 7 * 7 }} %s %(a)s $1 \\",
    "NaN",
    "-Infinity",
    "1e400",
    "1e9",
    "0x10",
    "٤٠",
    "1" * 31,
    "999999999999999999999999999999.999999999999999999",
    "-0.000000000000000001",
    "0",
    "-5",
    "",
    "null",
]
# As they stand in the JSON: what no encoder writes.
RAW = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1e-99999",
    "1E+9",
    "0." + "0" * 20_000 + "1",
    "1." + "0" * 20_000,
    "1" * 5_000,
    "18446744073709551616",
    "-9223372036854775809",
    "12991234567890123456789",
    "[" * 1_000 + "]" * 1_000,
    "[" * 100 + "]" * 100,
    '{"a":' * 1_000 + "1" + "}" * 1_000,
    '{"price":"1","price":{"price":[]},"price":"2"}',
    '"\\ud800\\u0000\\udc00"',
    "tru",
]
_RAW = re.compile(r'"@(\d+)@"')

texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=40))
values = st.one_of(
    texts,
    st.sampled_from(RAW).map(lambda raw: f"@{RAW.index(raw)}@"),
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.lists(st.one_of(texts, st.integers(), st.none()), max_size=3),
    st.dictionaries(texts, texts, max_size=3),
)
SOUND = item("12990000000000000001")
PLACES = [
    *((place, key) for place in ("adv", "advertiser") for key in SOUND[place]),
    *(("", key) for key in SOUND),
    *(("method", key) for key in ("identifier", "tradeMethodName", "tradeMethodShortName")),
    *((place, "newKey") for place in ("adv", "advertiser", "", "method")),
]
NAMES = [("advertiser", "nickName"), ("method", "identifier"), ("method", "tradeMethodName")]
spoils = st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3)
"""What is wrong with an offer."""
wholes = st.sampled_from([""] * 12 + ["total", "data", "code", "deep", "twice", "twice"])
"""What is wrong with the page around it, if anything."""


def dumped(document: Any) -> bytes:
    """`document` as JSON, with what no encoder writes put in where its sign stands."""
    text = json.dumps(document, ensure_ascii=True)
    return _RAW.sub(lambda found: RAW[int(found[1])], text).encode()


def spoil(offer: Json, wrong: list[tuple[tuple[str, str], Any]]) -> Json:
    """The offer with some of its fields as somebody would have them."""
    for (place, key), value in wrong:
        part = offer.get(place) if place in ("adv", "advertiser") else offer
        if place == "method":
            methods = offer["adv"].get("tradeMethods") if isinstance(offer["adv"], dict) else None
            part = methods[0] if isinstance(methods, list) and methods else None
        if isinstance(part, dict):
            part[key] = value
    return offer


def page(offers: list[Json], whole: str = "", value: Any = None) -> bytes:
    """A page of these offers; `whole` is what is not as it should be around them."""
    document: Json = {"code": "000000", "message": None, "data": offers, "total": len(offers)}
    if whole not in ("", "twice"):
        document[whole] = value
    text = dumped(document)
    if whole == "twice":  # the last one counts, for us and for PostgreSQL
        text = text.replace(b'"data":', b'"data": 7, "data":')
        text = text.replace(b'"adv":', b'"adv": [], "adv":')
    return text


def pages_nobody_wrote(books: dict[str, list[Json]]) -> dict[str, bytes]:
    """For each book a page of its offers, with the first of them spoilt, and some otherwise too.

    Each of `RAW` and of `TEXTS` is on one of them.
    """
    made: dict[str, bytes] = {}
    left = iter(books.items())
    for number, (name, (first, *rest)) in zip(range(len(RAW)), left, strict=False):
        made[name] = page([spoil(first, [(("adv", "remarks"), f"@{number}@")]), *rest])
    for text, (name, (first, *rest)) in zip(TEXTS, left, strict=False):
        made[name] = page([spoil(first, [(place, text) for place in NAMES]), *rest])

    @settings(max_examples=len(books) - len(made), deadline=None, database=None)
    @given(spoils, wholes, values)
    def gather(wrong: list[tuple[tuple[str, str], Any]], whole: str, value: Any) -> None:
        for name, (first, *rest) in islice(left, 1):
            made[name] = page([spoil(first, wrong), *rest], whole, value)

    gather()
    return made
