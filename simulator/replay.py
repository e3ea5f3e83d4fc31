"""Recorded books served again, item by item as they were, on pages of the size asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from simulator.catalogue import conditions_data, fiat_entry, portal_data
from simulator.market import START
from simulator.recordings import BookKey, Recorded, read_recordings
from simulator.shifts import Shift
from simulator.source import Answer, Change, Query


@dataclass(frozen=True, slots=True)
class Frame:
    """One book as it stood at one time (Unix seconds, None if the recording does not say)."""

    captured_at: float | None
    items: tuple[dict[str, Any], ...]
    written: tuple[bytes, ...]


def _frames(items: list[Recorded]) -> list[Frame]:
    """A book's items as frames, one for each time of capture, the oldest first."""
    by_time: dict[float | None, list[Recorded]] = {}
    for item in items:
        by_time.setdefault(item.captured_at, []).append(item)
    frames = []
    for time in sorted(by_time, key=lambda time: (time is not None, time or 0.0)):
        in_order = [each.item for each in sorted(by_time[time], key=lambda each: each.position)]
        written = tuple(
            json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "surrogatepass"
            )
            for item in in_order
        )
        frames.append(Frame(time, tuple(in_order), written))
    return frames


class Replay:
    """Recorded books as a source; each steps through its own frames and stays on the last."""

    seed = 0

    def __init__(self, paths: Iterable[Path | str]) -> None:
        """Reads the recordings.

        Args:
            paths: files of raw pages (one response a file, or one a line) or of one offer a line
                (`{"captured_at": .., "pos": .., "item": {..}}`). Pages of one book that carry no
                `captured_at` beside `data` are one frame, in the order of the files.

        Raises:
            ValueError: one line, for a file that is neither.
        """
        self._lock = RLock()
        self._step = 0
        books: dict[BookKey, list[Recorded]] = {}
        for item in read_recordings(paths):
            books.setdefault(item.book, []).append(item)
        self._books = {book: _frames(items) for book, items in books.items()}

    @property
    def books(self) -> tuple[BookKey, ...]:
        """Fiat, asset and taker's side of every recorded book."""
        return tuple(self._books)

    @property
    def frames(self) -> int:
        """How many frames the longest book has: `advance` moves at most one less often."""
        return max(map(len, self._books.values()))

    @property
    def now(self) -> datetime:
        """When the newest of the frames shown was captured, UTC."""
        times = [self._frame(book).captured_at for book in self._books]
        known = [time for time in times if time is not None]
        return datetime.fromtimestamp(max(known), UTC) if known else START

    @property
    def fiats(self) -> tuple[str, ...]:
        """The fiats recorded."""
        return tuple(dict.fromkeys(fiat for fiat, _, _ in self._books))

    @property
    def searchable(self) -> tuple[str, ...]:
        """The same."""
        return self.fiats

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets recorded."""
        return tuple(dict.fromkeys(asset for _, asset, _ in self._books))

    def _frame(self, book: BookKey) -> Frame:
        frames = self._books[book]
        return frames[min(self._step, len(frames) - 1)]

    def items(self, fiat: str, asset: str, side: str) -> list[dict[str, Any]]:
        """The items that a book (the taker's side) shows now, in order."""
        with self._lock:
            book = (fiat, asset, side)
            return list(self._frame(book).items) if book in self._books else []

    def drift(self, name: str) -> float:
        """None: a recording does not say what is fair."""
        return 0.0

    def schedule(self, shift: Shift, minutes: float = 0.0) -> None:
        """Refuses: what was recorded stays as it was.

        Raises:
            ValueError: always.
        """
        raise ValueError("a recording is shown as it was: nothing in it shifts")

    def advance(self, minutes: float = 0.0) -> None:
        """Every book goes to its next frame, however many minutes that is; the last one stays."""
        with self._lock:
            self._step += 1

    def pass_time(self, seconds: float) -> None:
        """Nothing: a recording does not say what happened between its frames."""

    def changes(self, since: int = 0) -> list[Change]:
        """None: a recording does not say what happened between its frames."""
        return []

    def page(self, query: Query) -> Answer:
        """The page asked for; no items past the end or where the pair was not recorded."""
        with self._lock:
            book = (query.fiat, query.asset, query.side)
            if book not in self._books:
                return Answer([], 0)
            frame = self._frame(book)
            written = frame.written
            if query.methods or query.publisher or query.amount is not None:
                both = zip(frame.items, frame.written, strict=True)
                written = tuple(text for item, text in both if _matches(item, query))
            first = (query.page - 1) * query.rows
            return Answer(written[first : first + query.rows], len(written))

    def fiat_list(self) -> list[dict[str, Any]]:
        """`data` of fiat-list: the fiats recorded, with the symbols and scales in their offers."""
        entries = {}
        for fiat, asset, side in self._books:
            adv = self._books[fiat, asset, side][0].items[0]["adv"]
            entries[fiat] = fiat_entry(fiat, adv.get("fiatSymbol"), adv.get("fiatScale"))
        return list(entries.values())

    def portal(self, fiat: str) -> dict[str, Any]:
        """`data` of portal/config: exactly the sides recorded."""
        sides: dict[str, list[str]] = {"BUY": [], "SELL": []}
        for code, asset, side in self._books:
            if code == fiat:
                sides[side].append(asset)
        return portal_data(sides, self._methods(fiat))

    def conditions(self, fiat: str) -> dict[str, Any]:
        """`data` of filter-conditions: the methods that the recorded offers list."""
        return conditions_data(list(self._methods(fiat).values()), fiat_entry(fiat)["countryCode"])

    def _methods(self, fiat: str) -> dict[str, dict[str, Any]]:
        """Each method of the fiat once, in its first form that has a name."""
        found: dict[str, dict[str, Any]] = {}
        for book, frames in self._books.items():
            if book[0] != fiat:
                continue
            for frame in frames:
                for item in frame.items:
                    for method in item["adv"].get("tradeMethods") or []:
                        known = found.get(method["identifier"])
                        if known is None or known.get("tradeMethodName") is None:
                            found[method["identifier"]] = method
        return found


def _matches(item: dict[str, Any], query: Query) -> bool:
    adv = item["adv"]
    offered = {method["identifier"] for method in adv.get("tradeMethods") or []}
    if query.methods and not offered & query.methods:
        return False
    kind = (item.get("advertiser") or {}).get("userType")
    if query.publisher and kind != query.publisher:
        return False
    if query.amount is None:
        return True
    least, most = (float(adv[f"{end}SingleTransAmount"]) for end in ("min", "max"))
    return least <= query.amount <= most
