{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['snapshot_at']},
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'side', 'snapshot_at']},
            {'columns': ['snapshot_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["int_book_offers"]) }}',
            '{{ rewind_market("snapshot_at") }}',
        ],
    )
}}

with

snapshots as (

    select
        snapshot_id,
        fiat_code,
        asset_code,
        side,
        trading_pair,
        quality_verdict = 'trusted' as is_trusted,
        coalesce(quality_reasons, quality_verdict) as doubts,
        -- A total drifts while a book is read, and one of nought was announced for an empty book.
        coalesce(
            least((offers_distinct + offers_unnumbered)::numeric / nullif(announced_total, 0), 1), 1
        ) as completeness,
        started_at as snapshot_at
    from {{ ref('fact_snapshots') }}
    {% if is_incremental() %}
        where {{ since_horizon('started_at') }}
    {% endif %}

),

rules as (

    {{ rule_thresholds(ref('offer_flag_rules'), competitive_rules()) }}

),

offers as (

    select * from {{ book_offers() }}
    {% if is_incremental() %}
        where {{ since_horizon('snapshot_at') }}
    {% endif %}

),

ranked as (

    select
        *,
        sum(quantity) over (partition by snapshot_id, advertiser) as advertiser_quantity,
        row_number() over (partition by snapshot_id, advertiser order by adv_no) = 1
            as is_first_of_advertiser,
        row_number() over (partition by snapshot_id, price_order order by nth_best)
            as nth_at_price,
        row_number() over (partition by snapshot_id, is_eligible order by nth_best)
            as nth_of_its_kind,
        count(*) filter (where is_eligible) over (partition by snapshot_id) as n_eligible
    from offers

),

-- Advertisers stand among the offers, each on the first of his: all in windows and nothing joined
-- back, as joins of this size on estimates of ten rows took minutes.
numbered as (

    select
        ranked.*,
        case
            when ranked.side = 'BUY' then ranked.nth_best
            else ranked.n_offers + 1 - ranked.nth_best
        end as nth_cheapest,
        row_number() over (
            partition by ranked.snapshot_id, ranked.is_first_of_advertiser
            order by ranked.advertiser_quantity desc, ranked.advertiser asc
        ) as nth_largest,
        count(*) filter (where ranked.is_first_of_advertiser) over (
            partition by ranked.snapshot_id
        ) as n_advertisers,
        rules.competitive_min_offers,
        rules.competitive_share,
        rules.competitive_min_advertisers
    from ranked
    inner join rules
        on
            ranked.snapshot_at >= rules.valid_from
            and (ranked.snapshot_at < rules.valid_to or rules.valid_to is null)

),

