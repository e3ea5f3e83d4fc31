{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        indexes=[{'columns': ['day', 'fiat_code', 'asset_code', 'side'], 'unique': True}],
        pre_hook=[
            '{{ claim_loads(["market_quotes", "int_offer_changes"]) }}',
            '{{ rewind_days() }}',
        ],
    )
}}

with

quotes as (

    select * from {{ ref('market_quotes') }}
    where
        not is_withheld
        {% if is_incremental() %}
            and {{ since_day_of_horizon('snapshot_at', is_time=true) }}
        {% endif %}

),

changes as (

    select * from {{ ref('int_offer_changes') }}
    {% if is_incremental() %}
        where {{ since_day_of_horizon('snapshot_at', is_time=true) }}
    {% endif %}

),

books as (

    select
        {{ utc_day('snapshot_at') }} as day,
        fiat_code,
        asset_code,
        side,
        count(*)::integer as snapshots,
        sum(tradable_quantity) / count(*) as listed_quantity
    from quotes
    group by 1, 2, 3, 4

),

bounded as (

    select
        *,
        {{ utc_day('snapshot_at') }} as day,
        quantity_fallen * price_before as value_fallen,
        is_fill and coalesce(order_count_change > 0, false) as is_sure,
        -- One order of an offer that vanished: none where its limits could not be met.
        case
            when is_vanished and quantity_before * price_before >= coalesce(min_order_amount, 0)
                then least(quantity_before * price_before, max_order_amount)
        end as value_vanished
    from changes

),

moved as (

    select
        day,
        fiat_code,
        asset_code,
        side,
        count(*) filter (where is_fill)::integer as fills,
        sum(quantity_fallen) filter (where is_fill) as inferred_quantity,
        sum(value_fallen) filter (where is_fill) as inferred_value,
        sum(quantity_fallen) filter (where is_sure) as lower_quantity,
        sum(value_fallen) filter (where is_sure) as lower_value,
        sum(quantity_fallen + coalesce(value_vanished / price_before, 0)) as upper_quantity,
        sum(value_fallen + coalesce(value_vanished, 0)) as upper_value
    from bounded
    group by 1, 2, 3, 4

),

final as (

    select
        books.day,
        books.fiat_code,
        books.asset_code,
        books.side,
        books.fiat_code || '/' || books.asset_code as trading_pair,
        books.snapshots,
        coalesce(moved.fills, 0) as fills,
        {% for sum in [
            'inferred_quantity', 'inferred_value', 'lower_quantity', 'lower_value',
            'upper_quantity', 'upper_value',
        ] %}
            trim_scale(coalesce(moved.{{ sum }}, 0)) as {{ sum }},
        {% endfor %}
        trim_scale(moved.inferred_value / moved.inferred_quantity) as fills_vwap,
        trim_scale(books.listed_quantity) as listed_quantity,
        trim_scale(coalesce(moved.inferred_quantity, 0) / nullif(books.listed_quantity, 0))
            as listed_share
    from books
    left join moved
        on
            books.day = moved.day
            and books.fiat_code = moved.fiat_code
            and books.asset_code = moved.asset_code
            and books.side = moved.side

)

select * from final
