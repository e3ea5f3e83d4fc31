"""The drift watch: keys of an offer that come, go or change their type, each said once.

A reading notes which keys its offers carry, by type; that is compared with what is remembered, and
what differs lands beside the pages in `staging.drift`, in the load that brings the memory of it: so
it is said once, whatever crashes. What is a key's usual type is learned, since only the keys of
2026 are known beforehand. A key is gone when no offer of a whole cycle carries it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa  # type: ignore[import-untyped]

from load.book.offers import JSON_TYPES, KNOWN, LONGEST_PATH, parts
from load.text import printable

NEW, GONE, RETYPED = "new_key", "gone_key", "changed_type"
ENOUGH = 200
"""Offers (or advertisers …) that a cycle must have shown before a key is missed."""
USUAL = 0.5
"""Of a cycle's offers that carry a key which may be missed: a rarer one may be absent by chance."""
MOST_KEYS = 1_000
_MOST_FORMS = 1_000
_MOST_IN_A_READING = 400
_LONGEST_EXAMPLE = 60
_YOUNG, _SEEN, _STANDING, _MISSED = range(4)

_Form = tuple[str, tuple[str, ...], tuple[type, ...]]
"""Of a part of an offer: its place, its keys and their types, in their order."""


@dataclass
class Drift:
    """One row of `staging.drift`, but for the run."""

    kind: str
    path: str
    what: str
    example: str | None
    seen_at: datetime
    snapshot_id: str | None = None

    def row(self, run_id: str) -> dict[str, Any]:
        """As it lands."""
        return {"run_id": run_id, **asdict(self)}


class Shape:
    """Which keys the offers of one reading carry, and of what types."""

    def __init__(self, known: Callable[[_Form], _Form | None] = lambda _: None) -> None:
        """Nothing is read yet; `known` is `Watch.known`, which spares most readings most work."""
        self.parts: Counter[str] = Counter()
        self.usual: dict[_Form, int] = {}
        """Once packed: how often each form was met that the watch knows."""
        self.examples: dict[str, dict[str, str]] = {}
        """By path and JSON type, as the value came, cut; of the forms that it does not know."""
        self._known = known
        self._forms: dict[_Form, list[int]] = {}
        """How often each was met, in a list of one: so a form, some 200 names, is hashed once."""
        self._strange: list[_Form] = []
        self._packed: tuple[bytes, int] | None = None

    def add(self, item: Mapping[str, Any]) -> bool:
        """Note one offer, and tell whether a part of it looks like none before.

        Offers are alike: one that looks like one before costs next to nothing.
        """
        is_unlike = False
        for place, part in parts(item):
            form = place, tuple(part), tuple(map(type, part.values()))
            self.parts[place] += 1
            times = self._forms.get(form)
            if times is None:
                is_unlike = True
                kept = self._known(form)
                times = self._forms[kept or form] = [0]
                if kept is None:
                    self._strange.append(form)
                    self._examine(form, part)
            times[0] += 1
        return is_unlike

    def pack(self) -> None:
        """End it: what was noted takes 80 kB, and a thousand readings may wait to land."""
        if self._strange:
            said = json.dumps([self._carried(), self.examples]).encode()
            self._packed = pa.compress(said, codec="lz4", asbytes=True), len(said)
        for form in self._strange:
            del self._forms[form]
        self.usual = {form: times for form, (times,) in self._forms.items()}
        self._forms, self._strange, self.examples = {}, [], {}

    def told(self) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
        """Of the forms that the watch does not know: by path, how often it came, and examples."""
        if self._packed is None:
            return self._carried(), self.examples
        packed, size = self._packed
        carried, examples = json.loads(pa.decompress(packed, size, codec="lz4", asbytes=True))
        return carried, examples

    def _carried(self) -> Counter[str]:
        carried: Counter[str] = Counter()
        for form in self._strange:
            for path, _ in _named(form):
                carried[path] += self._forms[form][0]
        return Counter({path: carried[path] for path in self.examples})

    def _examine(self, form: _Form, part: Mapping[str, Any]) -> None:
        for (path, kind), value in zip(_named(form), part.values(), strict=True):
            types = self.examples.get(path)
            if types is None:
                if len(self.examples) >= _MOST_IN_A_READING:
                    continue
                types = self.examples[path] = {}
            if kind != "null" and kind not in types:
                said = value if isinstance(value, str) else orjson.dumps(value).decode()
                types[kind] = said[:_LONGEST_EXAMPLE]