-- Planned apart: joined to estimates of ten rows it would be computed for each of them.
measured as {{ once() }} (

    select
        snapshot_id,
        max(price) filter (where nth_best = 1) as best_raw,
        abs(min(price_order) filter (where is_eligible)) as best_eligible,
        {{ interpolated('price', 'nth_cheapest', 'n_offers', '0.5') }} as median,
        {{ interpolated('price', 'nth_cheapest', 'n_offers', '0.1') }} as p10,
        {{ interpolated('price', 'nth_cheapest', 'n_offers', '0.25') }} as p25,
        {{ interpolated('price', 'nth_cheapest', 'n_offers', '0.75') }} as p75,
        {{ interpolated('price', 'nth_cheapest', 'n_offers', '0.9') }} as p90,
        sum(listed_value) / nullif(sum(quantity), 0) as vwap,
        sum(listed_value) filter (where is_eligible)
        / nullif(sum(quantity) filter (where is_eligible), 0) as vwap_eligible,
        abs({{ commonest('price_order', 'nth_best <= n_offers / 10') }}) as naive,
        -- Of equal prices each has its number, so the commonest has the highest.
        max(nth_at_price) filter (where nth_best <= n_offers / 10) as naive_support,
        abs(
            min(price_order) filter (
                where quantity_up_to_price >= 0.25 * book_quantity and book_quantity > 0
            )
        ) as ref_q25,
        {{ interpolated(
            'price', 'nth_of_its_kind', competitive_count('n_eligible'), '0.5', 'is_eligible'
        ) }} as competitive_median,
        max({{ competitive_count('n_eligible') }}) as n_competitive,
        {{ is_thin_market('is_eligible') }} as is_thin,
        {{ interpolated('price', 'nth_best', 'least(n_offers, 10)', '0.5') }} as top10_median,
        max(price) filter (where nth_best = 5) as conservative_5th,
        count(*) as n_offers,
        max(n_eligible) as n_eligible,
        max(n_advertisers) as n_advertisers,
        sum(quantity) as tradable_quantity,
        sum(listed_value) as tradable_value,
        sum(least(largest_order_amount, listed_value)) as executable_value,
        10000 * sum(advertiser_quantity * advertiser_quantity) filter (where is_first_of_advertiser)
        / nullif(sum(quantity) * sum(quantity), 0) as hhi,
        10000 * sum(quantity * quantity) / nullif(sum(quantity) * sum(quantity), 0) as hhi_offers,
        100 * sum(advertiser_quantity) filter (where is_first_of_advertiser and nth_largest <= 4)
        / nullif(sum(quantity), 0) as cr4,
        100 * sum(advertiser_quantity) filter (where is_first_of_advertiser and nth_largest <= 10)
        / nullif(sum(quantity), 0) as cr10,
        -- The same as 2 sum(k x) - (n + 1) sum(x): the largest is the last in ascending order.
        sum((n_advertisers + 1 - 2 * nth_largest) * advertiser_quantity) filter (
            where is_first_of_advertiser
        ) / nullif(max(n_advertisers) * sum(quantity), 0) as gini,
        count(*) filter (where is_merchant)::numeric / count(*) as merchant_share,
        count(*) filter (where is_promoted) as promoted_count
    from numbered
    group by snapshot_id

),

final as (

    select
        snapshots.snapshot_id,
        snapshots.fiat_code,
        snapshots.asset_code,
        snapshots.side,
        snapshots.trading_pair,
        case when not measured.is_thin then 'competitive_median' end as reference_price_kind,
        case when not snapshots.is_trusted then snapshots.doubts end as withheld_reason,
        measured.best_raw,
        measured.best_eligible,
        measured.median,
        measured.p10,
        measured.p25,
        measured.p75,
        measured.p90,
        trim_scale(measured.vwap) as vwap,
        trim_scale(measured.vwap_eligible) as vwap_eligible,
        measured.naive,
        measured.naive_support::integer as naive_support,
        measured.ref_q25,
        measured.competitive_median,
        measured.top10_median,
        measured.conservative_5th,
        case when not measured.is_thin then measured.competitive_median end as reference_price,
        -- An empty book has nothing on offer, and of one that was not read whole nobody knows.
        {% for total in ['n_offers', 'n_eligible', 'n_competitive', 'n_advertisers'] %}
            case when snapshots.is_trusted then coalesce(measured.{{ total }}, 0) end::integer
                as {{ total }},
        {% endfor %}
        {% for total in ['tradable_quantity', 'tradable_value', 'executable_value'] %}
            case when snapshots.is_trusted then trim_scale(coalesce(measured.{{ total }}, 0)) end
                as {{ total }},
        {% endfor %}
        trim_scale(measured.hhi) as hhi,
        trim_scale(measured.hhi_offers) as hhi_offers,
        trim_scale(measured.cr4) as cr4,
        trim_scale(measured.cr10) as cr10,
        trim_scale(measured.gini) as gini,
        trim_scale(measured.merchant_share) as merchant_share,
        case when snapshots.is_trusted then coalesce(measured.promoted_count, 0) end::integer
            as promoted_count,
        coalesce(
            trim_scale(
                round(
                    measured.n_eligible::numeric / (measured.n_eligible + 5)
                    * snapshots.completeness
                    * (1 - measured.hhi / 10000),
                    4
                )
            ),
            0
        ) as confidence,
        case when snapshots.is_trusted then coalesce(measured.is_thin, true) end as is_thin,
        not snapshots.is_trusted as is_withheld,
        snapshots.snapshot_at
    from snapshots
    left join measured on snapshots.snapshot_id = measured.snapshot_id and snapshots.is_trusted

)

select * from final
