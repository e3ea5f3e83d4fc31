{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        unlogged=true,
        pre_hook=['{{ claim_loads() }}', '{{ start_afresh() }}'],
    )
}}

with

offers as (

    select * from {{ ref('int_opened_offers') }}

),

advertisers as (

    {{ advertisers_of('offers') }}

),

final as (

    {{ observations_of('advertisers') }}

)

select * from final
