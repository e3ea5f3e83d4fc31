{{ config(materialized='view', meta={'tested_by': ['snapshot_at']}) }}

with

changes as (

    select * from {{ ref('int_offer_changes') }}

),

rules as (

    {{ rule_thresholds(
        ref('actor_rules'),
        ['decay_confidence', 'decay_and_orders_confidence', 'fill_interval'],
    ) }}

),

fills as (

    select
        *,
        {{ minutes_between('previous_snapshot_at', 'snapshot_at') }} as minutes_between_snapshots,
        coalesce(order_count_change > 0, false) as has_more_orders
    from changes
    where is_fill

),

final as (

    select
        fills.snapshot_id,
        fills.previous_snapshot_id,
        fills.offer_version_key,
        fills.adv_no,
        fills.fiat_code,
        fills.asset_code,
        fills.side,
        fills.fiat_code || '/' || fills.asset_code as trading_pair,
        fills.user_no,
        case when fills.has_more_orders then 'decay_and_orders' else 'decay' end as method,
        fills.price_before as price,
        trim_scale(fills.quantity_fallen) as quantity,
        trim_scale(fills.price_before * fills.quantity_fallen) as value,
        fills.order_count_change,
        trim_scale(round(
            case
                when fills.has_more_orders then rules.decay_and_orders_confidence
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

)

select * from final
