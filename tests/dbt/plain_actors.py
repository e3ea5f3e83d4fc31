"""What the marts of actors and offers over time mean, said once more in plain Python.

It walks over readings in the order of time and shares nothing with the SQL, which adds up versions
and sums and never sees a book as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from tests.dbt.plain_market import Offer, gini, index_of_shares, quote, ratio, share_of_largest
from tests.landing import Book, Reading

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]

GAP = timedelta(minutes=120)
UNREAD = timedelta(days=1)
CADENCE = 20
WEEK = 7
CONFIDENCE = {
    "decay": Fraction(5, 10),
    "decay_unconfirmable": Fraction(85, 100),
    "decay_and_orders": Fraction(9, 10),
}


@dataclass(frozen=True)
class Standing:
    """One offer as a reading showed it."""

    offer: Offer
    user_no: str

    @property
    def p(self) -> Fraction:
        """Its price."""
        return self.offer.p

    @property
    def q(self) -> Fraction:
        """Its tradable quantity."""
        return self.offer.q

    @property
    def limits(self) -> tuple[Fraction, Fraction]:
        """Its smallest and its largest order."""
        return Fraction(self.offer.smallest), self.offer.most


@dataclass(frozen=True)
class Snapshot:
    """A reading: what it showed, and whether numbers may be made of it."""

    book: Book
    at: datetime
    offers: Mapping[str, Standing]
    is_trusted: bool

    @property
    def day(self) -> date:
        """Its day."""
        return self.at.date()


def snapshots(readings: Sequence[Reading]) -> list[Snapshot]:
    """Readings in the order of time, each with what it showed; an unchanged one repeats another."""
    shown: dict[str, Snapshot] = {}
    for reading in sorted(readings, key=lambda reading: reading.at):
        if reading.pages is None:
            assert reading.same_as is not None
            shown[reading.snapshot_id] = replace(shown[reading.same_as], at=reading.at)
            continue
        items = [item for page in reading.pages for item in page]
        is_swapped = any(item["adv"]["tradeType"] == reading.book[2] for item in items)
        shown[reading.snapshot_id] = Snapshot(
            reading.book,
            reading.at,
            {item["adv"]["advNo"]: _standing(item) for item in items},
            is_trusted=reading.incomplete_reason is None and not is_swapped,
        )
    return list(shown.values())


def _standing(item: Mapping[str, Any]) -> Standing:
    adv, advertiser = item["adv"], item["advertiser"]
    offer = Offer(
        price=adv["price"],
        quantity=adv["tradableQuantity"],
        smallest=adv["minSingleTransAmount"],
        largest=adv["maxSingleTransAmount"],
        user=advertiser["userNo"],
        orders=advertiser["monthOrderCount"],
        dynamic=adv["dynamicMaxSingleTransAmount"],
    )
    return Standing(offer, advertiser["userNo"])


class History:
    """All readings of a market, and what is to be said of them."""

    def __init__(
        self, readings: Sequence[Reading], unlisted: Mapping[Book, datetime] = MappingProxyType({})
    ) -> None:
        self.unlisted = unlisted
        self.all = snapshots(readings)
        self.by_book: dict[Book, list[Snapshot]] = defaultdict(list)
        self.order_counts: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
        for snapshot in self.all:
            self.by_book[snapshot.book].append(snapshot)
            for standing in snapshot.offers.values():
                count = (snapshot.at, standing.offer.orders)
                self.order_counts[standing.user_no].append(count)

    def trusted(self, book: Book) -> list[Snapshot]:
        """The snapshots of a book of which numbers are made."""
        return [snapshot for snapshot in self.by_book[book] if snapshot.is_trusted]

    def pairs(self) -> list[tuple[Snapshot, Snapshot]]:
        """Each trusted snapshot with the one before it."""
        return [
            pair
            for book in self.by_book
            for pair in zip(self.trusted(book), self.trusted(book)[1:], strict=False)
        ]

    def orders(self, user_no: str, at: datetime) -> int | None:
        """The advertiser's order count as last read by then, in whatever book."""
        counts = [count for read_at, count in self.order_counts[user_no] if read_at <= at]
        return counts[-1] if counts else None

    def rose(self, user_no: str, before: Snapshot, after: Snapshot) -> int | None:
        """By how much the order count grew between two snapshots."""
        earlier, later = self.orders(user_no, before.at), self.orders(user_no, after.at)
        return None if earlier is None or later is None else later - earlier

    def fills(self) -> Rows:
        """`inferred_fills`, by snapshot and ad number."""
        rows: Rows = {}
        for before, after in self.pairs():
            minutes = Fraction((after.at - before.at) // timedelta(milliseconds=1), 60_000)
            for adv_no, old in before.offers.items():
                new = after.offers.get(adv_no)
                if new is None or new.p != old.p or new.q >= old.q:
                    continue
                quantity, (least, most) = old.q - new.q, old.limits
                if not least <= quantity * old.p <= most:
                    continue
                change = self.rose(new.user_no, before, after)
                method = how_sure(change, before.at, after.at)
                trust = CONFIDENCE[method] * min(Fraction(1), CADENCE / minutes)
                rows[(*after.book, after.at, adv_no)] = {
                    "method": method,
                    "price": old.p,
                    "quantity": quantity,
                    "value": old.p * quantity,
                    "order_count_change": change,
                    "confidence": Fraction(int(trust * 20_000 + 1) // 2, 10_000),
                    "previous_snapshot_at": before.at,
                }
        return rows

    def lost(self) -> Rows:
        """The most that can have been sold of each offer from one sighting of it to the next."""
        rows: Rows = {}
        for book in self.by_book:
            trusted = self.trusted(book)
            for place, (before, after) in enumerate(zip(trusted, trusted[1:], strict=False)):
                for adv_no, old in before.offers.items():
                    later = [s.offers[adv_no] for s in trusted[place + 1 :] if adv_no in s.offers]
                    left = later[0].q if later else Fraction(0)
                    rows[(*book, after.at, adv_no)] = {
                        "q": max(old.q - left, Fraction(0)),
                        "p": old.p,
                    }
        return rows

    def turnover(self) -> Rows:
        """`turnover_days`, by day and book."""
        rows: Rows = {}
        fills, lost = self.fills(), self.lost()
        for book in self.by_book:
            for day in {snapshot.day for snapshot in self.trusted(book)}:
                today = [snapshot for snapshot in self.trusted(book) if snapshot.day == day]
                listed = [sum((s.q for s in t.offers.values()), Fraction(0)) for t in today]
                mean_listed = sum(listed, Fraction(0)) / len(listed)
                mine = [
                    fill for key, fill in fills.items() if key[:3] == book and key[3].date() == day
                ]
                sure = [fill for fill in mine if fill["method"] == "decay_and_orders"]
                quantity = sum((fill["quantity"] for fill in mine), Fraction(0))
                value = sum((fill["value"] for fill in mine), Fraction(0))
                upper = [
                    one for key, one in lost.items() if key[:3] == book and key[3].date() == day
                ]
                minutes = minutes_apart(self.trusted(book), day)
                rows[(day, *book)] = {
                    "snapshots": len(today),
                    "fills": len(mine),
                    "inferred_quantity": quantity,
                    "inferred_value": value,
                    "lower_quantity": sum(fill["quantity"] for fill in sure),
                    "lower_value": sum(fill["value"] for fill in sure),
                    "upper_quantity": sum((one["q"] for one in upper), Fraction(0)),
                    "upper_value": sum((one["q"] * one["p"] for one in upper), Fraction(0)),
                    "fills_vwap": ratio(value, quantity),
                    "listed_quantity": mean_listed,
                    "listed_share": ratio(quantity, mean_listed),
                    "minutes_between_snapshots": minutes and round(minutes, 3),
                    "confidence": minutes and round(0.02 ** (float(minutes) / 240), 4),
                }
        return rows

    def lifecycles(self) -> Rows:
        """`offer_lifecycles`, by book and ad number."""
        rows: Rows = {}
        newest = max(snapshot.at for snapshot in self.all)
        for book, readings in self.by_book.items():
            trusted = self.trusted(book)
            for adv_no in {adv_no for snapshot in trusted for adv_no in snapshot.offers}:
                places = [n for n, snapshot in enumerate(trusted) if adv_no in snapshot.offers]
                sights = [trusted[n].offers[adv_no] for n in places]
                steps = list(zip(sights, sights[1:], strict=False))
                first, last = trusted[places[0]].at, trusted[places[-1]].at
                missing = trusted[places[0] - 1].at if places[0] else None
                gone = trusted[places[-1] + 1].at if places[-1] + 1 < len(trusted) else None
                ended = self.unlisted.get(book)
                ended = None if ended is None or gone or ended <= last else ended
                rows[(*book, adv_no)] = {
                    "user_no": sights[-1].user_no,
                    "end_state": self._end(sights[-1], gone, ended, last, readings[-1].at, newest),
                    "seen": len(places),
                    "missed": places[-1] - places[0] + 1 - len(places),
                    "re_prices": sum(old.p != new.p for old, new in steps),
                    "refills": sum(new.q > old.q for old, new in steps),
                    "total_decrease": sum((max(o.q - n.q, Fraction(0)) for o, n in steps)),
                    "last_price": sights[-1].p,
                    "last_quantity": sights[-1].q,
                    "is_left_censored": missing is None or first - missing > GAP,
                    "is_right_censored": gone is None and ended is None,
                    "missing_at": missing,
                    "first_seen_at": first,
                    "last_seen_at": last,
                    "gone_at": gone,
                    "delisted_at": ended,
                }
        return rows

    @staticmethod
    def _end(
        last: Standing,
        gone: datetime | None,
        ended: datetime | None,
        seen: datetime,
        read: datetime,
        newest: datetime,
    ) -> str:
        if last.q == 0:
            return "exhausted"
        if gone is not None:
            return "withdrawn"
        if ended is not None:
            return "delisted"
        return "unknown" if read > seen or newest - seen > UNREAD else "active"

    def advertisers(self) -> Rows:
        """`advertiser_days`, by day, book and advertiser."""
        rows: Rows = {}
        for book in self.by_book:
            presence: dict[str, list[Snapshot]] = defaultdict(list)
            for snapshot in self.trusted(book):
                for user in {standing.user_no for standing in snapshot.offers.values()}:
                    presence[user].append(snapshot)
            for user, seen in presence.items():
                for day in {snapshot.day for snapshot in seen}:
                    rows[(day, *book, user)] = self._advertiser(book, user, day, seen)
        return rows

    def _advertiser(
        self, book: Book, user: str, day: date, seen: Sequence[Snapshot]
    ) -> dict[str, Any]:
        week = [s for s in self.trusted(book) if timedelta(0) <= day - s.day < timedelta(WEEK)]
        seen_week = [s for s in seen if timedelta(0) <= day - s.day < timedelta(WEEK)]
        today = [s for s in week if s.day == day]
        with_him = [s for s in seen_week if s.day == day]
        ranks, gaps = [], []
        for snapshot in with_him:
            sign = 1 if book[2] == "BUY" else -1
            ranked = sorted(snapshot.offers.items(), key=lambda entry: (sign * entry[1].p, entry))
            place, best = next(
                (n, standing) for n, (_, standing) in enumerate(ranked, 1)
                if standing.user_no == user
            )  # fmt: skip
            ranks.append(place)
            offers = [standing.offer for standing in snapshot.offers.values()]
            reference = quote(book[2], offers)["reference_price"]
            if reference is not None:
                gaps.append(sign * 100 * (best.p / reference - 1))
        mine = sum((self._quantity(s, user) for s in with_him), Fraction(0))
        everybody = sum((self._quantity(s) for s in today), Fraction(0))
        steps = [
            (before.offers[adv_no], standing)
            for before, after in self.pairs()
            if after.book == book and after.day == day
            for adv_no, standing in after.offers.items()
            if standing.user_no == user and adv_no in before.offers
        ]
        counts = [self.orders(user, with_him[n].at) for n in (0, -1)]
        change = None if None in counts else counts[1] - counts[0]  # type: ignore[operator]
        return {
            "snapshots": len(today),
            "snapshots_seen": len(with_him),
            "presence_pct": Fraction(100 * len(with_him), len(today)),
            "week_presence_pct": Fraction(100 * len(seen_week), len(week)),
            "is_market_maker": 100 * len(seen_week) > 80 * len(week)
            and len(seen_week) >= 20
            and len({s.day for s in seen_week}) >= 3,
            "mean_rank": Fraction(sum(ranks), len(ranks)),
            "mean_quantity": mine / len(with_him),
            "tradable_share": ratio(mine, everybody),
            "reference_gap_pct": ratio(sum(gaps, Fraction(0)), len(gaps)),
            "re_prices": sum(old.p != new.p for old, new in steps),
            "decay_quantity": sum((max(o.q - n.q, Fraction(0)) for o, n in steps), Fraction(0)),
            "order_count_change": change if change is None or change >= 0 else None,
            "first_seen_at": with_him[0].at,
            "last_seen_at": with_him[-1].at,
        }

    @staticmethod
    def _quantity(snapshot: Snapshot, user: str | None = None) -> Fraction:
        return sum(
            (s.q for s in snapshot.offers.values() if user is None or s.user_no == user),
            Fraction(0),
        )

    def concentration(self) -> Rows:
        """`market_concentration_days`, by day and book."""
        quantities: dict[Key, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        for book in self.by_book:
            for snapshot in self.trusted(book):
                for standing in snapshot.offers.values():
                    quantities[(snapshot.day, *book)][standing.user_no] += standing.q
        return {
            key: {
                "n_advertisers": len(held),
                "hhi": index_of_shares(list(held.values())),
                "cr4": share_of_largest(list(held.values()), 4),
                "cr10": share_of_largest(list(held.values()), 10),
                "gini": gini(list(held.values())),
            }
            for key, held in quantities.items()
        }


def how_sure(orders: int | None, before: datetime, after: datetime) -> str:
    """The method of a fill, by how the advertiser's order count changed; midnight takes from it."""
    if orders is not None and orders > 0:
        return "decay_and_orders"
    is_known = orders == 0 and before.date() == after.date()
    return "decay" if is_known else "decay_unconfirmable"


def minutes_apart(trusted: Sequence[Snapshot], day: date) -> Fraction | None:
    """The mean of the intervals between trusted snapshots that end in a day."""
    gaps = [
        Fraction((after.at - before.at) // timedelta(milliseconds=1), 60_000)
        for before, after in zip(trusted, trusted[1:], strict=False)
        if after.day == day
    ]
    return sum(gaps, Fraction(0)) / len(gaps) if gaps else None
