{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        unlogged=true,
        pre_hook=['{{ claim_loads() }}', '{{ start_afresh() }}'],
    )
}}

with

offers as (

    select * from {{ ref('stg_binance_p2p__offers') }}
    where {{ is_newly_landed() }}

),

final as (

    select
        snapshot_id,
        page_number,
        position,
        adv_no,
        fiat_code,
        asset_code,
        side,
        maker_side,
        user_no,
        offer_class,
        other_terms,
        payment_methods,
        payment_method_identifiers,
        price,
        surplus_quantity,
        tradable_quantity,
        min_order_amount,
        max_order_amount,
        dynamic_max_order_amount,
        pay_time_limit_minutes,
        commission_rate,
        asset_scale,
        fiat_scale,
        price_scale,
        is_promoted,
        is_kyc_required,
        load_id,
        -- The last ones: to tables that an older version made they are added.
        advertiser,
        is_tradable,
        is_foreign
    from offers

)

select * from final
