"""Numbers of strangers, as exact decimal text or not at all."""

import re
from decimal import Decimal
from typing import Any

_DECIMAL = re.compile(r"[0-9]{1,13}(?:[.][0-9]{1,18})?")
_SMALLEST, _LARGEST = Decimal("1e-12"), Decimal("1e12")
SOUND = ""


def positive(value: Any) -> tuple[str, str]:
    """`value` as a plain decimal above 0, and what is wrong with it: `SOUND`, or a reason.

    Takes JSON's numbers and decimals as text. Reasons: `not_a_number`, `not_positive`,
    `out_of_range` (below 1e-12 or above 1e12, where no price is).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return "", "not_a_number"
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value.removeprefix("-")) or not value.isascii():
            return "", "not_a_number"
        number = Decimal(value)
    else:
        # The shortest text that means this float is what stood in the JSON, for all sane lengths.
        number = Decimal(repr(value))
    if not number.is_finite():
        return "", "not_a_number"
    if number <= 0:
        return "", "not_positive"
    if not _SMALLEST <= number <= _LARGEST:
        return "", "out_of_range"
    return f"{number.normalize():f}", SOUND
