{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        pre_hook=[
            '{{ claim_loads(["advertiser_days"]) }}',
            '{{ rewind_days() }}',
        ],
    )
}}

with

advertisers as (

    select * from {{ ref('advertiser_days') }}
    {% if is_incremental() %}
        where {{ since_day_of_horizon('day') }}
    {% endif %}

),

ranked as (

    select
        day,
        fiat_code,
        asset_code,
        side,
        trading_pair,
        quantity_sum as quantity,
        count(*) over book_of_day as n_advertisers,
        row_number() over (
            partition by day, fiat_code, asset_code, side
            order by quantity_sum desc, advertiser asc
        ) as nth_largest
    from advertisers
    window book_of_day as (partition by day, fiat_code, asset_code, side)

),

final as (

    select
        day,
        fiat_code,
        asset_code,
        side,
        trading_pair,
        count(*)::integer as n_advertisers,
        trim_scale(
            10000 * sum(quantity * quantity) / nullif(sum(quantity) * sum(quantity), 0)
        ) as hhi,
        trim_scale(
            100 * sum(quantity) filter (where nth_largest <= 4) / nullif(sum(quantity), 0)
        ) as cr4,
        trim_scale(
            100 * sum(quantity) filter (where nth_largest <= 10) / nullif(sum(quantity), 0)
        ) as cr10,
        -- As in `market_quotes`: the largest is the last in ascending order.
        trim_scale(
            sum((n_advertisers + 1 - 2 * nth_largest) * quantity)
            / nullif(max(n_advertisers) * sum(quantity), 0)
        ) as gini
    from ranked
    group by 1, 2, 3, 4, 5

)

select * from final
