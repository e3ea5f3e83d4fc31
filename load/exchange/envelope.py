"""From the bytes of an answer to what they say, exactly; or a reason why they say nothing.

What gets through here can be opened by PostgreSQL as `json` and as `jsonb`, and says there what it
says here: no NUL and no lone surrogate (see `load.text`), no number out of range, no whole number
rounded, no nesting without end.
"""

import json
import re
from typing import Any

import orjson

from load.text import clean

# A number that orjson rounds or that `jsonb` may refuse: a long one, or one with an exponent. In
# a text it is found for nothing, which costs a second look. Looked for where all digits are one,
# all signs before a value are one, and nothing stands between them: 0.16 ms a page, and half of
# what it takes in the page as it is, where few of the signs have a number behind them.
_ALIKE = bytes.maketrans(b"123456789.,[E", b"0000000000::e")
_BETWEEN = b" \t\r\n-"
_ODD_NUMBER = re.compile(rb":0+(?:(?<=0{19})|e)")
_LONGEST_NUMBER = 1_000  # digits; `jsonb` holds 16,383 behind the point
_WHOLE = range(-(2**63), 2**64)


class Unreadable(Exception):
    """The answer says nothing; `reason` is `not_json`, `too_deep` or `number_out_of_range`."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


def parse(raw: bytes) -> tuple[Any, bytes, int]:
    """What `raw` says, the bytes that may land, and how many characters were cleaned.

    Whole numbers beyond 64 bits come as their digits: as a float, two ad numbers would be one.

    Raises:
        Unreadable: no JSON (NaN and Infinity are none), nested beyond 1,024, or with a number that
            no double holds, too large or too small.
    """
    landed, cleaned = clean(raw)
    try:
        document = orjson.loads(landed)
    except orjson.JSONDecodeError as error:
        said = str(error)
        if "depth" in said:
            raise Unreadable("too_deep") from error
        raise Unreadable(
            "number_out_of_range" if "number is infinity" in said else "not_json"
        ) from error
    if _ODD_NUMBER.search(landed.translate(_ALIKE, _BETWEEN)):
        try:
            document = json.loads(landed, parse_int=_whole, parse_float=_fraction)
        except RecursionError as error:
            raise Unreadable("too_deep") from error
    return document, landed, cleaned


def _whole(digits: str) -> int | str:
    if len(digits) > _LONGEST_NUMBER:
        raise Unreadable("number_out_of_range")
    number = int(digits)
    return number if number in _WHOLE else digits


def _fraction(digits: str) -> float:
    number = float(digits)
    mantissa = re.split("[eE]", digits, maxsplit=1)[0]
    if len(digits) > _LONGEST_NUMBER or (not number and mantissa.strip("-0.")):
        raise Unreadable("number_out_of_range")
    return number
