"""Numbers, dates and ages as they are shown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

NOTHING = "–"
_STEPS = [(10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")]


def significant(value: Any, digits: int = 6) -> Any:
    """A number to so many significant digits, in full before the point; all else as it is."""
    if not isinstance(value, Decimal) or not value:
        return value
    return round(value, max(0, digits - 1 - value.adjusted()))


def price(value: Any) -> str:
    """A price: six significant digits, none of them cut before the point."""
    if value is None:
        return NOTHING
    shown = f"{significant(Decimal(str(value))):,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def percent(value: Any, digits: int = 2, *, signed: bool = False) -> str:
    """Per cent, with its sign where it matters; what is shown as nought has none."""
    if value is None:
        return NOTHING
    shown = round(float(value), digits)
    return f"{shown or 0.0:{'+' if signed and shown else ''},.{digits}f}%"


def share(value: Any) -> str:
    """A fraction of 1, as per cent."""
    return percent(None if value is None else 100 * float(value), 1)


def amount(value: Any) -> str:
    """A quantity or a value, to three digits: 1.23M."""
    if value is None:
        return NOTHING
    number = float(value)
    for step, letter in _STEPS:
        if abs(number) >= step * 0.9995:
            return f"{number / step:.3g}{letter}" if abs(number) < 999.5 * step else f"{number:.2e}"
    return f"{number:.3g}"


def count(value: Any) -> str:
    """How many."""
    return NOTHING if value is None else f"{int(value):,}"


def moment(value: datetime | None) -> str:
    """A time in UTC, which every time here is."""
    return NOTHING if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def midnight(value: date) -> datetime:
    """The moment at which a day begins, UTC: where it stands on a chart."""
    return datetime.combine(value, time(), UTC)


def day(value: date | None) -> str:
    """A day, UTC."""
    return NOTHING if value is None else f"{value:%Y-%m-%d}"


def duration(length: timedelta | None) -> str:
    """How long, in the largest unit that says it."""
    if length is None:
        return NOTHING
    minutes = length.total_seconds() / 60
    if minutes < 1:
        return "under a minute"
    if minutes < 120:
        return f"{minutes:.0f} min"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h"
    return f"{minutes / 1440:.0f} days"
