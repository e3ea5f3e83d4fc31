"""Made-up recordings of three books at three moments, and a plain model of what they imply."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.landing import Book, item

Item = dict[str, Any]
Frame = dict[Book, list[Item]]

BUY: Book = ("VES", "USDT", "BUY")
SELL: Book = ("VES", "USDT", "SELL")
# Recorded with one of its ads twice, as a page edge that moved leaves it.
DOUBLED: Book = ("VES", "BTC", "SELL")

NAMES = [
    "Ana",
    None,
    "",
    "币商 小王",
    "تـــاجر",
    "🚀🚀 Cambios 🇻🇪",
    "two  spaces and one behind ",
    "\x1b[31mred\x1b[0m\u202eeulb",
    "O'Brien; drop table offers --",
    '"quoted", with <b>tags</b>',
]
BANESCO: dict[str, str | None] = {
    "identifier": "Banesco",
    "tradeMethodName": "Banesco",
    "tradeMethodShortName": None,
}
MOBILE: dict[str, str | None] = {"identifier": "PagoMovil", "tradeMethodName": "Pago Móvil"}
UNNAMED: dict[str, str | None] = {"identifier": "SpecificBank", "tradeMethodName": None}
NAMELESS_BANESCO: dict[str, str | None] = {**BANESCO, "tradeMethodName": None}
METHODS: list[list[dict[str, str | None]]] = [
    [BANESCO],
    [BANESCO, MOBILE],
    [BANESCO, MOBILE, NAMELESS_BANESCO],
    [UNNAMED],
    [MOBILE, MOBILE],
]


def ad_number(number: int) -> str:
    """A number of 20 digits, beyond what 64 bits hold."""
    return f"1298{number:016}"


def user_number(number: int) -> str:
    """A user's number; an old one, without its `s`, among them."""
    return f"{'' if number == 17 else 's'}{number:032x}"


def made_up_ad(book: Book, number: int) -> Item:
    """An ad whose oddities follow from its number."""
    fiat, asset, side = book
    return item(
        ad_number(number),
        f"{40 + number / 100:.2f}",
        side=side,
        methods=METHODS[number % len(METHODS)],
        promoted=number in (0, 21),
        adv={
            "fiatUnit": fiat,
            "asset": asset,
            "surplusAmount": f"{100 + number}.5000",
            "tradableQuantity": f"{99 + number}.5",
            "minSingleTransAmount": "500",
            "maxSingleTransAmount": "2500.00",
            "dynamicMaxSingleTransAmount": None if number % 7 == 0 else "2400",
            "payTimeLimit": None if number % 11 == 0 else 15,
            "takerAdditionalKycRequired": number % 2,
        },
        advertiser={
            "userNo": user_number(number % 90),
            "nickName": NAMES[number % len(NAMES)],
            "monthOrderCount": 100 + number,
        },
    )


def recorded_frames() -> list[Frame]:
    """The three books at three moments."""
    frame: Frame = {
        BUY: [made_up_ad(BUY, number) for number in range(45)],
        # 110 to 132 belong to the advertisers 20 to 42, who stand on the other side too.
        SELL: [made_up_ad(SELL, number) for number in range(110, 133)],
        DOUBLED: [made_up_ad(DOUBLED, number) for number in (*range(50, 71), 69)],
    }
    for asked in frame[SELL]:
        _be_like(frame[BUY], asked)
    second = _moved(frame, _second)
    third = _moved(second, _third)
    third[SELL] = copy.deepcopy(second[SELL])
    return [_told_at(frame, 0), _told_at(second, 1), _told_at(third, 2)]


def _be_like(others: Iterable[Item], one: Item) -> None:
    """Whoever stands on both sides has one name and one record."""
    for other in others:
        if other["advertiser"]["userNo"] == one["advertiser"]["userNo"]:
            one["advertiser"] = dict(other["advertiser"])


def _moved(frame: Frame, move: Callable[[dict[str, Item], Frame], None]) -> Frame:
    later = copy.deepcopy(frame)
    by_number = {each["adv"]["advNo"]: each for book in (BUY, SELL) for each in later[book]}
    move(by_number, later)
    return later


def _second(ads: dict[str, Item], frame: Frame) -> None:
    def adv(number: int) -> Item:
        return ads[ad_number(number)]["adv"]  # type: ignore[no-any-return]

    def advertiser(number: int) -> Item:
        return ads[ad_number(number)]["advertiser"]  # type: ignore[no-any-return]

    adv(3)["price"] = "41.99"
    adv(4)["surplusAmount"] = "7.0"
    adv(5).update(minSingleTransAmount="500.00", maxSingleTransAmount="2500", price="40.050")
    adv(6)["tradeMethods"] = [MOBILE, BANESCO]
    adv(11)["tradeMethods"] = list(reversed(adv(11)["tradeMethods"]))
    ads[ad_number(7)]["privilegeType"] = 1
    advertiser(10)["nickName"] = "another name"
    advertiser(13)["monthOrderCount"] += 1
    adv(12)["price"] = "39.00"
    adv(14)["remarks"] = "no third parties"
    adv(115)["price"] = "12.5"
    frame[BUY] = [each for each in frame[BUY] if each["adv"]["advNo"] not in _numbers(8, 9)]
    frame[BUY].insert(2, made_up_ad(BUY, 80))
    frame[BUY].reverse()


