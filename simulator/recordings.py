"""Reads recorded books: raw page JSON, JSON lines of pages, or one offer a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BookKey = tuple[str, str, str]
_TAKER = {"SELL": "BUY", "BUY": "SELL"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded item: when it was captured (Unix seconds, None if unknown) and where it stood.

    `book` is fiat, asset and taker's side, read off the item itself.
    """

    book: BookKey
    captured_at: float | None
    position: float
    item: dict[str, Any]


def read_recordings(paths: Iterable[Path | str]) -> list[Recorded]:
    """Every item of these files, in the order in which the files are given.

    Raises:
        ValueError: one line naming the file (and line) that is no recording.
    """
    items = [item for path in paths for item in _read(Path(path))]
    if not items:
        raise ValueError("replay: the recordings contain no offer")
    return items


def _read(path: Path) -> Iterator[Recorded]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"replay: cannot read {path}: {why}") from error
    try:
        objects = [(str(path), json.loads(text))]
    except ValueError:
        objects = list(_lines(path, text))
    for where, found in objects:
        yield from _items(where, found)


def _lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"{path} line {number}", json.loads(line)
        except ValueError as error:
            raise ValueError(f"replay: {path} line {number} is not JSON") from error


def _items(where: str, found: Any) -> Iterator[Recorded]:
    if isinstance(found, dict) and isinstance(found.get("item"), dict):
        yield _recorded(where, found["item"], found.get("captured_at"), found.get("pos"))
    elif isinstance(found, dict) and isinstance(found.get("data"), list):
        for item in found["data"]:
            yield _recorded(where, item, found.get("captured_at"), None)
    else:
        raise ValueError(
            f"replay: {where} is neither a page of the exchange (an object with a list `data`) "
            "nor an offer (an object with `item`)"
        )


def _recorded(where: str, item: Any, captured_at: Any, position: Any) -> Recorded:
    adv = item.get("adv") if isinstance(item, dict) else None
    keys = [adv.get(key) for key in ("fiatUnit", "asset", "tradeType")] if adv else []
    if not keys or not all(isinstance(key, str) for key in keys) or keys[2] not in _TAKER:
        raise ValueError(f"replay: {where} has an item without fiatUnit, asset and tradeType")
    for name, value in (("captured_at", captured_at), ("pos", position)):
        if value is not None and not isinstance(value, int | float):
            raise ValueError(f"replay: {where}: {name} is not a number")
    fiat, asset, maker_side = keys
    # Without a position the order of the file is the order of the book.
    return Recorded((fiat, asset, _TAKER[maker_side]), captured_at, position or 0, item)
