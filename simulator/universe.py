"""What is listed: fiats by size, assets with their scales, which pairs exist and how large.

The lists and scales are those of the API note (112 fiats in 2026-09); sizes follow its section 5:
about 1,600/rank offers a side for USDT, 2 to 15% of that for the other majors, 0 to 5 elsewhere,
and 10 to 20% of the listed pairs empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.chance import seeded

ASSET_SCALES: dict[str, int] = {
    "USDT": 2, "BTC": 8, "FDUSD": 2, "BNB": 8, "ETH": 8, "TRX": 8, "SHIB": 2, "DOGE": 8,
    "ADA": 8, "SOL": 8, "USDC": 8, "PEPE": 2, "TRUMP": 8,
}  # fmt: skip
MAJORS = ("BTC", "ETH", "BNB", "USDC")

# Fiats by the size of their market: code, country, hours from UTC, symbol.
_FIATS = """
CNY CN 8 ￥|VES VE -4 Bs.S|ARS AR -3 ARS$|INR IN 5.5 ₹|VND VN 7 ₫|BDT BD 6 ৳|PKR PK 5 ₨
BRL BR -3 R$|EGP EG 2 E£|BOB BO -4 Bs.|UAH UA 2 ₴|COP CO -5 COP$|TRY TR 3 ₺|KES KE 3 KSh
AED AE 4 د.إ|LKR LK 5.5 රු|PHP PH 8 ₱|IDR ID 7 Rp|KZT KZ 5 ₸|USD US -5 $|MAD MA 1 .د.م
DZD DZ 1 دج|PEN PE -5 S/|MXN MX -6 Mex$|UZS UZ 5 so'm|XAF CM 1 FCFA|NPR NP 5.75 रु
ZAR ZA 2 R|THB TH 7 ฿|AMD AM 4 ֏|GEL GE 4 ₾|IQD IQ 3 ع.د|XOF SN 0 CFA|SAR SA 3 ﷼|TND TN 1 د.ت
YER YE 3 ﷼|DOP DO -4 RD$|CLP CL -3 CLP$|UGX UG 3 USh|TZS TZ 3 TSh|SDG SD 2 ج.س|ZMW ZM 2 ZK
TWD TW 8 NT$|HKD HK 8 HK$|GBP GB 0 £|KHR KH 7 ៛|LAK LA 7 ₭|MNT MN 8 ₮|SYP SY 3 £S|LBP LB 2 ل.ل
JOD JO 3 د.ا|LYD LY 2 ل.د|KWD KW 3 د.ك|QAR QA 3 ﷼|OMR OM 4 ر.ع.|BHD BH 3 .د.ب|AZN AZ 4 ₼
BYN BY 3 Br|KGS KG 6 сом|TJS TJ 5 SM|TMT TM 5 m|MDL MD 2 L|RSD RS 1 РСД|AFN AF 4.5 ؋|AOA AO 1 Kz
RWF RW 2 FRw|CDF CD 1 FC|MWK MW 2 MK|MZN MZ 2 MT|MGA MG 3 Ar|BIF BI 2 FBu|SOS SO 3 Sh.So.
SLE SL 0 Le|LRD LR 0 L$|GNF GN 0 FG|GMD GM 0 D|MRU MR 0 UM|CVE CV -1 Esc|DJF DJ 3 Fdj|ERN ER 3 Nfk
KMF KM 3 CF|SCR SC 4 SR|BWP BW 2 P|NAD NA 2 N$|ZWG ZW 2 ZiG|UYU UY -3 $U|PYG PY -3 ₲
PAB PA -5 B/.|CRC CR -6 ₡|GTQ GT -6 Q|HNL HN -6 L|NIO NI -6 C$|JMD JM -5 J$|HTG HT -5 G
TTD TT -4 TT$|BSD BS -5 B$|BZD BZ -6 BZ$|KYD KY -5 CI$|AUD AU 10 A$|CAD CA -5 C$|NZD NZ 12 NZ$
JPY JP 9 ¥|CHF CH 1 CHF|SEK SE 1 kr|DKK DK 1 Kr|ISK IS 0 ISK|ALL AL 1 Lek|BAM BA 1 KM|MKD MK 1 ден
MOP MO 8 MOP$|BND BN 8 B$|PGK PG 10 K
"""
_WITHOUT_MINOR_UNIT = frozenset("BIF CLP DJF GNF ISK JPY KMF PYG RWF UGX VND XAF XOF".split())


@dataclass(frozen=True, slots=True)
class Fiat:
    """A listed fiat currency; `rank` 1 is the largest market, `utc_offset` is in hours."""

    code: str
    country: str
    utc_offset: float
    symbol: str
    scale: int
    rank: float


def _read_fiats() -> dict[str, Fiat]:
    rows = [row for row in _FIATS.replace("\n", "|").split("|") if row]
    fiats = {}
    for number, row in enumerate(rows, start=1):
        code, country, offset, symbol = row.split(" ", 3)
        # The two largest are nearly equals (CNY some 1,600 a side, VES 1,483).
        rank = 1.1 if number == 2 else float(number)
        scale = 0 if code in _WITHOUT_MINOR_UNIT else 2
        fiats[code] = Fiat(code, country, float(offset), symbol, scale, rank)
    return fiats


FIATS: dict[str, Fiat] = _read_fiats()


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A pair on the exchange's menu and the usual number of offers on each taker's side."""

    fiat: str
    asset: str
    buy_size: float
    sell_size: float


def listed_pairs(seed: int) -> list[ListedPair]:
    """Every pair of every fiat, by the fiat's size; always the same for a seed."""
    pairs = []
    for fiat in FIATS.values():
        # One generator a fiat, so that a market of few fiats has the books of the whole one.
        rng = seeded(seed, "universe", fiat.code)
        whole = 1600.0 / fiat.rank
        for asset in ASSET_SCALES:
            if asset == "USDT":
                size = whole * rng.uniform(0.9, 1.1)
                empty = fiat.rank > 60 and rng.random() < 0.08
            elif asset in MAJORS:
                size = max(1.0, whole * 0.02 * 7.5 ** rng.random())
                empty = rng.random() < 0.14
            else:
                if rng.random() > (0.8 if fiat.rank < 40 else 0.45):
                    continue
                size = rng.choice((1.0, 1.0, 2.0, 2.0, 3.0, 5.0))
                empty = rng.random() < 0.17
            if empty:
                pairs.append(ListedPair(fiat.code, asset, 0.0, 0.0))
                continue
            if asset == "USDT":
                buy, sell = size * 0.80, size * 1.05
            else:
                buy, sell = round(size * rng.uniform(0.5, 1.1)), round(size * rng.uniform(0.6, 1.2))
            pairs.append(ListedPair(fiat.code, asset, buy or 1.0, sell))
    return pairs