def _third(ads: dict[str, Item], frame: Frame) -> None:
    ads[ad_number(12)]["adv"]["price"] = "40.12"
    ads[ad_number(16)]["adv"]["maxSingleTransAmount"] = "9000"
    frame[BUY] = [each for each in frame[BUY] if each["adv"]["advNo"] not in _numbers(80, 18)]
    frame[BUY].append(made_up_ad(BUY, 9))


def _numbers(*numbers: int) -> set[str]:
    return {ad_number(number) for number in numbers}


def _told_at(frame: Frame, number: int) -> Frame:
    """The seconds since an advertiser was seen differ in every reading."""
    chance = random.Random(number)
    told = copy.deepcopy(frame)
    for items in told.values():
        for each in items:
            each["advertiser"]["activeTimeInSecond"] = chance.randrange(10_000)
    return told


def write_recordings(folder: Path, frames: list[Frame], since: int = 0) -> list[Path]:
    """One book as raw pages, a file each; the others one offer a line.

    Frames are a second apart and begin at `since`, in seconds of Unix; it says of which day the
    official rates are.
    """
    paths = []
    for number, frame in enumerate(frames):
        for page in range(0, len(frame[BUY]), 20):
            path = folder / f"frame{number}_page{page}.json"
            items = frame[BUY][page : page + 20]
            body = {"code": "000000", "data": items, "total": len(frame[BUY])}
            path.write_text(json.dumps({**body, "captured_at": since + number}), encoding="utf-8")
            paths.append(path)
    lines = folder / "books.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for number, frame in enumerate(frames):
            for book, items in frame.items():
                for position, each in enumerate(items if book != BUY else []):
                    line = {"captured_at": since + number, "pos": position, "item": each}
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return [*paths, lines]


def terms(recorded: Item) -> tuple[Any, ...]:
    """All that an ad itself says, with numbers as numbers and each method once."""
    adv = recorded["adv"]
    return (
        adv["tradeType"],
        recorded["advertiser"]["userNo"],
        Decimal(adv["price"]),
        Decimal(adv["surplusAmount"]),
        Decimal(adv["tradableQuantity"]),
        Decimal(adv["minSingleTransAmount"]),
        Decimal(adv["maxSingleTransAmount"]),
        adv["dynamicMaxSingleTransAmount"] and Decimal(adv["dynamicMaxSingleTransAmount"]),
        adv["payTimeLimit"],
        recorded["privilegeType"] == 1,
        adv["takerAdditionalKycRequired"] == 1,
        adv.get("remarks"),
        tuple(sorted({method["identifier"] for method in adv["tradeMethods"]})),
    )


TERMS = """
    maker_side, user_no, price, surplus_quantity, tradable_quantity, min_order_amount,
    max_order_amount, dynamic_max_order_amount, pay_time_limit_minutes, is_promoted,
    is_kyc_required, other_terms::json ->> 'remarks',
    array(
        select method.identifier from marts.fact_offer_payment_methods as method
        where method.offer_version_key = offers.offer_version_key order by 1
    )
"""
"""The columns that say the same of a row of `fact_offers`, named `offers`."""

Version = tuple[Any, ...]


def implied_versions(frames: list[Frame], book: Book, *, is_complete: bool) -> set[Version]:
    """Ad number, terms, and the frames in which the version began and had ended."""
    found: set[Version] = set()
    standing: dict[str, tuple[tuple[Any, ...], int]] = {}
    for number, frame in enumerate(frames):
        shown = {each["adv"]["advNo"]: terms(each) for each in frame[book]}
        gone = set(standing) - set(shown) if is_complete else set()
        changed = {ad for ad in shown if ad in standing and standing[ad][0] != shown[ad]}
        for ad in gone | changed:
            said, since = standing.pop(ad)
            found.add((ad, said, since, number))
        for ad in set(shown) - set(standing):
            standing[ad] = (shown[ad], number)
    return found | {(ad, said, since, None) for ad, (said, since) in standing.items()}


def implied_advertisers(frames: list[Frame], key: str) -> set[Version]:
    """User number, what `key` said of it, and the frames in which that began and had ended."""
    found: set[Version] = set()
    standing: dict[str, tuple[Any, int]] = {}
    for number, frame in enumerate(frames):
        people = [each["advertiser"] for items in frame.values() for each in items]
        for person in people:
            user, said = person["userNo"], person[key] or None
            if user in standing and standing[user][0] == said:
                continue
            if user in standing:
                found.add((user, *standing[user], number))
            standing[user] = (said, number)
    return found | {(user, *said, None) for user, said in standing.items()}
