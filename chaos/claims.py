"""What the facts may claim where not everything could be read: what was shown, and no more.

`chaos.truth` tells what a market implies that is read whole in every round. Here some books are
read in part or not at all, and the rule is held to in plain Python: a reading that is whole ends
what it does not show, one that is not ends nothing, and what either shows counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from chaos.facts import Rounds, Snapshot
from chaos.truth import BookKey, Terms, Truth, Version


@dataclass
class Claims:
    """What some readings imply."""

    versions: Counter[Version] = field(default_factory=Counter)
    outages: int = 0
    """Readings that are not whole."""
    kept: int = 0
    """How often such a reading did not show an offer, and its version went on all the same."""


def claims(truth: Truth, rounds: Rounds, readings: Iterable[Snapshot]) -> Claims:
    """The history that `readings` imply, in the order of their ids, which hold their times."""
    found = Claims()
    by_book: dict[BookKey, list[Snapshot]] = defaultdict(list)
    for reading in sorted(readings, key=lambda each: each.snapshot_id):
        by_book[reading.book].append(reading)
    for book, some in by_book.items():
        standing: dict[str, tuple[Terms, int]] = {}
        for reading in some:
            number = rounds[reading.run_id]
            state = truth.states[number][book]
            shown = {adv_no: state[adv_no] for adv_no in reading.prices if adv_no in state}
            unseen = standing.keys() - shown.keys()
            found.outages += not reading.is_complete
            found.kept += 0 if reading.is_complete else len(unseen)
            changed = {
                adv_no
                for adv_no, terms in shown.items()
                if adv_no in standing and standing[adv_no][0] != terms
            }
            for adv_no in changed | (unseen if reading.is_complete else set()):
                terms, since = standing.pop(adv_no)
                found.versions[Version(book, adv_no, terms, since, number)] += 1
            for adv_no, terms in shown.items():
                standing.setdefault(adv_no, (terms, number))
        found.versions.update(
            Version(book, adv_no, terms, since, None) for adv_no, (terms, since) in standing.items()
        )
    return found
