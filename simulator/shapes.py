"""The three generations of an offer's keys, in the order in which the exchange writes them.

59 + 18 keys in 2022, 69 + 21 in 2024, 81 + 25 in 2026. Keys were only ever added, but some values
changed form: amounts lost their decimals, the commission rate and empty lists became null.
"""

from __future__ import annotations

from dataclasses import dataclass

_HEAD = """advNo classify tradeType asset fiatUnit advStatus priceType priceFloatingRatio
rateFloatingRatio currencyRate price initAmount surplusAmount"""
_CONDITIONS = """amountAfterEditing maxSingleTransAmount minSingleTransAmount buyerKycLimit
buyerRegDaysLimit buyerBtcPositionLimit remarks autoReplyMsg payTimeLimit tradeMethods
userTradeCountFilterTime userBuyTradeCountMin userBuyTradeCountMax userSellTradeCountMin
userSellTradeCountMax userAllTradeCountMin userAllTradeCountMax userTradeCompleteRateFilterTime
userTradeCompleteCountMin userTradeCompleteRateMin userTradeVolumeFilterTime userTradeType
userTradeVolumeMin userTradeVolumeMax userTradeVolumeAsset createTime advUpdateTime fiatVo
assetVo advVisibleRet"""
_KYC = "takerAdditionalKycRequired minFiatAmountForAdditionalKyc inventoryType offlineReason"
_SCALES = """assetLogo assetScale fiatScale priceScale fiatSymbol isTradable
dynamicMaxSingleTransAmount minSingleTransQuantity maxSingleTransQuantity
dynamicMaxSingleTransQuantity"""
_FEES = "commissionRate takerCommissionRate minTakerFee tradeMethodCommissionRates"
_TAIL = "launchCountry abnormalStatusList closeReason"
_STORE = "storeInformation allowTradeMerchant adTradeInstructionTagInfoRets isSafePayment"
_NEWEST = """adAdditionalKycVerifyItems isStarTraderAdditionalKycExclusion
isStarTraderCounterpartyConditionsExclusion nonTradableRegions invisibleType invisibleTitle
invisibleReason privilegeType advSystemLabelRet redirectLink redirectDeeplink"""

_PERSON = "userNo realName nickName margin marginUnit orderCount monthOrderCount monthFinishRate"
_CONTACT = "advConfirmTime email registrationTime mobile userType tagIconUrls userGrade"
_MARKS = "userIdentity proMerchant"

METHOD_KEYS: tuple[str, ...] = tuple(
    """payId payMethodId payType payAccount payBank paySubBank identifier iconUrlColor
    tradeMethodName tradeMethodShortName tradeMethodBgColor""".split()
)


def _keys(*parts: str) -> tuple[str, ...]:
    return tuple(" ".join(parts).split())


@dataclass(frozen=True, slots=True)
class Generation:
    """How the exchange wrote an offer in a year.

    `whole_amounts`: fiat amounts without decimals. `commissions`: what a user and a merchant pay,
    as a fraction of the traded quantity; `shows_commission` tells whether the payload says so.
    `ad_prefixes`: what stands before the snowflake in a user's and in a merchant's ad number.
    """

    year: int
    adv_keys: tuple[str, ...]
    advertiser_keys: tuple[str, ...]
    item_keys: tuple[str, ...]
    constants: dict[str, str]
    whole_amounts: bool
    shows_commission: bool
    shows_pay_time: bool
    names_pay_type: bool
    commissions: tuple[str, str]
    ad_prefixes: tuple[str, str]


GENERATIONS: dict[int, Generation] = {
    2022: Generation(
        year=2022,
        adv_keys=_keys(
            _HEAD,
            _CONDITIONS,
            _SCALES,
            "tradableQuantity commissionRate tradeMethodCommissionRates",
            _TAIL,
        ),
        advertiser_keys=_keys(_PERSON, _CONTACT, _MARKS, "isBlocked"),
        item_keys=("adv", "advertiser"),
        constants={
            "autoReplyMsg": '""',
            "isTradable": "true",
            "tradeMethodCommissionRates": "[]",
            "tagIconUrls": "[]",
        },
        whole_amounts=False,
        shows_commission=True,
        shows_pay_time=False,
        names_pay_type=False,
        commissions=("0.00100000", "0.00080000"),
        ad_prefixes=("11", "11"),
    ),
    2024: Generation(
        year=2024,
        adv_keys=_keys(_HEAD, "tradableQuantity", _CONDITIONS, _KYC, _SCALES, _FEES, _TAIL, _STORE),
        advertiser_keys=_keys(
            _PERSON, "positiveRate", _CONTACT, _MARKS, "badges isBlocked activeTimeInSecond"
        ),
        item_keys=("adv", "advertiser"),
        constants={
            "isTradable": "true",
            "tradeMethodCommissionRates": "[]",
            "adTradeInstructionTagInfoRets": "[]",
            "isSafePayment": "false",
            "tagIconUrls": "[]",
            "isBlocked": "false",
        },
        whole_amounts=False,
        shows_commission=True,
        shows_pay_time=True,
        names_pay_type=True,
        commissions=("0.00200000", "0.00160000"),
        ad_prefixes=("12", "12"),
    ),
    2026: Generation(
        year=2026,
        adv_keys=_keys(
            *(_HEAD, "tradableQuantity", _CONDITIONS, _KYC, "voucherTemplate"),
            *(_SCALES, _FEES, _TAIL, _STORE, _NEWEST),
        ),
        advertiser_keys=_keys(
            *(_PERSON, "positiveRate", _CONTACT, _MARKS, "badges vipLevel isBlocked"),
            "activeTimeInSecond merchantGroupMember redirectLink redirectDeeplink",
        ),
        item_keys=(
            "adv",
            "advertiser",
            "privilegeDesc",
            "privilegeType",
            "privilegeTypeAdTotalCount",
        ),
        constants={
            "isTradable": "true",
            "isSafePayment": "false",
            "tagIconUrls": "[]",
            "isBlocked": "false",
            "merchantGroupMember": "false",
        },
        whole_amounts=True,
        shows_commission=False,
        shows_pay_time=True,
        names_pay_type=True,
        commissions=("0.00100000", "0.00070000"),
        ad_prefixes=("12", "13"),
    ),
}
