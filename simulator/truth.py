"""What really happened in a market: to hold what was read of it, and what is told, against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from simulator.source import Change

BookKey = tuple[str, str, str]
"""Fiat, asset and the taker's side."""
_COMES, _GOES = frozenset({"opened", "returned"}), frozenset({"gone"})


class Truth:
    """Which offers were online when, and what is fair.

    The last version of an offer ends falsely, where it was online throughout the reading that is
    said to lack it; so does the first begin, where it was so throughout the reading before.

    Attributes:
        changes: all that happened, in order of time.
        fair_prices: fiat for one unit of the asset, by `FIAT/ASSET`: the middle of the zone where
            offers compete, now.
        bait: the numbers of the ads online that nobody can take at their price.
    """

    def __init__(
        self,
        changes: Sequence[Change],
        online: Mapping[BookKey, Collection[str]],
        fair_prices: Mapping[str, float],
        bait: Collection[str],
    ) -> None:
        """Takes down a market's whole log, and the ad numbers online by book after it."""
        self.changes = tuple(changes)
        self.fair_prices = dict(fair_prices)
        self.bait = frozenset(bait)
        self._online = {book: frozenset(numbers) for book, numbers in online.items()}
        self._now = frozenset[str]().union(*self._online.values())
        self._by_book: dict[BookKey, list[Change]] = defaultdict(list)
        self._by_offer: dict[str, list[Change]] = defaultdict(list)
        for change in changes:
            if change.kind in _COMES | _GOES:
                self._by_book[change.book].append(change)
                self._by_offer[change.adv_no].append(change)

    def online(self, book: BookKey, moment: datetime) -> frozenset[str]:
        """The ad numbers that the book had at a moment of the market's time."""
        numbers = set(self._online.get(book, ()))
        for change in reversed(self._by_book[book]):
            if change.time <= moment:
                break
            if change.kind in _COMES:
                numbers.discard(change.adv_no)
            else:
                numbers.add(change.adv_no)
        return frozenset(numbers)

    def was_online(self, adv_no: str, since: datetime, until: datetime) -> bool:
        """Whether the offer was online at `since` and did not go until `until`."""
        changes = self._by_offer.get(adv_no, [])
        following = next((change for change in changes if change.time > since), None)
        if following is None:
            return adv_no in self._now
        return following.kind in _GOES and following.time > until

    def written(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "changes": [change.written() for change in self.changes],
            "online": [[*book, sorted(numbers)] for book, numbers in self._online.items()],
            "fair_prices": self.fair_prices,
            "bait": sorted(self.bait),
        }

    @classmethod
    def parse(cls, written: Mapping[str, Any]) -> Truth:
        """Back from JSON, as `GET /simulator/truth` answers."""
        return cls(
            [Change.parse(change) for change in written["changes"]],
            {(fiat, asset, side): numbers for fiat, asset, side, numbers in written["online"]},
            written["fair_prices"],
            written["bait"],
        )
