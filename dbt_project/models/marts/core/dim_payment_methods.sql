{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='payment_method_key',
        on_schema_change='fail',
        pre_hook=['{{ require_pages() }}', '{{ claim_loads() }}'],
    )
}}

with

catalogue as (

    select
        identifier,
        name,
        fiat_code,
        read_at as seen_at
    from {{ ref('stg_binance_p2p__payment_methods') }}
    where
        identifier is not null
        {% if is_incremental() %}
            and {{ is_among('load_id', claimed_loads()) }}
        {% endif %}

),

snapshots as (

    select *
    from {{ ref('stg_binance_p2p__snapshots') }}
    where
        not is_unchanged
        {% if is_incremental() %}
            and {{ is_among('load_id', claimed_loads()) }}
        {% endif %}

),

methods as (

    {{ on_pages_of(
        'select snapshots.snapshot_id from snapshots',
        'stg_binance_p2p__offer_payment_methods',
        'int_opened_offers',
        of_methods=true,
    ) }}

),

offered as (

    select
        methods.identifier,
        methods.name,
        methods.fiat_code,
        snapshots.started_at as seen_at
    from methods
    inner join snapshots on methods.snapshot_id = snapshots.snapshot_id
    where methods.identifier is not null

),

sightings as (

    select * from catalogue

    union all

    select * from offered

),

seen as (

    select
        identifier,
        {{ distinct_values('name') }} as names,
        {{ distinct_values('fiat_code') }} as fiat_codes,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at
    from sightings
    group by identifier

),

final as (

    {# Sets, a least and a greatest: the order of the loads cannot matter, nor seeing one twice. #}
    select
        {{ surrogate_key(['seen.identifier']) }} as payment_method_key,
        seen.identifier,
        {% if is_incremental() %}
            {{ union_of_arrays(['seen.names', "coalesce(told.names, '{}')"]) }} as names,
            {{ union_of_arrays([
                'seen.fiat_codes', "coalesce(told.fiat_codes, '{}')",
            ]) }} as fiat_codes,
            least(seen.first_seen_at, told.first_seen_at) as first_seen_at,
            greatest(seen.last_seen_at, told.last_seen_at) as last_seen_at
        {% else %}
            seen.names,
            seen.fiat_codes,
            seen.first_seen_at,
            seen.last_seen_at
        {% endif %}
    from seen
    {% if is_incremental() %}
        left join {{ this }} as told on seen.identifier = told.identifier
    {% endif %}

)

select * from final
