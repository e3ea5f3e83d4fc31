{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['started_at']},
        indexes=[
            {'columns': ['snapshot_id'], 'unique': True},
            {'columns': ['fiat_code', 'asset_code', 'side', 'started_at']},
            {'columns': ['started_at']},
            {'columns': ['run_id']},
        ],
        pre_hook=[
            '{{ claim_loads() }}',
            '{{ rewind_books(begins="started_at", changed_only=false) }}',
        ],
    )
}}

{%- set book = ['fiat_code', 'asset_code', 'side'] | join(', ') %}

with

rules as (

    {{ rule_thresholds(
        ref('snapshot_quality_rules'),
        ['many_duplicates', 'rejected_offers', 'maker_side_mismatch', 'more_than_announced'],
    ) }}

),

horizons as (

    {{ book_horizons(changed_only=false) }}

),

readings as (

    {{ readings_since('horizons', changed_only=false) }}

),

usable as {{ once() }} (

    select
        offers.snapshot_id,
        count(distinct offers.adv_no) filter (where offers.price > 0) as offers_usable,
        count(distinct offers.adv_no) filter (
            where offers.maker_side = offers.side
        ) as offers_of_wrong_side
    from {{ ref('stg_binance_p2p__offers') }} as offers
    {% if is_incremental() %}
        where {{ is_among('offers.snapshot_id', 'select readings.snapshot_id from readings') }}
    {% endif %}
    group by offers.snapshot_id

),

counted as (

    select
        readings.*,
        readings.offers_distinct - coalesce(usable.offers_usable, 0) as offers_rejected,
        coalesce(usable.offers_of_wrong_side, 0) as offers_of_wrong_side
    from readings
    left join usable on readings.snapshot_id = usable.snapshot_id
    where not readings.is_unchanged

),

{% if is_incremental() %}
    previous as (

        select
            horizons.*,
            told.started_at,
            told.offers_rejected,
            told.offers_of_wrong_side
        from horizons
        cross join lateral (
            select
                snapshots.started_at,
                snapshots.offers_rejected,
                snapshots.offers_of_wrong_side
            from {{ this }} as snapshots
            where
                snapshots.fiat_code = horizons.fiat_code
                and snapshots.asset_code = horizons.asset_code
                and snapshots.side = horizons.side
                and snapshots.started_at < horizons.starts_at
            order by snapshots.started_at desc
            limit 1
        ) as told

    ),
{% endif %}

-- An unchanged reading landed no pages: it found what the reading before it found.
timeline as (

    select
        readings.snapshot_id,
        readings.fiat_code,
        readings.asset_code,
        readings.side,
        readings.started_at,
        counted.offers_rejected,
        counted.offers_of_wrong_side
    from readings
    left join counted on readings.snapshot_id = counted.snapshot_id

    {% if is_incremental() %}
        union all

        select
            null as snapshot_id,
            fiat_code,
            asset_code,
            side,
            started_at,
            offers_rejected,
            offers_of_wrong_side
        from previous
    {% endif %}

),

grouped as (

    select
        *,
        lag(started_at) over (partition by {{ book }} order by started_at) as previous_started_at,
        count(offers_rejected) over (partition by {{ book }} order by started_at) as stretch
    from timeline

),

carried as (

    select
        snapshot_id,
        previous_started_at,
        max(offers_rejected) over (partition by {{ book }}, stretch) as offers_rejected,
        max(offers_of_wrong_side) over (partition by {{ book }}, stretch) as offers_of_wrong_side
    from grouped

),

judged as (

    select
        readings.*,
        carried.offers_rejected,
        carried.offers_of_wrong_side,
        round(
            {{ minutes_between('carried.previous_started_at', 'readings.started_at') }}, 3
        ) as minutes_since_last,
        case
            when readings.duplicates > rules.many_duplicates * readings.offers_seen
                then 'many_duplicates'
        end as duplicates_reason,
        case
            when
                carried.offers_rejected + readings.offers_unnumbered
                > rules.rejected_offers * readings.offers_seen
                then 'rejected_offers'
        end as rejected_reason,
        case
            when
                carried.offers_of_wrong_side > rules.maker_side_mismatch * readings.offers_distinct
                then 'maker_side_mismatch'
        end as side_reason,
        case
            when
                readings.offers_distinct > rules.more_than_announced * readings.announced_total
                then 'more_than_announced'
        end as announced_reason
    from readings
    inner join carried on readings.snapshot_id = carried.snapshot_id
    inner join rules
        on
            readings.started_at >= rules.valid_from
            and (readings.started_at < rules.valid_to or rules.valid_to is null)

),

final as (

    select
        snapshot_id,
        run_id,
        fiat_code,
        asset_code,
        side,
        fiat_code || '/' || asset_code as trading_pair,
        incomplete_reason,
        case
            when not is_complete then 'incomplete'
            when
                coalesce(
                    duplicates_reason, rejected_reason, side_reason, announced_reason
                ) is not null
                then 'suspect'
            else 'trusted'
        end as quality_verdict,
        nullif(
            concat_ws(
                ', ',
                incomplete_reason,
                duplicates_reason,
                rejected_reason,
                side_reason,
                announced_reason
            ),
            ''
        ) as quality_reasons,
        same_as_snapshot_id,
        fingerprint,
        announced_total,
        offers_seen,
        offers_distinct,
        offers_unnumbered,
        offers_rejected::integer as offers_rejected,
        offers_of_wrong_side::integer as offers_of_wrong_side,
        duplicates,
        pages,
        requests,
        cleaned_characters,
        minutes_since_last,
        is_complete,
        is_unchanged,
        started_at,
        finished_at,
        load_id
    from judged

)

select * from final
