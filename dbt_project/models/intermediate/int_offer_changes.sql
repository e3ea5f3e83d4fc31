{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[
            {'columns': ['snapshot_id', 'adv_no'], 'unique': True},
            {'columns': ['snapshot_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["fact_snapshots", "fact_offers", "fact_advertiser_statistics"]) }}',
            '{{ rewind_market("snapshot_at") }}',
        ],
    )
}}

{%- set book = ['fiat_code', 'asset_code', 'side'] -%}
{%- set snapshots = ref('fact_snapshots') -%}
{%- set offers = ref('fact_offers') -%}
{%- set statistics = ref('fact_advertiser_statistics') %}

with

readings as (

    select
        snapshot_id,
        fiat_code,
        asset_code,
        side,
        started_at
    from {{ snapshots }}
    where
        quality_verdict = 'trusted'
        {% if is_incremental() %}
            and {{ since_horizon('started_at') }}
        {% endif %}

),

intervals as (

    select
        readings.*,
        preceding.snapshot_id as previous_snapshot_id,
        preceding.started_at as previous_at
    from readings
    {{ left_join_reading(snapshots, 'preceding', 'readings', 'before', 'readings.started_at') }}

),

ended as (

    select
        intervals.snapshot_id,
        intervals.previous_snapshot_id,
        intervals.started_at,
        intervals.previous_at,
        versions.*
    from intervals
    {{ join_versions_ended(
        offers, 'versions', 'intervals', book, 'intervals.previous_at', 'intervals.started_at'
    ) }}

),

compared as (

    select
        ended.*,
        {{ largest_order('ended') }} as largest_order_amount,
        next_version.offer_version_key as next_version_key,
        case
            when next_version.offer_version_key is null then ended.user_no
            else next_version.user_no
        end as advertiser_no,
        next_version.price as price_after,
        next_version.tradable_quantity as quantity_after
    from ended
    {{ left_join_version_begun(
        offers, 'next_version', 'ended', ['adv_no'] + book, 'ended.previous_at', 'ended.started_at'
    ) }}
    where
        next_version.offer_version_key is null
        or next_version.price != ended.price
        or next_version.tradable_quantity is distinct from ended.tradable_quantity

),

judged as (

    select
        snapshot_id,
        previous_snapshot_id,
        offer_version_key,
        next_version_key,
        adv_no,
        fiat_code,
        asset_code,
        side,
        advertiser_no as user_no,
        coalesce(advertiser_no, adv_no) as advertiser,
        price as price_before,
        price_after,
        tradable_quantity as quantity_before,
        quantity_after,
        -- What vanished did not fall: nobody knows where it went.
        greatest(tradable_quantity - quantity_after, 0) as quantity_fallen,
        min_order_amount,
        max_order_amount,
        largest_order_amount,
        previous_at as previous_snapshot_at,
        started_at as snapshot_at
    from compared

),

final as (

    select
        judged.snapshot_id,
        judged.previous_snapshot_id,
        judged.offer_version_key,
        judged.next_version_key,
        judged.adv_no,
        judged.fiat_code,
        judged.asset_code,
        judged.side,
        judged.user_no,
        judged.advertiser,
        judged.price_before,
        judged.price_after,
        judged.quantity_before,
        judged.quantity_after,
        judged.quantity_fallen,
        judged.min_order_amount,
        judged.max_order_amount,
        orders_after.month_order_count - orders_before.month_order_count as order_count_change,
        judged.next_version_key is null as is_vanished,
        judged.quantity_fallen > 0
        and judged.price_after = judged.price_before
        and judged.quantity_fallen * judged.price_before
        between coalesce(judged.min_order_amount, 0)
        and coalesce(judged.largest_order_amount, 'infinity') as is_fill,
        judged.previous_snapshot_at,
        judged.snapshot_at
    from judged
    {{ left_join_version_at(
        statistics, 'orders_before', 'judged', 'user_no', 'judged.previous_snapshot_at'
    ) }}
    {{ left_join_version_at(
        statistics, 'orders_after', 'judged', 'user_no', 'judged.snapshot_at'
    ) }}

)

select * from final