@dataclass
class Key:
    """What is remembered of one key."""

    types: list[str] = field(default_factory=list)
    standing: int = _YOUNG
    carried: int = 0
    """In the cycle under way."""
    example: str | None = None

    def carry(self, times: int) -> None:
        """So many parts more have it."""
        self.carried += times
        if self.standing == _MISSED:
            self.standing = _SEEN


@dataclass
class Watch:
    """What is remembered of all keys, and of the cycle under way."""

    keys: dict[str, Key] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    _known: dict[_Form, _Form] = field(default_factory=dict, repr=False, compare=False)
    _met: Counter[_Form] = field(default_factory=Counter, repr=False, compare=False)
    """Of the known forms, since they were last counted in to the keys."""

    def known(self, form: _Form) -> _Form | None:
        """`form`, kept once for all readings, where every key and type of it was told before.

        For the readers: what they meet of it need be counted and no more. May be asked in any
        thread, also while another reading is taken in: what was told once stays told.
        """
        kept = self._known.get(form)
        if kept is None and len(self._known) < _MOST_FORMS and self._has_told(form):
            kept = self._known[form] = form
        return kept

    def begin(self) -> None:
        """Another cycle begins."""
        self.parts = {}
        self._met.clear()
        for key in self.keys.values():
            key.carried = 0

    def take(
        self, shape: Shape, told: Iterable[str], snapshot_id: str, seen_at: datetime
    ) -> list[Drift]:
        """Count a reading in; returns the keys and types in it that were not there before.

        `told` are paths that were reported as new already.
        """
        found, told = [], frozenset(told)
        for place, times in shape.parts.items():
            self.parts[place] = self.parts.get(place, 0) + times
        self._met.update(shape.usual)
        carried, examples = shape.told()
        for path, times in carried.items():
            types = examples[path]
            kind, example = next(iter(types.items()), ("null", None))
            shown = None if example is None else printable(example, _LONGEST_EXAMPLE)
            if path not in self.keys:
                if len(self.keys) >= MOST_KEYS:
                    continue
                self.keys[path] = Key()
                if not _is_known(path) and path not in told:
                    found.append(Drift(NEW, path, kind, shown, seen_at, snapshot_id))
            key = self.keys[path]
            key.carry(times)
            for other in types.keys() - set(key.types):
                if key.types and key.standing != _YOUNG:
                    what = f"was {' or '.join(key.types)}, is {other}"
                    example = printable(types[other], _LONGEST_EXAMPLE)
                    found.append(Drift(RETYPED, path, what, example, seen_at, snapshot_id))
            key.types = sorted({*key.types, *types})
            key.example = shown or key.example
        return found

    def judge(self, at: datetime) -> list[Drift]:
        """Close a whole cycle; returns the keys that none of its offers carried."""
        found = []
        self._count()
        for path, key in self.keys.items():
            of = self.parts.get(path.rpartition(".")[0], 0)
            if key.carried:
                is_usual = of >= ENOUGH and key.carried >= USUAL * of
                key.standing = max(key.standing, _STANDING if is_usual else _SEEN)
            elif key.standing == _STANDING and of >= ENOUGH:
                key.standing = _MISSED
                what = f"was {' or '.join(key.types) or 'null'}, none of {of:,} carries it"
                found.append(Drift(GONE, path, what, key.example, at))
        self.begin()
        return found

    def dump(self) -> list[Any]:
        """As JSON."""
        self._count()
        keys = {
            path: [key.types, key.standing, key.carried, key.example]
            for path, key in self.keys.items()
        }
        return [keys, dict(self.parts)]

    @classmethod
    def load(cls, document: Any) -> "Watch":
        """What was dumped; nothing where nothing was."""
        keys, of = document or ({}, {})
        return cls({path: Key(*kept) for path, kept in keys.items()}, dict(of))

    def _has_told(self, form: _Form) -> bool:
        for path, kind in _named(form):
            key = self.keys.get(path)
            if key is None or (kind != "null" and kind not in key.types):
                return False
        return True

    def _count(self) -> None:
        """Count what was met of the known forms in to their keys."""
        for form, times in self._met.items():
            for path, _ in _named(form):
                # A watch before this one knew it, and the batch that told it was refused.
                if key := self.keys.get(path):
                    key.carry(times)
        self._met.clear()


@lru_cache(maxsize=1_024)  # every reading meets the same few dozen
def _named(form: _Form) -> tuple[tuple[str, str], ...]:
    """Path and JSON type of each key."""
    place, keys, types = form
    return tuple(
        (f"{place}.{key}"[:LONGEST_PATH], JSON_TYPES.get(kind, "null"))
        for key, kind in zip(keys, types, strict=True)
    )


def _is_known(path: str) -> bool:
    place, _, key = path.rpartition(".")
    return key in KNOWN.get(place, ())
