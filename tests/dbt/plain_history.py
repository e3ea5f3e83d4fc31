"""What the history of offers and of advertisers' statistics means, said once more in plain Python.

It walks over readings in the order of time and holds each against what it knew before; the SQL
compares neighbours in windows and begins somewhere in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.landing import Book, Reading

OfferVersion = tuple[Book, str, Decimal, datetime, datetime | None]
"""Book, ad number, price, first and last moment."""

StatisticsVersion = tuple[str, int, datetime, datetime | None]
"""User number, orders of the month, first and last moment."""


def shown(reading: Reading) -> list[Mapping[str, Any]]:
    """The items of a reading, page by page."""
    return [item for page in reading.pages or () for item in page]


def in_time(readings: Sequence[Reading]) -> list[Reading]:
    """Readings by when they began."""
    return sorted(readings, key=lambda reading: reading.at)


def offer_versions(readings: Sequence[Reading]) -> list[OfferVersion]:
    """Each stretch of time in which price, methods and advertiser of an offer did not change."""
    versions: list[OfferVersion] = []
    standing: dict[tuple[Book, str], tuple[tuple[Any, ...], datetime]] = {}

    def end(key: tuple[Book, str], at: datetime | None) -> None:
        terms, begun = standing.pop(key)
        versions.append((*key, terms[0], begun, at))

    for reading in in_time(readings):
        if reading.pages is None:
            continue
        found = {
            item["adv"]["advNo"]: _terms(item)
            for item in shown(reading)
            if not _is_foreign(item, reading)
        }
        for adv_no, terms in found.items():
            key = (reading.book, adv_no)
            if key in standing and standing[key][0] != terms:
                end(key, reading.at)
            standing.setdefault(key, (terms, reading.at))
        if reading.incomplete_reason is None and not _has_faults(reading):
            for key in [key for key in standing if key[0] == reading.book and key[1] not in found]:
                end(key, reading.at)
    for key in list(standing):
        end(key, None)
    return sorted(versions, key=lambda version: (version[:2], version[3]))


def _terms(item: Mapping[str, Any]) -> tuple[Any, ...]:
    methods = {method["identifier"] for method in item["adv"]["tradeMethods"]}
    adv = item["adv"]
    tradable = adv.get("isTradable") is not False
    return Decimal(adv["price"]), sorted(methods), item["advertiser"]["userNo"], tradable


def _is_foreign(item: Mapping[str, Any], reading: Reading) -> bool:
    return (item["adv"].get("fiatUnit") or reading.book[0]) != reading.book[0]


def _has_faults(reading: Reading) -> bool:
    """Whether more than a tenth came twice, or one in a hundred is of another book."""
    items = shown(reading)
    numbers = {item["adv"]["advNo"] for item in items}
    foreign = {item["adv"]["advNo"] for item in items if _is_foreign(item, reading)}
    return len(items) - len(numbers) > len(items) / 10 or len(foreign) > len(items) / 100


def statistics_versions(readings: Sequence[Reading]) -> list[StatisticsVersion]:
    """Each stretch of time in which every reading showed the same orders of an advertiser.

    A reading that found its book unchanged shows again what the one before it did, if that was
    sound and all of it went into the facts.
    """
    versions: list[StatisticsVersion] = []
    standing: dict[str, tuple[int, datetime]] = {}
    books: dict[Book, dict[str, int]] = {}
    sound: dict[Book, bool] = {}
    for reading in in_time(readings):
        if reading.pages is not None:
            books[reading.book] = {
                item["advertiser"]["userNo"]: item["advertiser"]["monthOrderCount"]
                for item in shown(reading)
            }
            sound[reading.book] = not _has_faults(reading) and not any(
                _is_foreign(item, reading) for item in shown(reading)
            )
        elif not sound[reading.book]:
            continue
        for user, count in books[reading.book].items():
            if user in standing and standing[user][0] != count:
                versions.append((user, *standing.pop(user), reading.at))
            standing.setdefault(user, (count, reading.at))
    versions += [(user, *version, None) for user, version in standing.items()]
    return sorted(versions, key=lambda version: (version[0], version[2]))
