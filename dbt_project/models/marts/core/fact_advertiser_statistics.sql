{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='advertiser_statistics_key',
        merge_update_columns=['valid_to'],
        incremental_predicates=['DBT_INTERNAL_DEST.valid_to is null'],
        on_schema_change='fail',
        meta={'tested_by': ['valid_from', 'valid_to']},
        indexes=[
            {'columns': ['advertiser_statistics_key'], 'unique': True},
            {'columns': ['user_no', 'valid_from']},
            {'columns': ['valid_from']},
            {'columns': ['valid_to']},
        ],
        pre_hook=[
            '{{ require_pages() }}',
            '{{ claim_loads(["dim_advertisers"]) }}',
            '{{ rewind_advertisers() }}',
        ],
    )
}}

{%- set statistics = ['month_order_count', 'month_finish_rate', 'positive_rate'] %}

with

advertisers as (

    select * from {{ ref('dim_advertisers') }}

),

readings as (

    {{ readings_since_horizon() }}

),

observed as {{ once() }} (

    {{ on_pages_of(
        'select readings.snapshot_id from readings',
        'int_advertiser_observations',
        'int_opened_observations',
    ) }}

),

ranked as (

    select
        observed.*,
        readings.started_at as observed_at,
        -- Two books can be asked at the same moment.
        row_number() over (
            partition by observed.user_no, readings.started_at
            order by observed.snapshot_id
        ) as nth_book
    from observed
    inner join readings on observed.snapshot_id = readings.snapshot_id

),

observations as (

    select
        user_no,
        month_order_count,
        trim_scale(month_finish_rate) as month_finish_rate,
        trim_scale(positive_rate) as positive_rate,
        observed_at
    from ranked
    where nth_book = 1

),

points as (

    select
        user_no,
        {{ statistics | join(', ') }},
        observed_at,
        false as is_standing
    from observations

    {% if is_incremental() %}
        union all

        select
            standing.user_no,
            {% for statistic in statistics %}
                standing.{{ statistic }},
            {% endfor %}
            standing.valid_from as observed_at,
            true as is_standing
        from {{ this }} as standing
        where
            standing.valid_to is null
            and exists (
                select 1
                from observations
                where observations.user_no = standing.user_no
            )
    {% endif %}

),

hashed as (

    select
        *,
        {{ surrogate_key(statistics) }} as version_hash
    from points

),

changes as (

    select
        *,
        lag(version_hash) over (partition by user_no order by observed_at) as previous_hash
    from hashed

),

versions as (

    select
        *,
        lead(observed_at) over (partition by user_no order by observed_at) as next_at
    from changes
    where previous_hash is null or previous_hash != version_hash

),

final as (

    select
        {{ surrogate_key([
            'versions.user_no', epoch_micros('versions.observed_at'),
        ]) }} as advertiser_statistics_key,
        advertisers.advertiser_key,
        versions.user_no,
        versions.month_order_count,
        versions.month_finish_rate,
        versions.positive_rate,
        versions.observed_at as valid_from,
        versions.next_at as valid_to
    from versions
    inner join advertisers
        on
            versions.user_no = advertisers.user_no
            and versions.observed_at >= advertisers.valid_from
            and (versions.observed_at < advertisers.valid_to or advertisers.valid_to is null)
    -- What stands as it stood: to merge it would rewrite the row of everybody who was seen again.
    where not (versions.is_standing and versions.next_at is null)

)

select * from final
