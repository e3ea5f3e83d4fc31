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

observations as (

    select * from {{ ref('int_advertiser_observations') }}
    where {{ is_newly_landed() }}

),

final as (

    select
        snapshot_id,
        user_no,
        nickname,
        user_type,
        user_identity,
        badges,
        user_grade,
        vip_level,
        month_order_count,
        month_finish_rate,
        positive_rate,
        is_merchant_group_member,
        load_id
    from observations

)

select * from final
