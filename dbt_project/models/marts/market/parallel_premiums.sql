{%- set most_seconds = var('spread_max_seconds', 600) -%}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        indexes=[
            {'columns': ['day', 'fiat_code', 'asset_code', 'rate_kind'], 'unique': True},
            {'columns': ['fiat_code', 'asset_code', 'day']},
        ],
        pre_hook=[
            '{{ claim_loads(["market_spreads", "official_rates", "usd_per_asset_days"]) }}',
            '{{ rewind_days_since(
                first_day_of_anything_new(var("spread_max_seconds", 600))
            ) }}',
        ],
    )
}}

with

spreads as (

    select
        *,
        {{ utc_day('buy_snapshot_at') }} as day
    from {{ ref('market_spreads') }}
    where
        ask is not null
        and bid is not null
        {% if is_incremental() %}
            and buy_snapshot_at between (
                select {{ start_of_day('first_day.day') }}
                from ({{ first_day_of_anything_new(most_seconds) }}) as first_day (day)
            ) and 'infinity'
        {% endif %}

),

official as (

    select * from {{ ref('official_rates') }}

),

pegs as (

    select * from {{ ref('usd_per_asset_days') }}

),

stablecoins as (

    select * from {{ ref('usd_stablecoins') }}

),

ranked as (

    select
        *,
        row_number() over (partition by day, fiat_code, asset_code order by ask) as nth_ask,
        row_number() over (partition by day, fiat_code, asset_code order by bid) as nth_bid,
        count(*) over (partition by day, fiat_code, asset_code) as n_spreads
    from spreads

),

pair_days as (

    select
        day,
        fiat_code,
        asset_code,
        trading_pair,
        {{ interpolated('ask', 'nth_ask', 'n_spreads', '0.5') }} as p2p_ask,
        {{ interpolated('bid', 'nth_bid', 'n_spreads', '0.5') }} as p2p_bid,
        max(n_spreads)::integer as n_spreads,
        percentile_disc(0.5) within group (order by n_offers) as n_offers,
        percentile_disc(0.5) within group (order by confidence) as confidence
    from ranked
    group by day, fiat_code, asset_code, trading_pair

),

joined as (

    select
        pair_days.*,
        (pair_days.p2p_ask + pair_days.p2p_bid) / 2 as p2p_mid,
        official.rate_kind,
        official.rate_source,
        official.rate as official_rate,
        official.bid as official_bid,
        official.ask as official_ask,
        official.withheld_rate,
        official.days_carried,
        official.is_carried_forward as is_official_carried_forward,
        official.rate_date as official_rate_date,
        -- A coin that its issuer redeems at a dollar is one where no spot price says otherwise.
        case
            when pegs.usd_per_asset is not null then 'spot'
            when stablecoins.asset_code is not null then 'par'
        end as peg_kind,
        coalesce(
            pegs.usd_per_asset, case when stablecoins.asset_code is not null then 1 end
        ) as usd_per_asset,
        pegs.is_carried_forward as is_peg_carried_forward
    from pair_days
    left join official on pair_days.day = official.day and pair_days.fiat_code = official.fiat_code
    left join pegs on pair_days.day = pegs.day and pair_days.asset_code = pegs.asset_code
    left join stablecoins
        on
            pair_days.asset_code = stablecoins.asset_code
            and {{ holds_at('stablecoins', start_of_day('pair_days.day')) }}

),

final as (

    select
        day,
        fiat_code,
        asset_code,
        rate_kind,
        trading_pair,
        rate_source,
        peg_kind,
        p2p_ask,
        p2p_bid,
        trim_scale(p2p_mid) as p2p_mid,
        official_rate,
        official_bid,
        official_ask,
        withheld_rate,
        usd_per_asset,
        trim_scale(p2p_mid / usd_per_asset) as shadow_rate,
        trim_scale((p2p_mid / usd_per_asset / official_rate - 1) * 100) as premium_mid_pct,
        -- A source that quotes one rate quotes it to both sides.
        trim_scale(
            (p2p_bid / usd_per_asset / coalesce(official_bid, official_rate) - 1) * 100
        ) as premium_sell_pct,
        trim_scale(
            (p2p_ask / usd_per_asset / coalesce(official_ask, official_rate) - 1) * 100
        ) as premium_buy_pct,
        n_spreads,
        n_offers,
        confidence,
        days_carried,
        p2p_ask < p2p_bid as is_crossed,
        is_official_carried_forward,
        is_peg_carried_forward,
        official_rate_date
    from joined

)

select * from final
