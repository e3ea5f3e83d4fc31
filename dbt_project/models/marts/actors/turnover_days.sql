{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        pre_hook=[
            '{{ claim_loads(["market_quotes", "int_offer_changes"]) }}',
            '{{ rewind_turnover() }}',
        ],
    )
}}

{%- set snapshots = ref('fact_snapshots') -%}
{%- set offers = ref('fact_offers') %}

with

rules as (

    {{ rule_thresholds(ref('actor_rules'), ['fills_seen_at_four_hours']) }}

),

{% if is_incremental() %}
    reopened as {{ once() }} (

        select readings.snapshot_id
        from returned_days as returned
        inner join {{ snapshots }} as readings
            on
                returned.fiat_code = readings.fiat_code
                and returned.asset_code = readings.asset_code
                and returned.side = readings.side
        where
            readings.started_at >= {{ start_of_day('returned.day') }}
            and readings.started_at < {{ start_of_day('(returned.day + 1)') }}

    ),
{% endif %}

quotes as (

    select * from {{ ref('market_quotes') }}
    where
        not is_withheld
        {% if is_incremental() %}
            and {{ since_day_of_horizon('snapshot_at', is_time=true) }}
        {% endif %}

    {% if is_incremental() %}
        union all

        select * from {{ ref('market_quotes') }}
        where
            not is_withheld
            and {{ is_among('snapshot_id', 'select reopened.snapshot_id from reopened') }}
    {% endif %}

),

changes as (

    select * from {{ ref('int_offer_changes') }}
    {% if is_incremental() %}
        where {{ since_day_of_horizon('snapshot_at', is_time=true) }}

        union all

        select * from {{ ref('int_offer_changes') }}
        where {{ is_among('snapshot_id', 'select reopened.snapshot_id from reopened') }}
    {% endif %}

),

days as (

    select
        {{ utc_day('snapshot_at') }} as day,
        fiat_code,
        asset_code,
        side,
        count(*)::integer as snapshots,
        sum(tradable_quantity) / count(*) as listed_quantity,
        min(snapshot_at) as first_at,
        max(snapshot_at) as last_at
    from quotes
    group by day, fiat_code, asset_code, side

),

books as (

    select
        days.*,
        {{ minutes_between('coalesce(preceding.started_at, days.first_at)', 'days.last_at') }}
        / nullif(
            days.snapshots - case when preceding.started_at is null then 1 else 0 end, 0
        ) as minutes_between_snapshots
    from days
    {{ left_join_reading(snapshots, 'preceding', 'days', 'before', 'days.first_at') }}

),

bounded as (

    select
        changes.*,
        {{ utc_day('changes.snapshot_at') }} as day,
        changes.quantity_fallen * changes.price_before as value_fallen,
        changes.is_fill and coalesce(changes.order_count_change > 0, false) as is_sure,
        -- Of what vanished, what did not come back: all of it, or what it had lost when it did.
        case
            when changes.is_vanished
                then greatest(
                    changes.quantity_before - coalesce(returned.tradable_quantity, 0), 0
                )
            else changes.quantity_fallen
        end as quantity_lost
    from changes
    {{ left_join_sighting(
        offers,
        snapshots,
        'returned',
        'changes',
        'after',
        "case when changes.is_vanished then changes.snapshot_at else 'infinity' end",
    ) }}

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
        sum(quantity_lost) as upper_quantity,
        sum(quantity_lost * price_before) as upper_value
    from bounded
    group by day, fiat_code, asset_code, side

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
            as listed_share,
        trim_scale(round(books.minutes_between_snapshots, 3)) as minutes_between_snapshots,
        trim_scale(round(
            power(rules.fills_seen_at_four_hours, books.minutes_between_snapshots / 240), 4
        )) as confidence
    from books
    inner join rules
        on
            books.last_at >= rules.valid_from
            and (books.last_at < rules.valid_to or rules.valid_to is null)
    left join moved
        on
            books.day = moved.day
            and books.fiat_code = moved.fiat_code
            and books.asset_code = moved.asset_code
            and books.side = moved.side

)

select * from final
