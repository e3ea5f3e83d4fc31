"""What ending a reading early would cost: `python -m bench.first_page`.

A reading of many pages could stop after its first when that page and the total are as they were:
`missed` is the share of all changed offers that nobody would then see, `saved` the share of the
requests that nobody would send. Once for all books of more than a page, once for those alone of
which less changed until then than of the usual one. The loader does without: see
docs/adr/0004-what-a-snapshot-proves.md.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median

from bench.figures import Figures
from simulator.market import Market

ROWS = 20
STEP_MINUTES = 5
HOURS = 6
AFTER_MINUTES = (5, 15, 60)
_OF_ADVERTISER = ("orders", "renamed")  # the loader's fingerprint sees these, a version does not

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Stand:
    """A book at one moment."""

    first: tuple[tuple[str, int], ...]
    """The offers of its first page, each with the number of its latest change."""
    offers: int
    changes: int
    """Of its offers' versions, since the beginning."""

    @property
    def pages(self) -> int:
        """Requests that a whole reading takes."""
        return ceil(self.offers / ROWS)


@dataclass
class Ended:
    """What ending early comes to."""

    changes: int = 0
    missed: int = 0
    requests: int = 0
    saved: int = 0

    def add(self, before: Stand, after: Stand, *, may_end: bool) -> None:
        """Count a reading in."""
        changed = after.changes - before.changes
        self.changes += changed
        self.requests += after.pages
        if may_end and (before.first, before.offers) == (after.first, after.offers):
            self.missed += changed
            self.saved += after.pages - 1


@dataclass
class Watch:
    """The books of a market, step by step."""

    market: Market
    last: dict[str, int] = field(default_factory=dict)
    """By offer, its latest change."""
    changes: Counter[Key] = field(default_factory=Counter)
    seen: int = 0

    def look(self) -> dict[Key, Stand]:
        """How each book stands now."""
        for change in self.market.changes(self.seen):
            self.seen = change.number
            self.last[change.adv_no] = change.number
            self.changes[change.book] += change.kind not in _OF_ADVERTISER
        stands = {}
        for fiat, asset in self.market.pairs:
            for key in ((fiat, asset, "BUY"), (fiat, asset, "SELL")):
                offers = [offer.adv_no for offer in self.market.book(*key)]
                first = tuple((adv_no, self.last.get(adv_no, 0)) for adv_no in offers[:ROWS])
                stands[key] = Stand(first, len(offers), self.changes[key])
        return stands


def measure(
    figures: Figures, hours: float = HOURS, seed: int = 1, fiats: Sequence[str] | None = None
) -> None:
    """Show what would be missed and saved, by the time between two readings."""
    watch = Watch(Market(seed=seed, fiats=fiats))
    past = deque([watch.look()], maxlen=max(AFTER_MINUTES) // STEP_MINUTES + 1)
    all_books, quiet = ({minutes: Ended() for minutes in AFTER_MINUTES} for _ in range(2))
    for _ in range(round(hours * 60 / STEP_MINUTES)):
        watch.market.advance(STEP_MINUTES)
        now = watch.look()
        past.append(now)
        large = [key for key, stand in now.items() if stand.pages > 1]
        usual = median(now[key].changes / now[key].offers for key in large)
        for minutes in AFTER_MINUTES:
            steps = minutes // STEP_MINUTES
            if steps >= len(past):
                continue
            before = past[-1 - steps]
            for key in large:
                is_quiet = before[key].changes < usual * now[key].offers
                all_books[minutes].add(before[key], now[key], may_end=True)
                quiet[minutes].add(before[key], now[key], may_end=is_quiet)
    for name, found in (("", all_books), (".quiet", quiet)):
        for minutes, ended in found.items():
            begin = f"first_page{name}.after_{minutes}_minutes"
            figures.add(f"{begin}.missed", 100 * ended.missed / max(1, ended.changes), "%")
            figures.add(f"{begin}.saved", 100 * ended.saved / max(1, ended.requests), "%")


if __name__ == "__main__":
    measure(Figures())
