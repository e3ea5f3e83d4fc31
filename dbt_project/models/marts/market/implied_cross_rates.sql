{#- All pairs of fiats would be quadratic: 12,000 an asset and cycle. The deepest make 132. -#}
{%- set most_fiats = var('cross_rate_fiats', 12) -%}
{%- set most_seconds = var('spread_max_seconds', 600) -%}
{%- set is_of_these_cycles -%}
    snapshot_at between (
        select min(snapshots.started_at) - interval '{{ most_seconds }} seconds'
        from snapshots
    ) and 'infinity'
{%- endset -%}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['from_snapshot_at']},
        indexes=[
            {'columns': ['from_fiat_code', 'to_fiat_code', 'from_snapshot_at']},
            {'columns': ['from_snapshot_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["market_spreads", "official_rates"]) }}',
            '{{ rewind_cycles(var("spread_max_seconds", 600)) }}',
        ],
    )
}}

with

snapshots as (

    select * from {{ ref('fact_snapshots') }}
    where
        side = 'BUY'
        {% if is_incremental() %}
            and {{ is_among('run_id', touched_cycles(most_seconds)) }}
        {% endif %}

),

spreads as (

    select * from {{ ref('market_spreads') }}

),

-- Imported once for each side: one that is read twice is put together first, all of it. And since a
-- time, or the planner reads the quotes of all of history to find those of a cycle.
asks as (

    select * from {{ ref('market_quotes') }}
    {% if is_incremental() %}
        where {{ is_of_these_cycles }}
    {% endif %}

),

bids as (

    select * from {{ ref('market_quotes') }}
    {% if is_incremental() %}
        where {{ is_of_these_cycles }}
    {% endif %}

),

official as (

    select * from {{ ref('official_rates') }}
    where rate_kind = '{{ var("official_rate_kind", "mid_market") }}'

),

-- Where both pages have a reference price, there is a market.
read_in_cycle as (

    select
        snapshots.run_id,
        spreads.fiat_code,
        spreads.asset_code,
        spreads.buy_snapshot_id,
        spreads.sell_snapshot_id,
        spreads.ask,
        spreads.bid,
        spreads.mid,
        spreads.n_offers,
        spreads.confidence,
        spreads.is_crossed,
        spreads.buy_snapshot_at,
        spreads.sell_snapshot_at,
        least(asks.n_eligible, bids.n_eligible) as n_eligible,
        row_number() over (
            partition by snapshots.run_id, spreads.fiat_code, spreads.asset_code
            order by spreads.buy_snapshot_at desc
        ) as nth_latest
    from snapshots
    inner join spreads on snapshots.snapshot_id = spreads.buy_snapshot_id
    inner join asks on spreads.buy_snapshot_id = asks.snapshot_id
    inner join bids on spreads.sell_snapshot_id = bids.snapshot_id
    where spreads.reference_price_kind is not null

),

ranked as (

    select
        *,
        row_number() over (
            partition by run_id, asset_code
            order by n_eligible desc, fiat_code asc
        ) as nth_deepest
    from read_in_cycle
    where nth_latest = 1

),

deepest as {{ once() }} (

    select
        ranked.run_id,
        ranked.fiat_code,
        ranked.asset_code,
        ranked.buy_snapshot_id,
        ranked.sell_snapshot_id,
        ranked.ask,
        ranked.bid,
        ranked.mid,
        ranked.n_offers,
        ranked.confidence,
        official.rate as official_rate,
        ranked.is_crossed,
        official.is_carried_forward,
        ranked.buy_snapshot_at,
        ranked.sell_snapshot_at
    from ranked
    left join official
        on
            {{ utc_day('ranked.buy_snapshot_at') }} = official.day
            and ranked.fiat_code = official.fiat_code
    where ranked.nth_deepest <= {{ most_fiats }}

),

crossed as (

    select
        payer.run_id,
        payer.asset_code,
        payer.fiat_code as from_fiat_code,
        payee.fiat_code as to_fiat_code,
        payer.buy_snapshot_id as from_snapshot_id,
        payee.sell_snapshot_id as to_snapshot_id,
        payer.ask as from_ask,
        payee.bid as to_bid,
        payee.bid / payer.ask as implied_rate,
        payee.mid / payer.mid as mid_rate,
        payee.official_rate / payer.official_rate as official_cross_rate,
        payee.bid / payer.ask * (payer.bid / payee.ask) as kept,
        -- The two readings of which the rate is made.
        abs(extract(epoch from payee.sell_snapshot_at - payer.buy_snapshot_at))::numeric
            as seconds_between,
        least(payer.n_offers, payee.n_offers) as n_offers,
        least(payer.confidence, payee.confidence) as confidence,
        payer.is_crossed or payee.is_crossed as is_crossed,
        payer.is_carried_forward or payee.is_carried_forward as is_official_carried_forward,
        payer.buy_snapshot_at as from_snapshot_at
    from deepest as payer
    inner join deepest as payee
        on
            payer.run_id = payee.run_id
            and payer.asset_code = payee.asset_code
            and payer.fiat_code != payee.fiat_code

),

final as (

    select
        run_id,
        asset_code,
        from_fiat_code,
        to_fiat_code,
        from_snapshot_id,
        to_snapshot_id,
        from_ask,
        to_bid,
        trim_scale(implied_rate) as implied_rate,
        trim_scale(mid_rate) as mid_rate,
        trim_scale(official_cross_rate) as official_cross_rate,
        trim_scale((implied_rate / official_cross_rate - 1) * 100) as implied_premium_pct,
        trim_scale((mid_rate / official_cross_rate - 1) * 100) as mid_premium_pct,
        trim_scale((1 - kept) * 100) as round_trip_cost_pct,
        trim_scale(seconds_between) as seconds_between,
        n_offers,
        confidence,
        is_crossed,
        is_official_carried_forward,
        from_snapshot_at
    from crossed

)

select * from final
