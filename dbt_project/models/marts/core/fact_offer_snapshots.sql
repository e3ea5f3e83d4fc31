{{ config(materialized='view', meta={'tested_by': ['snapshot_at']}) }}

with

snapshots as (

    -- What an incomplete or faulty reading did not show may still be there: only complete ones
    -- without faults say what a book held.
    select * from {{ ref('fact_snapshots') }}
    where is_complete and faults is null

),

offers as (

    select * from {{ ref('fact_offers') }}

),

statistics as (

    select * from {{ ref('fact_advertiser_statistics') }}

),

rules as (

    {{ rule_thresholds(
        ref('offer_flag_rules'),
        [
            'is_without_history', 'is_low_reputation_orders', 'is_low_reputation_rate',
            'is_off_market', 'is_off_market_min_offers', 'is_off_market_reference',
            'absurd_reference',
        ],
    ) }}

),

held as (

    select
        snapshots.snapshot_id,
        snapshots.started_at as snapshot_at,
        -- Versions from before such quantities were clamped may be below nothing.
        case
            when offers.tradable_quantity < 0 then 0
            else offers.tradable_quantity
        end as quantity,
        offers.*
    from snapshots
    {{ join_versions_at(
        'offers', 'offers', 'snapshots', ['fiat_code', 'asset_code', 'side'], 'snapshots.started_at'
    ) }}

),

cumulated as (

    select
        held.*,
        count(*) over (partition by held.snapshot_id) as offers_in_book,
        sum(held.quantity) over (partition by held.snapshot_id) as quantity_in_book,
        sum(held.quantity) over (
            partition by held.snapshot_id
            order by {{ better_first('held.side', 'held.price') }}
        ) as quantity_up_to_price,
        row_number() over (
            partition by held.snapshot_id
            order by {{ better_first('held.side', 'held.price') }}
        ) as nth_best
    from held

),

referenced as (

    select
        cumulated.*,
        rules.is_without_history as without_history_orders,
        rules.is_low_reputation_orders,
        rules.is_low_reputation_rate,
        rules.is_off_market as off_market_distance,
        rules.is_off_market_min_offers as off_market_min_offers,
        rules.absurd_reference,
        max(cumulated.price) filter (
            where cumulated.nth_best = (cumulated.offers_in_book + 1) / 2
        ) over (partition by cumulated.snapshot_id) as middle_price,
        first_value(cumulated.price) over (
            partition by cumulated.snapshot_id
            order by
                cumulated.quantity_up_to_price
                < rules.is_off_market_reference * cumulated.quantity_in_book,
                {{ better_first('cumulated.side', 'cumulated.price') }}
        ) as price_at_share
    from cumulated
    inner join rules
        on
            cumulated.snapshot_at >= rules.valid_from
            and (cumulated.snapshot_at < rules.valid_to or rules.valid_to is null)

),

-- The price at a share of the quantity from the competitive end, and itself never off the market;
-- but one offer of a huge quantity at an absurd price is not to put all others off it.
placed as (

    select
        *,
        case
            when {{ is_of_the_market('price_at_share', 'middle_price', 'absurd_reference') }}
                then price_at_share
            else middle_price
        end as reference_price
    from referenced

),

flagged as (

    select
        placed.*,
        coalesce(
            statistics.month_order_count <= placed.without_history_orders, false
        ) as is_without_history,
        coalesce(
            statistics.month_order_count < placed.is_low_reputation_orders
            or statistics.month_finish_rate < placed.is_low_reputation_rate,
            false
        ) as is_low_reputation,
        coalesce(
            placed.offers_in_book >= placed.off_market_min_offers
            and placed.quantity_in_book > 0
            and abs(placed.price / nullif(placed.reference_price, 0) - 1)
            > placed.off_market_distance,
            false
        ) as is_off_market
    from placed
    {{ left_join_version_at(
        'statistics', 'statistics', 'placed', 'user_no', 'placed.snapshot_at'
    ) }}

),

final as (

    select
        snapshot_id,
        offer_version_key,
        advertiser_key,
        adv_no,
        fiat_code,
        asset_code,
        side,
        maker_side,
        user_no,
        offer_class,
        payment_methods,
        other_terms,
        version_hash,
        price,
        surplus_quantity,
        quantity as tradable_quantity,
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
        is_tradable,
        is_limit_fiction,
        is_micro_limit,
        is_without_history,
        is_low_reputation,
        is_off_market,
        is_tradable
        and not (is_limit_fiction or is_micro_limit or is_without_history or is_off_market)
            as is_eligible,
        offer_created_at,
        valid_from,
        valid_to,
        snapshot_at,
        opened_snapshot_id
    from flagged

)

select * from final
