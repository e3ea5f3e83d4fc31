"""Offers as the exchange writes them: minified JSON with every key of their generation.

An item is kept as two pieces with a gap for `activeTimeInSecond`, the one value that differs in
nearly every answer, so that a page of known offers is put together without writing any again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import exp

from simulator.methods import method_json
from simulator.offers import Offer
from simulator.shapes import Generation

_GAP = "@@active@@"
_ADV_SLOTS = (
    "advNo classify tradeType asset fiatUnit price surplusAmount tradableQuantity "
    "maxSingleTransAmount minSingleTransAmount payTimeLimit tradeMethods "
    "takerAdditionalKycRequired assetScale fiatScale priceScale fiatSymbol "
    "dynamicMaxSingleTransAmount minSingleTransQuantity maxSingleTransQuantity "
    "dynamicMaxSingleTransQuantity commissionRate"
).split()
_PERSON_SLOTS = (
    "userNo nickName monthOrderCount monthFinishRate positiveRate userType userGrade "
    "userIdentity badges vipLevel activeTimeInSecond"
).split()
# Seconds since the advertiser was active, from now to days ago; some are not told.
_ACTIVE = [b"null" if i % 50 == 7 else b"%d" % int(exp(i / 1024 * 12.6) - 1) for i in range(1024)]


def decimal_text(value: int, scale: int) -> str:
    """A whole number of last digits as the text of a decimal: (12345, 2) is `123.45`."""
    if scale == 0:
        return str(value)
    whole, rest = divmod(value, 10**scale)
    return f"{whole}.{rest:0{scale}d}"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


class Renderer:
    """Writes offers of one generation."""

    def __init__(
        self,
        generation: Generation,
        as_numbers: Iterable[str] = (),
        new_keys: Mapping[str, object] | None = None,
    ) -> None:
        """Prepares the text around the values that differ between offers.

        Args:
            generation: whose keys and number formats the offers have.
            as_numbers: keys of `adv` whose decimals are written as numbers, not as text.
            new_keys: further keys of every `adv`, last, with their value.
        """
        self._generation = generation
        self._as_numbers = tuple(as_numbers)
        self._new_keys = new_keys or {}
        self._template = self._make_template()

    def _make_template(self) -> str:
        generation = self._generation

        def part(keys: tuple[str, ...], slots: list[str]) -> list[str]:
            values = (
                f"%({key})s" if key in slots else generation.constants.get(key, "null")
                for key in keys
            )
            return [f'"{key}":{value}' for key, value in zip(keys, values, strict=True)]

        def whole_of(pairs: list[str]) -> str:
            return "{" + ",".join(pairs) + "}"

        new = [
            f"{_text(key)}:{_text(value)}".replace("%", "%%")
            for key, value in self._new_keys.items()
        ]
        whole = {
            "adv": whole_of(part(generation.adv_keys, _ADV_SLOTS) + new),
            "advertiser": whole_of(part(generation.advertiser_keys, _PERSON_SLOTS)),
            "privilegeType": "%(itemPrivilege)s",
        }
        pairs = (f'"{key}":{whole.get(key, "null")}' for key in generation.item_keys)
        return "{" + ",".join(pairs) + "}"

    def _amount(self, value: int, fiat_scale: int) -> str:
        if self._generation.whole_amounts or fiat_scale == 0:
            return f'"{value}"'
        return f'"{value}.{"0" * fiat_scale}"'

    def _dynamic_max(self, offer: Offer) -> str:
        """The most one order can be now: the limit, or all that is tradable, truncated."""
        if offer.hides_dynamic_max:
            return "null"
        book = offer.book
        scale = 0 if self._generation.whole_amounts else book.fiat.scale
        free = offer.surplus * (1000 - offer.locked)
        cost = 1000 * 10 ** (book.asset_scale + book.price_scale)
        if book.maker_sells:
            free, cost = free * 100_000_000, cost * (100_000_000 + offer.commission)
        value = min(offer.max_amount * 10**scale, free * offer.price * 10**scale // cost)
        return f'"{decimal_text(value, scale)}"'

    def _write(self, offer: Offer) -> tuple[bytes, bytes]:
        generation, book, person = self._generation, offer.book, offer.person
        merchant = person.is_merchant
        # A quantity is an amount over the price, truncated to the asset's scale.
        unit = 10 ** (book.asset_scale + book.price_scale)
        lowest = offer.min_amount * unit // offer.price
        highest = offer.max_amount * unit // offer.price
        tradable = offer.tradable
        methods = ",".join(method_json(m, generation.names_pay_type) for m in offer.methods)
        values = {
            "advNo": f'"{offer.adv_no}"',
            "classify": '"profession"' if merchant else '"mass"',
            "tradeType": f'"{book.maker_side}"',
            "asset": f'"{book.asset}"',
            "fiatUnit": f'"{book.fiat.code}"',
            "price": f'"{decimal_text(offer.price, book.price_scale)}"',
            "surplusAmount": f'"{decimal_text(offer.surplus, book.asset_scale)}"',
            "tradableQuantity": f'"{decimal_text(tradable, book.asset_scale)}"',
            "maxSingleTransAmount": self._amount(offer.max_amount, book.fiat.scale),
            "minSingleTransAmount": self._amount(offer.min_amount, book.fiat.scale),
            "payTimeLimit": offer.pay_minutes if generation.shows_pay_time else "null",
            "tradeMethods": f"[{methods}]",
            "takerAdditionalKycRequired": int(offer.asks_kyc),
            "assetScale": book.asset_scale,
            "fiatScale": book.fiat.scale,
            "priceScale": book.price_scale,
            "fiatSymbol": _text(book.fiat.symbol),
            "dynamicMaxSingleTransAmount": self._dynamic_max(offer),
            "minSingleTransQuantity": f'"{decimal_text(lowest, book.asset_scale)}"',
            "maxSingleTransQuantity": f'"{decimal_text(highest, book.asset_scale)}"',
            "dynamicMaxSingleTransQuantity": (
                f'"{decimal_text(min(highest, tradable), book.asset_scale)}"'
            ),
            "commissionRate": (
                f'"{decimal_text(offer.commission, 8)}"' if generation.shows_commission else "null"
            ),
            "userNo": f'"{person.user_no}"',
            "nickName": _text(person.nickname),
            "monthOrderCount": person.month_orders,
            "monthFinishRate": person.finish_rate,
            "positiveRate": person.positive_rate,
            "userType": '"merchant"' if merchant else '"user"',
            "userGrade": 3 if merchant else 2,
            "userIdentity": _text(person.identity),
            "badges": '["Ordinary"]' if merchant else "null",
            "vipLevel": person.vip_level if merchant else "null",
            "activeTimeInSecond": _GAP,
            "itemPrivilege": "1" if offer.is_promoted else "null",
        }
        for key in self._as_numbers:
            values[key] = str(values[key]).strip('"')
        head, _, tail = (self._template % values).partition(_GAP)
        return head.encode(), tail.encode()

    def item(self, offer: Offer, answer: int) -> bytes:
        """The offer as it stands in the `answer`-th answer of this exchange."""
        if offer.written is None:
            offer.written = self._write(offer)
        head, tail = offer.written
        if not tail:
            return head
        return head + _ACTIVE[(answer * 389 + offer.number * 211) & 1023] + tail
