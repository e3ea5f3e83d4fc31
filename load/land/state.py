"""What the loader remembers between cycles, as it stands in dlt's state of the source.

Written compactly: some 1,800 books travel with every load. What is remembered of a landed snapshot
is only believed after `load.land.landed` has found it in the warehouse.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from load.book.drift import Watch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
SIDES = ("BUY", "SELL")
SUDDENLY_EMPTY = "suddenly_empty"
"""Why a reading is incomplete that found nothing where the last complete one found something."""
VERSION = 3
_BOOK_FIELDS = {1: 8, 2: 11, VERSION: 12}
"""By version that can still be read, how many of a book's fields mean what they mean now."""


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The moment `value` microseconds after 1970, in UTC."""
    return _EPOCH + value * _MICROSECOND


class Book(NamedTuple):
    """A pair and the taker's side of it."""

    fiat: str
    asset: str
    side: str

    @property
    def name(self) -> str:
        """Readable and unique, such as `VES-USDT-BUY`: codes hold no hyphen."""
        return f"{self.fiat}-{self.asset}-{self.side}"

    @classmethod
    def named(cls, name: str) -> "Book":
        """The book that `name` stands for."""
        return cls(*name.split("-"))

    def snapshot_id(self, started_us: int) -> str:
        """The id of its reading that began at this time, such as `VES-USDT-BUY-2026…Z`."""
        return f"{self.name}-{from_microseconds(started_us):%Y%m%dT%H%M%S.%fZ}"


@dataclass
class BookState:
    """What is known of a book. Times are microseconds since 1970, 0 = never."""

    read_us: int = 0
    """Start of the latest reading: the next one starts strictly later."""
    landed: bool = False
    """Whether that reading is in the warehouse."""
    reason: str = ""
    """Why that reading was incomplete; empty when it was complete."""
    fingerprint: str = ""
    """Of the latest reading, if it was complete and its pages, or those it repeats, have landed."""
    base_us: int = 0
    """Start of the snapshot whose landed pages have that fingerprint."""
    offers: int = 0
    """Distinct offers in the latest complete reading."""
    pages: int = 0
    """Requests that a whole reading takes."""
    empties: int = 0
    """Complete readings in a row that found nothing."""
    sketch: str = ""
    """`load.plan.sketch` of the reading that the fingerprint is of."""
    news: float = 0.0
    """Changes of offers between its readings, as far as they tell; what is old counts less."""
    watched: float = 0.0
    """Offer-hours in which those happened: `news / watched` is changes an offer and hour."""
    shortfall: float = 0.0
    """Share of the announced offers that the latest reading missed, if more than it may miss."""

    def forget_fingerprint(self) -> None:
        """Make the next complete reading land its pages, whatever they say."""
        self.fingerprint, self.base_us, self.sketch = "", 0, ""


_AS_TUPLE = attrgetter(*(member.name for member in fields(BookState)))  # astuple copies deeply


@dataclass
class CycleState:
    """The cycle under way, or the last one."""

    cycle_id: str = ""
    started_us: int = 0
    limits: str = ""
    is_open: bool = False


@dataclass
class CatalogueState:
    """What the exchange lists, as last read. Times are microseconds since 1970."""

    fiats_us: int = 0
    fiats: list[str] = field(default_factory=list)
    pairs: dict[str, tuple[int, dict[str, list[str]]]] = field(default_factory=dict)
    """By fiat: when read, and by the taker's side the assets."""
    methods: dict[str, int] = field(default_factory=dict)
    """By fiat: when its payment methods were read."""

    def books(self, fiats: tuple[str, ...], assets: tuple[str, ...]) -> list[Book]:
        """Every listed book within the limits; an empty limit is none."""
        return [
            Book(fiat, asset, side)
            for fiat in self.fiats
            if (not fiats or fiat in fiats) and fiat in self.pairs
            for side in SIDES
            for asset in self.pairs[fiat][1].get(side, ())
            if not assets or asset in assets
        ]


@dataclass
class State:
    """All of it."""

    books: dict[Book, BookState] = field(default_factory=dict)
    cycle: CycleState = field(default_factory=CycleState)
    catalogue: CatalogueState = field(default_factory=CatalogueState)
    fields: set[str] = field(default_factory=set)
    """New fields of offers that were reported already."""
    watch: Watch = field(default_factory=Watch)

    def of(self, book: Book) -> BookState:
        """What is known of `book`, to be changed in place."""
        return self.books.setdefault(book, BookState())

    def dump(self) -> dict[str, Any]:
        """As JSON: one short list a book."""
        return {
            "version": VERSION,
            "books": {book.name: list(_AS_TUPLE(known)) for book, known in self.books.items()},
            "cycle": list(astuple(self.cycle)),
            "catalogue": [
                self.catalogue.fiats_us,
                self.catalogue.fiats,
                {fiat: list(read) for fiat, read in self.catalogue.pairs.items()},
                self.catalogue.methods,
            ],
            "fields": sorted(self.fields),
            "watch": self.watch.dump(),
        }

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> "State":
        """The state that was dumped; an empty one where nothing, or another version, was."""
        kept = _BOOK_FIELDS.get(document.get("version", 0))
        if kept is None:
            return cls()
        fiats_us, fiats, pairs, methods = document["catalogue"]
        return cls(
            books={
                Book.named(name): BookState(*known[:kept])
                for name, known in document["books"].items()
            },
            cycle=CycleState(*document["cycle"]),
            catalogue=CatalogueState(
                fiats_us,
                list(fiats),
                {fiat: (read_us, dict(sides)) for fiat, (read_us, sides) in pairs.items()},
                dict(methods),
            ),
            fields=set(document["fields"]),
            watch=Watch.load(document.get("watch")),
        )
