{#- Two readings farther apart than this say nothing of one moment. -#}
{%- set most_seconds = var('spread_max_seconds', 600) -%}
{%- set notions = [
    'best_raw', 'best_eligible', 'median', 'vwap', 'vwap_eligible', 'naive', 'ref_q25',
    'top10_median', 'conservative_5th',
] -%}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['buy_snapshot_at']},
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'buy_snapshot_at']},
            {'columns': ['buy_snapshot_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["market_quotes"]) }}',
            '{{ rewind_market("buy_snapshot_at", var("spread_max_seconds", 600)) }}',
        ],
    )
}}

with

quotes as (

    select * from {{ ref('market_quotes') }}
    where not is_withheld

),

-- Imported by itself, and so met by its index: from a CTE of both, whose size the planner cannot
-- know, the join took minutes.
bids as (

    select * from {{ ref('market_quotes') }}
    where side = 'SELL' and not is_withheld

),

fees as (

    select * from {{ ref('fee_schedule') }}

),

neighbours as (

    select
        *,
        max(case when side = 'SELL' then snapshot_at end) over (
            partition by fiat_code, asset_code
            order by snapshot_at asc, side desc
            rows between unbounded preceding and current row
        ) as sell_before_at,
        min(case when side = 'SELL' then snapshot_at end) over (
            partition by fiat_code, asset_code
            order by snapshot_at asc, side desc
            rows between current row and unbounded following
        ) as sell_after_at
    from quotes
    -- A new reading of one side can be nearer to a reading of the other that has a partner already:
    -- what lies within reach before the horizon is told again, and looks as far back for partners.
    {% if is_incremental() %}
        where {{ since_horizon('snapshot_at', 2 * most_seconds) }}
    {% endif %}

),

asks as (

    select
        *,
        -- As near on both sides: the earlier, which is known first.
        case
            when snapshot_at - sell_before_at <= sell_after_at - snapshot_at then sell_before_at
            else coalesce(sell_after_at, sell_before_at)
        end as sell_snapshot_at
    from neighbours
    where
        side = 'BUY'
        {% if is_incremental() %}
            and {{ since_horizon('snapshot_at', most_seconds) }}
        {% endif %}

),

paired as (

    select
        asks.snapshot_id as buy_snapshot_id,
        bids.snapshot_id as sell_snapshot_id,
        asks.fiat_code,
        asks.asset_code,
        asks.trading_pair,
        -- Two notions would make a spread of nothing.
        case
            when asks.reference_price_kind = bids.reference_price_kind
                then asks.reference_price_kind
        end as reference_price_kind,
        asks.reference_price as ask,
        bids.reference_price as bid,
        {% for notion in notions %}
            asks.{{ notion }} as ask_{{ notion }},
            bids.{{ notion }} as bid_{{ notion }},
        {% endfor %}
        trim_scale(abs(extract(epoch from asks.snapshot_at - bids.snapshot_at))::numeric)
            as seconds_between,
        least(asks.n_offers, bids.n_offers) as n_offers,
        least(asks.confidence, bids.confidence) as confidence,
        asks.is_thin or bids.is_thin as is_thin,
        asks.snapshot_at as buy_snapshot_at,
        bids.snapshot_at as sell_snapshot_at
    from asks
    inner join bids
        on
            asks.fiat_code = bids.fiat_code
            and asks.asset_code = bids.asset_code
            and asks.sell_snapshot_at = bids.snapshot_at

),

charged as (

    select
        paired.*,
        {{ fee_rate('maker', 'BUY') }} as maker_buy_fee,
        {{ fee_rate('maker', 'SELL') }} as maker_sell_fee,
        {{ fee_rate('taker', 'BUY') }} as taker_buy_fee,
        {{ fee_rate('taker', 'SELL') }} as taker_sell_fee
    from paired
    where paired.seconds_between <= {{ most_seconds }}

),

final as (

    select
        charged.buy_snapshot_id,
        charged.sell_snapshot_id,
        charged.fiat_code,
        charged.asset_code,
        charged.trading_pair,
        charged.reference_price_kind,
        charged.ask,
        charged.bid,
        trim_scale((charged.ask + charged.bid) / 2) as mid,
        trim_scale((charged.ask / charged.bid - 1) * 100) as spread_pct,
        -- Who sells by an ad on the BUY page and buys by one on the SELL page keeps this.
        trim_scale((
            charged.ask * (1 - charged.maker_buy_fee)
            / (charged.bid * (1 + charged.maker_sell_fee)) - 1
        ) * 100) as net_spread_pct,
        -- Who takes an ask and then a bid is left with this.
        trim_scale((
            charged.bid * (1 - charged.taker_sell_fee)
            / (charged.ask * (1 + charged.taker_buy_fee)) - 1
        ) * 100) as taker_round_trip_pct,
        {% for notion in notions %}
            charged.ask_{{ notion }},
            charged.bid_{{ notion }},
            trim_scale((charged.ask_{{ notion }} / charged.bid_{{ notion }} - 1) * 100)
                as spread_{{ notion }}_pct,
        {% endfor %}
        charged.seconds_between,
        charged.n_offers,
        charged.confidence,
        charged.is_thin,
        charged.ask < charged.bid as is_crossed,
        charged.ask_best_raw < charged.bid_best_raw as is_best_crossed,
        charged.buy_snapshot_at,
        charged.sell_snapshot_at
    from charged

)

select * from final
