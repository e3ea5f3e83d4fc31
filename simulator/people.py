"""Advertisers: who they are, how they call themselves, what their statistics say."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.offers import Offer

_SYLLABLES = (
    "ka", "lo", "mi", "ra", "ven", "tor", "pay", "cam", "bio", "zen", "fer", "nan", "do", "sa",
    "luz", "mar", "tek", "os", "el", "cry", "pto", "fx", "jo", "ana", "vic", "ro", "yas", "qui",
)  # fmt: skip
_HAN = "快速放币诚信商家金龙币安换汇在线秒"
_ARABIC = ("محـــمد", "عـلي", "الـــصراف", "ســريع", "تاجـــر", "أبو أحمـد")
_EMOJI = ("🚀", "⚡️", "🇻🇪", "💰💰", "✅", "👨‍💼", "🔥24/7")


def nickname(rng: Random) -> str | None:
    """A name as people choose them: 14% empty or null, some in other scripts, some untrimmed."""
    u = rng.random()
    if u < 0.14:
        return None if u < 0.09 else ""
    plain = "".join(rng.choices(_SYLLABLES, k=2 + int(3 * rng.random())))
    if u < 0.62:
        return plain.capitalize() if u < 0.45 else plain.upper() + "_" + str(int(u * 1e6) % 1000)
    if u < 0.72:
        return f"{plain.capitalize()} {rng.choice(_SYLLABLES).capitalize()}"
    if u < 0.80:
        return "".join(rng.choices(_HAN, k=2 + int(4 * rng.random()))) + str(int(u * 1e6) % 100)
    if u < 0.86:
        return rng.choice(_ARABIC) + " " + str(int(u * 1e6) % 1000)
    if u < 0.91:
        return f"{plain}{rng.choice(_EMOJI)}"
    if u < 0.94:
        return f"{plain.capitalize()}  {rng.choice(_SYLLABLES)} "
    if u < 0.955:
        return (f"*** {plain} FAST RELEASE | no third parties, ever | {plain} ***" * 2)[:60]
    return f"{plain.capitalize()}-{rng.choice(_SYLLABLES)}'{int(u * 1e6) % 10000}"


@dataclass(slots=True, eq=False)
class Advertiser:
    """A user or a merchant; rates are fractions of 1, orders those of the last 30 days."""

    user_no: str
    nickname: str | None
    is_merchant: bool
    vip_level: int
    identity: str | None
    month_orders: int
    finish_rate: float
    positive_rate: float
    offers: list[Offer] = field(default_factory=list)

    def stale(self) -> None:
        """Forget how this advertiser's offers were last written: something in them has changed."""
        for offer in self.offers:
            offer.written = None


def advertiser(rng: Random, is_merchant: bool) -> Advertiser:
    """A new advertiser, made up."""
    number = f"{rng.getrandbits(128):032x}"
    # 0.13% keep the old form of the number, without the leading letter.
    user_no = number if rng.random() < 0.0013 else "s" + number
    u = rng.random()
    if is_merchant:
        orders = int(10 ** (1.6 + 1.7 * u))
    else:
        orders = 0 if u < 0.08 else int(10 ** (2.6 * u * u))
    luck = rng.random()
    finish = 0.0 if orders == 0 else 1.0 if luck < 0.3 else round(1.0 - 0.25 * (luck - 0.3) ** 3, 3)
    mood = rng.random()
    positive = 1.0 if mood < 0.5 else round(1.0 - 0.3 * (mood - 0.5) ** 2.5, 8)
    identity = "MASS_MERCHANT" if is_merchant else "" if luck > 0.05 else None
    return Advertiser(
        user_no=user_no,
        nickname=nickname(rng),
        is_merchant=is_merchant,
        vip_level=1 if mood < 0.5 else 2,
        identity=identity,
        month_orders=orders,
        finish_rate=finish,
        positive_rate=positive,
    )
