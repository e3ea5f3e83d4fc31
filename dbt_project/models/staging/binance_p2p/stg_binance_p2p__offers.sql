{#-
    Terms that an ad may set and that lists have shown as null so far: kept together, should one
    come.
-#}
{%- set other_terms = [
    'remarks', 'buyerKycLimit', 'buyerRegDaysLimit', 'buyerBtcPositionLimit', 'launchCountry',
    'userTradeCountFilterTime', 'userBuyTradeCountMin', 'userBuyTradeCountMax',
    'userSellTradeCountMin', 'userSellTradeCountMax', 'userAllTradeCountMin',
    'userAllTradeCountMax',
    'userTradeCompleteRateFilterTime', 'userTradeCompleteCountMin', 'userTradeCompleteRateMin',
    'userTradeVolumeFilterTime', 'userTradeVolumeMin', 'userTradeVolumeMax', 'userTradeVolumeAsset',
    'userTradeType', 'minFiatAmountForAdditionalKyc', 'adAdditionalKycVerifyItems',
    'nonTradableRegions', 'priceType', 'priceFloatingRatio', 'takerCommissionRate', 'minTakerFee',
] -%}

with

source as (

    select * from {{ ref('stg_binance_p2p__pages') }}

),

renamed as (

    select
        source.snapshot_id,
        source.page_number,
        item.position::integer as position,
        case when {{ is_made_of('adv."advNo"', '0-9', 32) }} then adv."advNo" end::text as adv_no,
        source.fiat_code,
        source.asset_code,
        source.side,
        case when adv."tradeType" in ('BUY', 'SELL') then adv."tradeType" end::text as maker_side,
        -- 0.13% of the user numbers lack their leading s; anything longer is nobody's.
        case
            when {{ is_made_of('advertiser."userNo"', '0-9A-Za-z', 64) }} then advertiser."userNo"
        end::text as user_no,
        adv.classify::text as offer_class,
        {{ json_of_those_present('adv', other_terms) }}::text as other_terms,
        adv."tradeMethods"::json as payment_methods,
        -- 0.73% of the offers list one identifier twice.
        {{ distinct_members(
            'adv."tradeMethods"', ['identifier', 'payType']
        ) }}::text[] as payment_method_identifiers,
        {{ to_decimal('adv.price') }}::numeric as price,
        {{ to_decimal('adv."surplusAmount"') }}::numeric as surplus_quantity,
        {{ to_decimal('adv."tradableQuantity"') }}::numeric as tradable_quantity,
        {{ to_decimal('adv."minSingleTransAmount"') }}::numeric as min_order_amount,
        {{ to_decimal('adv."maxSingleTransAmount"') }}::numeric as max_order_amount,
        {{ to_decimal('adv."dynamicMaxSingleTransAmount"') }}::numeric as dynamic_max_order_amount,
        {{ to_integer('adv."payTimeLimit"') }}::integer as pay_time_limit_minutes,
        {{ to_decimal('adv."commissionRate"') }}::numeric as commission_rate,
        {{ to_integer('adv."assetScale"') }}::integer as asset_scale,
        {{ to_integer('adv."fiatScale"') }}::integer as fiat_scale,
        {{ to_integer('adv."priceScale"') }}::integer as price_scale,
        -- A promoted ad is marked on the item; the ad's own privilegeType stays null.
        coalesce(item."privilegeType" not in ('', '0'), false)::boolean as is_promoted,
        coalesce(
            {{ to_boolean('adv."takerAdditionalKycRequired"') }}, false
        )::boolean as is_kyc_required,
        source.load_id,
        item.advertiser,
        -- Null for years on end, and false only where somebody may not take it.
        coalesce({{ to_boolean('adv."isTradable"') }}, true)::boolean as is_tradable,
        -- Asked for one book the exchange has answered with another's board, as if it were it.
        (
            coalesce(nullif(adv."fiatUnit", '') != source.fiat_code, false)
            or coalesce(nullif(adv.asset, '') != source.asset_code, false)
        )::boolean as is_foreign
    from source
    {{ open_items('source.body', 'item', ['privilegeType'], ['adv', 'advertiser']) }}
    {{ open_json(
        'item.adv',
        'adv',
        [
            'advNo', 'classify', 'tradeType', 'price', 'surplusAmount', 'tradableQuantity',
            'minSingleTransAmount', 'maxSingleTransAmount', 'dynamicMaxSingleTransAmount',
            'payTimeLimit', 'commissionRate', 'takerAdditionalKycRequired', 'assetScale',
            'fiatScale', 'priceScale', 'isTradable', 'fiatUnit', 'asset',
        ] + other_terms,
        ['tradeMethods']
    ) }}
    {{ open_json('item.advertiser', 'advertiser', ['userNo']) }}

)

select * from renamed
