"""The little that the loader understands of an offer: its number, its sameness, its keys."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

# The keys of an offer as of 2026 (81 + 25, and the item's and the payment method's own). Keys were
# only ever added since 2022, so older payloads bring nothing that is not here.
KNOWN: Mapping[str, frozenset[str]] = {
    "item": frozenset(
        "adv advertiser privilegeDesc privilegeType privilegeTypeAdTotalCount".split()
    ),
    "adv": frozenset(
        """
        abnormalStatusList adAdditionalKycVerifyItems adTradeInstructionTagInfoRets advNo advStatus
        advSystemLabelRet advUpdateTime advVisibleRet allowTradeMerchant amountAfterEditing asset
        assetLogo assetScale assetVo autoReplyMsg buyerBtcPositionLimit buyerKycLimit
        buyerRegDaysLimit classify closeReason commissionRate createTime currencyRate
        dynamicMaxSingleTransAmount dynamicMaxSingleTransQuantity fiatScale fiatSymbol fiatUnit
        fiatVo initAmount inventoryType invisibleReason invisibleTitle invisibleType isSafePayment
        isStarTraderAdditionalKycExclusion isStarTraderCounterpartyConditionsExclusion isTradable
        launchCountry maxSingleTransAmount maxSingleTransQuantity minFiatAmountForAdditionalKyc
        minSingleTransAmount minSingleTransQuantity minTakerFee nonTradableRegions offlineReason
        payTimeLimit price priceFloatingRatio priceScale priceType privilegeType rateFloatingRatio
        redirectDeeplink redirectLink remarks storeInformation surplusAmount
        takerAdditionalKycRequired takerCommissionRate tradableQuantity tradeMethodCommissionRates
        tradeMethods tradeType userAllTradeCountMax userAllTradeCountMin userBuyTradeCountMax
        userBuyTradeCountMin userSellTradeCountMax userSellTradeCountMin userTradeCompleteCountMin
        userTradeCompleteRateFilterTime userTradeCompleteRateMin userTradeCountFilterTime
        userTradeType userTradeVolumeAsset userTradeVolumeFilterTime userTradeVolumeMax
        userTradeVolumeMin voucherTemplate
        """.split()
    ),
    "advertiser": frozenset(
        """
        activeTimeInSecond advConfirmTime badges email isBlocked margin marginUnit
        merchantGroupMember mobile monthFinishRate monthOrderCount nickName orderCount positiveRate
        proMerchant realName redirectDeeplink redirectLink registrationTime tagIconUrls userGrade
        userIdentity userNo userType vipLevel
        """.split()
    ),
    "adv.tradeMethods": frozenset(
        """
        iconUrlColor identifier payAccount payBank payId payMethodId paySubBank payType
        tradeMethodBgColor tradeMethodName tradeMethodShortName
        """.split()
    ),
}
LONGEST_PATH = 200
JSON_TYPES = {
    dict: "object",
    list: "array",
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
}


def offer_number(item: Mapping[str, Any]) -> str | None:
    """The ad number as text, or None where there is none that could be a key."""
    adv = item.get("adv")
    number = adv.get("advNo") if isinstance(adv, dict) else None
    if isinstance(number, int) and not isinstance(number, bool):
        return str(number)
    return number if isinstance(number, str) and number.strip() else None


def digest(item: Mapping[str, Any]) -> bytes:
    """What an offer says, in 16 bytes, whatever the order of its keys.

    Left out is `activeTimeInSecond` alone, which differs in 94 to 99% of the offers from one
    reading to the next. Being promoted is part of what an offer says; where it stands is not.
    Takes that key out of `item`, which is quicker than a copy and all the same: what lands is the
    body as it came.

    Raises:
        orjson.JSONEncodeError: the offer nests more than 254 deep.
    """
    advertiser = item.get("advertiser")
    if isinstance(advertiser, dict):
        advertiser.pop("activeTimeInSecond", None)
    return blake2b(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def fingerprint(digests: Iterable[tuple[str, bytes]]) -> str:
    """What a whole book says, from the (number, digest) of its offers, in 32 hexadecimal digits.

    Each distinct pair counts once, in the order of the numbers: so an offer that was met twice
    across a page edge changes nothing, and one that was met in two different states does.
    """
    whole = blake2b(digest_size=16)
    for number, said in sorted(set(digests)):
        whole.update(number.encode(errors="surrogatepass") + b"\0" + said)
    return whole.hexdigest()


def parts(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects that make up an offer, each with its place: item, advertiser, adv, methods."""
    yield "item", item
    advertiser, adv = item.get("advertiser"), item.get("adv")
    if isinstance(advertiser, dict):
        yield "advertiser", advertiser
    if isinstance(adv, dict):
        yield "adv", adv
        methods = adv.get("tradeMethods")
        for method in methods if isinstance(methods, list) else ():
            if isinstance(method, dict):
                yield "adv.tradeMethods", method


def new_fields(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The (path, JSON type) of every key of an offer that was not there in 2026."""
    for place, part in parts(item):
        for key in part.keys() - KNOWN[place]:
            yield f"{place}.{key}"[:LONGEST_PATH], JSON_TYPES.get(type(part[key]), "null")
