{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['valid_from']},
        indexes=[
            {'columns': ['payment_method_key', 'valid_from']},
            {'columns': ['valid_from']},
        ],
        pre_hook=[
            '{{ claim_loads(["fact_offers", "dim_payment_methods"]) }}',
            '{{ rewind_books() }}',
        ],
    )
}}

-- depends_on: {{ ref('stg_binance_p2p__snapshots') }}
with

{% if is_incremental() %}
    horizons as (

        {{ book_horizons() }}

    ),
{% endif %}

offers as (

    select offers.*
    from {{ ref('fact_offers') }} as offers
    {% if is_incremental() %}
        inner join horizons
            on
                offers.fiat_code = horizons.fiat_code
                and offers.asset_code = horizons.asset_code
                and offers.side = horizons.side
                and offers.valid_from >= horizons.starts_at
        where offers.valid_from >= (select min(earliest.starts_at) from horizons as earliest)
    {% endif %}

),

payment_methods as (

    select * from {{ ref('dim_payment_methods') }}

),

unnested as (

    select
        offers.offer_version_key,
        offers.fiat_code,
        offers.asset_code,
        offers.side,
        offers.valid_from,
        identifier.value as identifier
    from offers
    {{ unnest_array('offers.payment_methods', 'identifier') }}

),

final as (

    select
        unnested.offer_version_key,
        payment_methods.payment_method_key,
        unnested.fiat_code,
        unnested.asset_code,
        unnested.side,
        unnested.identifier,
        unnested.valid_from
    from unnested
    inner join payment_methods on unnested.identifier = payment_methods.identifier

)

select * from final
