{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='offer_version_key',
        merge_update_columns=['valid_to'],
        incremental_predicates=['DBT_INTERNAL_DEST.valid_to is null'],
        on_schema_change='fail',
        meta={'tested_by': ['valid_from', 'valid_to']},
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'side', 'valid_to']},
            {'columns': ['adv_no', 'valid_from']},
            {'columns': ['valid_from']},
            {'columns': ['valid_to']},
            {'columns': ['asset_code', 'valid_from']},
        ],
        pre_hook=[
            '{{ require_pages() }}',
            '{{ claim_loads(["dim_advertisers", "fact_snapshots"]) }}',
            '{{ rewind_books(ends="valid_to") }}',
        ],
        post_hook='{{ refresh_advertiser_keys() }}',
    )
}}

{#-
    Everything that the ad itself says. Its advertiser's statistics open no version: they have their
    own.
-#}
{%- set terms = [
    'maker_side', 'user_no', 'offer_class', 'payment_methods', 'other_terms', 'price',
    'surplus_quantity', 'tradable_quantity', 'min_order_amount', 'max_order_amount',
    'dynamic_max_order_amount', 'pay_time_limit_minutes', 'commission_rate', 'asset_scale',
    'fiat_scale', 'price_scale', 'is_promoted', 'is_kyc_required', 'is_tradable',
] -%}
{#- Added where it is false alone: all that can be taken keeps the hash that it had without it. -#}
{%- set hashed = terms[:-2] + [
    "case when is_tradable then '' else 'untradable ' end || is_kyc_required"
] -%}
{%- set offer = ['fiat_code', 'asset_code', 'side', 'adv_no'] | join(', ') %}

with

advertisers as (

    select * from {{ ref('dim_advertisers') }}

),

rules as (

    {{ rule_thresholds(ref('offer_flag_rules'), ['is_limit_fiction', 'is_micro_limit']) }}

),

horizons as (

    {{ book_horizons() }}

),

landed as (

    {{ readings_since('horizons') }}

),

snapshots as (

    select snapshot_id
    from {{ ref('fact_snapshots') }}
    where
        is_complete and faults is null
        {% if is_incremental() %}
            and {{ is_among('snapshot_id', 'select landed.snapshot_id from landed') }}
        {% endif %}

),

readings as (

    select
        landed.*,
        -- Only a whole and sound reading can show that an offer is gone: a page that failed, or
        -- another book's board, ends nothing.
        min(landed.started_at) filter (where snapshots.snapshot_id is not null) over (
            partition by landed.fiat_code, landed.asset_code, landed.side
            order by landed.started_at
            rows between 1 following and unbounded following
        ) as next_sound_at,
        min(landed.started_at) filter (where snapshots.snapshot_id is not null) over (
            partition by landed.fiat_code, landed.asset_code, landed.side
        ) as first_sound_at
    from landed
    left join snapshots on landed.snapshot_id = snapshots.snapshot_id

),

offers as (

    {{ on_pages_of(
        'select readings.snapshot_id from readings', 'stg_binance_p2p__offers', 'int_opened_offers'
    ) }}

),

shown as {{ once() }} (

    -- By name: what is kept here is written down, and most of a row is JSON for other models.
    select
        snapshot_id,
        page_number,
        position,
        {{ offer }},
        payment_method_identifiers,
        {{ terms | reject('equalto', 'payment_methods') | join(', ') }}
    from offers
    where {{ is_of_its_book() }}

),

ranked as (

    select
        shown.*,
        readings.started_at as observed_at,
        readings.next_sound_at,
        -- An ad that moved across a page edge stands twice: what was read last counts.
        row_number() over (
            partition by shown.snapshot_id, shown.adv_no
            order by shown.page_number desc, shown.position desc
        ) as nth_latest
    from shown
    inner join readings on shown.snapshot_id = readings.snapshot_id

),

observations as (

    select
        snapshot_id,
        fiat_code,
        asset_code,
        side,
        adv_no,
        maker_side,
        user_no,
        offer_class,
        payment_method_identifiers as payment_methods,
        other_terms,
        -- "500.00" became "500" in 2026: the same amount, and no change of the offer.
        trim_scale(price) as price,
        trim_scale(surplus_quantity) as surplus_quantity,
        -- Below nothing there is nothing to trade: one such offer would take from its whole book.
        case
            when coalesce(tradable_quantity, surplus_quantity) < 0 then 0
            else trim_scale(coalesce(tradable_quantity, surplus_quantity))
        end as tradable_quantity,
        trim_scale(min_order_amount) as min_order_amount,
        trim_scale(max_order_amount) as max_order_amount,
        trim_scale(dynamic_max_order_amount) as dynamic_max_order_amount,
        pay_time_limit_minutes,
        trim_scale(commission_rate) as commission_rate,
        asset_scale,
        fiat_scale,
        price_scale,
        is_promoted,
        is_kyc_required,
        is_tradable,
        observed_at,
        next_sound_at
    from ranked
    where nth_latest = 1

),

{% if is_incremental() %}
    books as (

        select
            fiat_code,
            asset_code,
            side,
            min(first_sound_at) as next_sound_at
        from readings
        group by fiat_code, asset_code, side

    ),
{% endif %}

points as (

    select
        {{ offer }},
        {{ terms | join(', ') }},
        {{ surrogate_key(hashed) }} as version_hash,
        snapshot_id as opened_snapshot_id,
        observed_at,
        next_sound_at,
        false as is_standing
    from observations

    {% if is_incremental() %}
        union all

        select
            {% for column in (offer ~ ', ' ~ terms | join(', ')).split(', ') %}
                standing.{{ column }},
            {% endfor %}
            standing.version_hash,
            standing.opened_snapshot_id,
            standing.valid_from as observed_at,
            books.next_sound_at,
            true as is_standing
        from {{ this }} as standing
        inner join books
            on
                standing.fiat_code = books.fiat_code
                and standing.asset_code = books.asset_code
                and standing.side = books.side
        where standing.valid_to is null
    {% endif %}

),

neighbours as (

    select
        *,
        lag(version_hash) over offer_in_time as previous_hash,
        lag(next_sound_at) over offer_in_time as previous_sound_at,
        lead(observed_at) over offer_in_time as next_observed_at
    from points
    window offer_in_time as (partition by {{ offer }} order by observed_at)

),

stretches as (

    select
        *,
        -- A version begins when the offer is new, changed, or was missing from a sound reading.
        (
            previous_hash is null
            or previous_hash != version_hash
            or coalesce(previous_sound_at < observed_at, false)
        ) as is_opening,
        case
            when next_sound_at < next_observed_at or next_observed_at is null
                then next_sound_at
        end as vanished_at
    from neighbours

),

-- All in windows and nothing joined back: joins of this size on estimates of one row took minutes.
endings as (

    select
        *,
        min(case when is_opening then observed_at end) over (
            partition by {{ offer }}
            order by observed_at
            rows between 1 following and unbounded following
        ) as next_opened_at,
        min(vanished_at) over (
            partition by {{ offer }}
            order by observed_at
            rows between current row and unbounded following
        ) as next_vanished_at
    from stretches

),

versions as (

    select
        *,
        observed_at as valid_from,
        -- Where an offer vanished and came back, it vanished first.
        least(next_vanished_at, next_opened_at) as valid_to
    from endings
    where is_opening

),

final as (

    select
        {{ surrogate_key([
            'versions.fiat_code', 'versions.asset_code', 'versions.side', 'versions.adv_no',
            epoch_micros('versions.valid_from'),
        ]) }} as offer_version_key,
        advertisers.advertiser_key,
        versions.adv_no,
        versions.fiat_code,
        versions.asset_code,
        versions.side,
        versions.maker_side,
        versions.user_no,
        versions.offer_class,
        versions.payment_methods,
        versions.other_terms,
        versions.version_hash,
        versions.price,
        versions.surplus_quantity,
        versions.tradable_quantity,
        versions.min_order_amount,
        versions.max_order_amount,
        versions.dynamic_max_order_amount,
        versions.pay_time_limit_minutes,
        versions.commission_rate,
        versions.asset_scale,
        versions.fiat_scale,
        versions.price_scale,
        versions.is_promoted,
        versions.is_kyc_required,
        versions.is_tradable,
        coalesce(
            versions.min_order_amount
            > rules.is_limit_fiction * versions.price * versions.tradable_quantity,
            false
        ) as is_limit_fiction,
        coalesce(
            {{ largest_order('versions') }}
            < rules.is_micro_limit * versions.price * versions.tradable_quantity,
            false
        ) as is_micro_limit,
        {{ offer_created_at('versions.adv_no') }} as offer_created_at,
        versions.valid_from,
        versions.valid_to,
        versions.opened_snapshot_id
    from versions
    inner join rules
        on
            versions.valid_from >= rules.valid_from
            and (versions.valid_from < rules.valid_to or rules.valid_to is null)
    left join advertisers
        on
            versions.user_no = advertisers.user_no
            and versions.valid_from >= advertisers.valid_from
            and (versions.valid_from < advertisers.valid_to or advertisers.valid_to is null)
    -- What stood before and stands still is not written again.
    where not versions.is_standing or versions.valid_to is not null

)

select * from final
