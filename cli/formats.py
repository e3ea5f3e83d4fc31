"""An answer to a question as other programs read it: JSON and Parquet.

What a program reads is not escaped for terminals: JSON is ASCII only, and Parquet goes to none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Context, Decimal
from typing import IO, TYPE_CHECKING, Any

from cli.query import Answer

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

DIGITS = 38
"""What a decimal of Parquet holds that everything reads."""

_JSON_OIDS = (114, 3802)
_NUMERIC = 1700


def write_json(answer: Answer, stream: IO[str]) -> None:
    """Write rows as one array of objects, a row a line; decimals keep every digit."""
    rows = (
        "{"
        + ", ".join(
            f"{json.dumps(name)}: {_json(_parsed(value) if oid in _JSON_OIDS else value)}"
            for name, oid, value in zip(answer.columns, answer.oids, row, strict=True)
        )
        + "}"
        for row in answer.rows
    )
    stream.write("[" + ",\n ".join(rows) + "]\n")


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else "null"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    if value is None or isinstance(value, bool | int | float | str):
        return json.dumps(value)
    if isinstance(value, dict):
        entries = (f"{json.dumps(name)}: {_json(each)}" for name, each in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value.isoformat() if isinstance(value, date | datetime) else str(value))


def _parsed(text: str | None) -> Any:
    """What JSON of the warehouse says; its text where it is nested too deeply for Python."""
    try:
        return None if text is None else json.loads(text, parse_float=Decimal)
    except RecursionError:
        return text


def write_parquet(answer: Answer, stream: IO[bytes]) -> None:
    """Write rows as Parquet; a type that it does not have becomes text."""
    import pyarrow as pa
    from pyarrow.parquet import write_table  # type: ignore[import-untyped]

    arrays = [
        _array([row[number] for row in answer.rows], oid) for number, oid in enumerate(answer.oids)
    ]
    write_table(pa.Table.from_arrays(arrays, list(answer.columns)), stream, compression="zstd")


def _array(values: Sequence[Any], oid: int) -> pa.Array:
    import pyarrow as pa

    if oid == _NUMERIC:
        return _decimals(values)
    kind = {
        16: pa.bool_(),
        20: pa.int64(),
        21: pa.int16(),
        23: pa.int32(),
        700: pa.float32(),
        701: pa.float64(),
        1009: pa.list_(pa.string()),
        1082: pa.date32(),
        1114: pa.timestamp("us"),
        1184: pa.timestamp("us", tz="UTC"),
    }.get(oid)
    if kind is not None:
        return pa.array(values, kind)
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _decimals(values: Sequence[Decimal | None]) -> pa.Array:
    """Decimals with as many places as the finest has, within `DIGITS`; NaN becomes null."""
    import pyarrow as pa

    numbers = [value if value is None or value.is_finite() else None for value in values]
    known = [value.as_tuple() for value in numbers if value is not None]
    places = max((max(0, -int(value.exponent)) for value in known), default=0)
    whole = max((len(value.digits) + int(value.exponent) for value in known), default=1)
    places = max(0, min(places, DIGITS - max(1, whole)))
    unit = Decimal(1).scaleb(-places)
    context = Context(prec=2 * DIGITS)
    rounded = [None if n is None else n.quantize(unit, context=context) for n in numbers]
    return pa.array(rounded, pa.decimal128(DIGITS, places))
