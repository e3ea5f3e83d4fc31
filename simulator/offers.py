"""An offer, the book it stands in, and how both are ordered."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from decimal import Decimal

from simulator.methods import Method
from simulator.people import Advertiser
from simulator.universe import Fiat

_SNOWFLAKE_EPOCH_MS = 1566993984000
_COMMISSION_UNIT = 100_000_000


def ad_number(prefix: str, created_ms: int, low_bits: int) -> str:
    """A 20-digit ad number: two digits, then a snowflake holding the time of creation.

    Like every real one it exceeds int64, and `(int(advNo[2:]) >> 22) + 1566993984000` is
    `created_ms` again.
    """
    return f"{prefix}{((created_ms - _SNOWFLAKE_EPOCH_MS) << 22) | low_bits:018d}"


@dataclass(slots=True, eq=False)
class Offer:
    """One ad. Prices and quantities are whole numbers of their last digit, limits whole fiat."""

    adv_no: str
    book: Book
    person: Advertiser
    created_ms: int
    chance: float  # the quantile of its book at which the maker wants to stand
    price: int
    surplus: int
    locked: int  # thousandths of the surplus that are locked
    min_amount: int
    max_amount: int
    pay_minutes: int
    asks_kyc: bool
    is_promoted: bool
    hides_dynamic_max: bool
    methods: tuple[Method, ...]
    is_restless: bool  # re-prices, as bots do
    is_busy: bool  # trades or refills
    is_bait: bool = False  # cannot be had at its price
    is_still: bool = False  # nothing happens to it: its maker has left
    number: int = 0
    slot: int = -1  # its place among the offers online, -1 while offline
    written: tuple[bytes, bytes] | None = None

    @property
    def tradable(self) -> int:
        """What can really be bought: less the commission on SELL ads, and less what is locked."""
        free = self.surplus * (1000 - self.locked)
        if self.book.maker_sells:
            return free * _COMMISSION_UNIT // (1000 * (_COMMISSION_UNIT + self.commission))
        return free // 1000

    @property
    def commission(self) -> int:
        """The maker's commission in hundred-millionths."""
        return self.book.commissions[self.person.is_merchant]

    @property
    def sort_key(self) -> tuple[int, int, int]:
        """Promoted first, then the taker's best price, then as the exchange likes."""
        price = self.price if self.book.maker_sells else -self.price
        return (0 if self.is_promoted else 1, price, int(self.adv_no[-12:]))


@dataclass(slots=True, eq=False)
class Book:
    """The offers of one fiat, asset and side (the taker's) that are online, in page order."""

    fiat: Fiat
    asset: str
    side: str
    asset_scale: int
    price_scale: int
    size: float
    commissions: tuple[int, int]
    offers: list[Offer] = field(default_factory=list)
    promoted: int = 0
    is_listed: bool = True
    delisted: list[Offer] = field(default_factory=list)  # those that come back when it is listed
    _keys: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def maker_sells(self) -> bool:
        """Whether the makers of this page sell: it is the page of takers who buy."""
        return self.side == "BUY"

    @property
    def maker_side(self) -> str:
        """What `adv.tradeType` says: the opposite of the request's."""
        return "SELL" if self.side == "BUY" else "BUY"

    @property
    def key(self) -> tuple[str, str, str]:
        """Fiat, asset and taker's side."""
        return (self.fiat.code, self.asset, self.side)

    def append(self, offer: Offer) -> None:
        """Put an offer last, wherever its price belongs; `sort` must follow."""
        self.offers.append(offer)
        self.promoted += offer.is_promoted

    def sort(self) -> None:
        """Put every offer where it belongs."""
        self.offers.sort(key=lambda offer: offer.sort_key)
        self._keys = [offer.sort_key for offer in self.offers]

    def add(self, offer: Offer) -> None:
        """Put an offer where its price belongs."""
        key = offer.sort_key
        at = bisect_left(self._keys, key)
        self._keys.insert(at, key)
        self.offers.insert(at, offer)
        self.promoted += offer.is_promoted

    def remove(self, offer: Offer) -> None:
        """Take an offer out; its price must not have changed since it was added."""
        at = bisect_left(self._keys, offer.sort_key)
        while self.offers[at] is not offer:
            at += 1
        del self._keys[at], self.offers[at]
        self.promoted -= offer.is_promoted


@dataclass(frozen=True, slots=True)
class OfferState:
    """The truth about an offer at one moment, for audits."""

    adv_no: str
    fiat: str
    asset: str
    side: str
    price: Decimal
    surplus_quantity: Decimal
    tradable_quantity: Decimal
    min_order_amount: Decimal
    max_order_amount: Decimal
    payment_methods: tuple[str, ...]
    pay_time_limit_minutes: int
    is_kyc_required: bool
    is_promoted: bool
    user_no: str
    nickname: str | None
    month_order_count: int
    month_finish_rate: float
    positive_rate: float
    created_ms: int
    is_bait: bool


def state_of(offer: Offer) -> OfferState:
    """The offer as it stands, in exact decimals and each payment method once."""
    book, person = offer.book, offer.person
    return OfferState(
        adv_no=offer.adv_no,
        fiat=book.fiat.code,
        asset=book.asset,
        side=book.side,
        price=Decimal(offer.price).scaleb(-book.price_scale),
        surplus_quantity=Decimal(offer.surplus).scaleb(-book.asset_scale),
        tradable_quantity=Decimal(offer.tradable).scaleb(-book.asset_scale),
        min_order_amount=Decimal(offer.min_amount),
        max_order_amount=Decimal(offer.max_amount),
        payment_methods=tuple(dict.fromkeys(method.identifier for method in offer.methods)),
        pay_time_limit_minutes=offer.pay_minutes,
        is_kyc_required=offer.asks_kyc,
        is_promoted=offer.is_promoted,
        user_no=person.user_no,
        nickname=person.nickname,
        month_order_count=person.month_orders,
        month_finish_rate=person.finish_rate,
        positive_rate=person.positive_rate,
        created_ms=offer.created_ms,
        is_bait=offer.is_bait,
    )
