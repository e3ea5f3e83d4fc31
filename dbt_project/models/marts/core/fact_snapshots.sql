{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['started_at']},
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'side', 'started_at']},
            {'columns': ['started_at']},
            {'columns': ['run_id']},
        ],
        pre_hook=[
            '{{ require_pages() }}',
            '{{ claim_loads() }}',
            '{{ rewind_books(begins="started_at", changed_only=false) }}',
        ],
    )
}}

{%- set book = ['fiat_code', 'asset_code', 'side'] | join(', ') -%}
{%- set minutes_unchanged = minutes_between('standing.unchanged_since', 'readings.started_at') -%}
{%- set told_before = [
    'earlier.fiat_code = horizons.fiat_code',
    'earlier.asset_code = horizons.asset_code',
    'earlier.side = horizons.side',
    'earlier.started_at < horizons.starts_at',
] %}

with

rules as (

    {{ rule_thresholds(
        ref('snapshot_quality_rules'),
        [
            'many_duplicates', 'rejected_offers', 'maker_side_mismatch', 'more_than_announced',
            'frozen_offers', 'frozen_minutes', 'frozen_offer_minutes',
        ],
    ) }}

),

horizons as (

    {{ book_horizons(changed_only=false) }}

),

readings as (

    {{ readings_since('horizons', changed_only=false) }}

),

offers as (

    {{ on_pages_of(
        'select readings.snapshot_id from readings', 'stg_binance_p2p__offers', 'int_opened_offers'
    ) }}

),

usable as {{ once() }} (

    select
        offers.snapshot_id,
        count(distinct offers.adv_no) filter (
            where offers.price > 0 and not offers.is_foreign
        ) as offers_usable,
        count(distinct offers.adv_no) filter (
            where offers.maker_side = offers.side
        ) as offers_of_wrong_side
    from offers
    group by offers.snapshot_id

),

counted as (

    select
        readings.*,
        case
            when not readings.is_unchanged
                then readings.offers_distinct - coalesce(usable.offers_usable, 0)
        end as offers_rejected,
        case
            when not readings.is_unchanged then coalesce(usable.offers_of_wrong_side, 0)
        end as offers_of_wrong_side
    from readings
    left join usable on readings.snapshot_id = usable.snapshot_id

),

{% if is_incremental() %}
    -- The last reading told, and the last whole one.
    previous as (

        select
            horizons.*,
            told.fingerprint,
            told.started_at,
            told.unchanged_since,
            told.offers_rejected,
            told.offers_of_wrong_side,
            told.is_complete
        from horizons
        {{ left_join_latest(this, 'told', told_before, 'started_at') }}
        where told.started_at is not null

        union

        select
            horizons.*,
            told.fingerprint,
            told.started_at,
            told.unchanged_since,
            told.offers_rejected,
            told.offers_of_wrong_side,
            told.is_complete
        from horizons
        {{ left_join_latest(this, 'told', told_before + ['earlier.is_complete'], 'started_at') }}
        where told.started_at is not null

    ),
{% endif %}

-- An unchanged reading landed no pages: it found what the reading before it found.
timeline as (

    select
        snapshot_id,
        fiat_code,
        asset_code,
        side,
        fingerprint,
        started_at,
        null::timestamptz as unchanged_since,
        offers_rejected,
        offers_of_wrong_side,
        is_complete,
        is_unchanged
    from counted

    {% if is_incremental() %}
        union all

        select
            null as snapshot_id,
            fiat_code,
            asset_code,
            side,
            fingerprint,
            started_at,
            unchanged_since,
            offers_rejected,
            offers_of_wrong_side,
            is_complete,
            null as is_unchanged
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

-- Readings of one fingerprint show one book, whether the loader knew it or had lost its state.
whole as (

    select
        *,
        coalesce(
            is_unchanged
            or fingerprint
            = lag(fingerprint) over (partition by {{ book }} order by started_at),
            false
        ) as is_as_before
    from timeline
    where is_complete

),

numbered as (

    select
        *,
        count(*) filter (where not is_as_before) over (
            partition by {{ book }} order by started_at
        ) as state
    from whole

),

standing as (

    select
        snapshot_id,
        coalesce(
            min(unchanged_since) over (partition by {{ book }}, state),
            min(started_at) over (partition by {{ book }}, state)
        ) as unchanged_since
    from numbered

),

judged as (

    select
        readings.*,
        carried.offers_rejected,
        carried.offers_of_wrong_side,
        standing.unchanged_since,
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
        end as announced_reason,
        case
            when
                readings.offers_distinct >= rules.frozen_offers
                and {{ minutes_unchanged }} >= rules.frozen_minutes
                and readings.offers_distinct * {{ minutes_unchanged }} >= rules.frozen_offer_minutes
                then 'frozen'
        end as frozen_reason
    from readings
    inner join carried on readings.snapshot_id = carried.snapshot_id
    left join standing on readings.snapshot_id = standing.snapshot_id
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
                    duplicates_reason, rejected_reason, side_reason, announced_reason, frozen_reason
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
                announced_reason,
                frozen_reason
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
        unchanged_since,
        load_id
    from judged

)

select * from final
