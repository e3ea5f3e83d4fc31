"""What the server asks of whatever stands behind it, a seeded market or a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from simulator.shifts import Shift

ROWS = 20


@dataclass(frozen=True, slots=True)
class Query:
    """A legal search. `side` is the taker's; an empty filter means all."""

    fiat: str
    asset: str
    side: str
    page: int
    rows: int = ROWS
    methods: frozenset[str] = frozenset()
    publisher: str | None = None
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One page: its items as JSON, and how many offers the book has at this moment."""

    items: Sequence[bytes]
    total: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an offer, numbered from 1 without gaps.

    Kinds: opened, returned, gone, repriced, resized (another surplus), edited (terms), and for
    each offer of an advertiser whose own data moved: orders (month's statistics), renamed.
    `book` is fiat, asset and taker's side.
    """

    number: int
    time: datetime
    kind: str
    adv_no: str
    book: tuple[str, str, str]

    def written(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "time": self.time.isoformat()}

    @classmethod
    def parse(cls, written: Mapping[str, Any]) -> Change:
        """Back from JSON."""
        time, book = datetime.fromisoformat(written["time"]), tuple(written["book"])
        return cls(**{**written, "time": time, "book": book})


class Source(Protocol):
    """A market that can be read page by page and moved on.

    Attributes:
        seed: the random seed.
    """

    seed: int

    @property
    def now(self) -> datetime:
        """The source's own time, UTC."""

    @property
    def fiats(self) -> Sequence[str]:
        """Codes of the fiats listed."""

    @property
    def searchable(self) -> Sequence[str]:
        """Codes of the fiats that a search may name."""

    @property
    def assets(self) -> Sequence[str]:
        """Codes of all assets known."""

    def fiat_list(self) -> list[dict[str, Any]]:
        """`data` of the fiat-list endpoint."""

    def portal(self, fiat: str) -> dict[str, Any]:
        """`data` of portal/config for a listed fiat."""

    def conditions(self, fiat: str) -> dict[str, Any]:
        """`data` of filter-conditions for a listed fiat."""

    def page(self, query: Query) -> Answer:
        """The page asked for; no items past the end or where the pair is not listed."""

    def drift(self, name: str) -> float:
        """How far a fiat or an asset has wandered from its fair price, as a logarithm."""

    def schedule(self, shift: Shift, minutes: float = 0.0) -> None:
        """Change something for the whole exchange when so much more time has passed.

        Raises:
            ValueError: if this source cannot change.
        """

    def advance(self, minutes: float = 0.0) -> None:
        """Move the source's clock."""

    def pass_time(self, seconds: float) -> None:
        """Let this much time pass while the source is read."""

    def changes(self, since: int = 0) -> list[Change]:
        """All changes numbered above `since`, in order."""
