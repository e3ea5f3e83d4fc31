{{ config(materialized='view', meta={'tested_by': ['snapshot_at']}) }}

with

changes as (

    select * from {{ ref('int_offer_changes') }}

),

rules as (

    {{ rule_thresholds(
        ref('actor_rules'),
        [
            'decay_confidence', 'decay_and_orders_confidence', 'decay_unconfirmable_confidence',
            'fill_interval',
        ],
    ) }}

),

fills as (

    select
        *,
        {{ minutes_between('previous_snapshot_at', 'snapshot_at') }} as minutes_between_snapshots,
        case
            when order_count_change > 0 then 'decay_and_orders'
            -- The count of the month loses its oldest day at and after midnight: over it only a
            -- rise says something. It never fell within a day in 5,624 recorded intervals.
            when
                coalesce(order_count_change < 0, true)
                or {{ utc_day('previous_snapshot_at') }} != {{ utc_day('snapshot_at') }}
                then 'decay_unconfirmable'
            else 'decay'
        end as method
    from changes
    where is_fill

),

final as (

    select
        fills.snapshot_id,
        fills.previous_snapshot_id,
        fills.offer_version_key,
        advertisers.advertiser_key,
        fills.adv_no,
        fills.fiat_code,
        fills.asset_code,
        fills.side,
        fills.fiat_code || '/' || fills.asset_code as trading_pair,
        fills.user_no,
        fills.method,
        fills.price_before as price,
        trim_scale(fills.quantity_fallen) as quantity,
        trim_scale(fills.price_before * fills.quantity_fallen) as value,
        fills.order_count_change,
        trim_scale(round(
            case fills.method
                when 'decay_and_orders' then rules.decay_and_orders_confidence
                when 'decay_unconfirmable' then rules.decay_unconfirmable_confidence
                else rules.decay_confidence
            end
            * least(1, rules.fill_interval / fills.minutes_between_snapshots),
            4
        )) as confidence,
        trim_scale(round(fills.minutes_between_snapshots, 3)) as minutes,
        fills.previous_snapshot_at,
        fills.snapshot_at
    from fills
    inner join rules
        on
            fills.snapshot_at >= rules.valid_from
            and (fills.snapshot_at < rules.valid_to or rules.valid_to is null)
    {{ left_join_version_at(
        ref('dim_advertisers'), 'advertisers', 'fills', 'user_no', 'fills.snapshot_at'
    ) }}

)

select * from final
