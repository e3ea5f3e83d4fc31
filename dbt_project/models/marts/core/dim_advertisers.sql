{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='advertiser_key',
        merge_update_columns=['valid_to'],
        incremental_predicates=['DBT_INTERNAL_DEST.valid_to is null'],
        on_schema_change='fail',
        meta={'tested_by': ['valid_from', 'valid_to']},
        indexes=[
            {'columns': ['user_no', 'valid_from']},
            {'columns': ['valid_from']},
            {'columns': ['valid_to']},
        ],
        pre_hook=[
            '{{ require_pages() }}',
            '{{ claim_loads() }}',
            '{{ rewind_advertisers() }}',
        ],
    )
}}

{%- set attributes = [
    'nickname', 'user_type', 'user_identity', 'badges', 'user_grade', 'vip_level',
    'is_merchant_group_member',
] %}

with

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
        *,
        {{ surrogate_key(attributes) }} as version_hash
    from ranked
    where nth_book = 1

),

{% if is_incremental() %}
    standing as (

        select *
        from {{ this }}
        where valid_to is null

    ),
{% endif %}

points as (

    select
        user_no,
        {{ attributes | join(', ') }},
        version_hash,
        observed_at,
        false as is_standing
    from observations

    {% if is_incremental() %}
        union all

        select
            standing.user_no,
            {% for attribute in attributes %}
                standing.{{ attribute }},
            {% endfor %}
            {{ surrogate_key(attributes) }} as version_hash,
            standing.valid_from as observed_at,
            true as is_standing
        from standing
        where exists (
            select 1
            from observations
            where observations.user_no = standing.user_no
        )
    {% endif %}

),

changes as (

    select
        *,
        lag(version_hash) over (partition by user_no order by observed_at) as previous_hash
    from points

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
        {{ surrogate_key(['user_no', epoch_micros('observed_at')]) }} as advertiser_key,
        user_no,
        nickname,
        user_type,
        user_identity,
        badges,
        user_grade,
        vip_level,
        is_merchant_group_member,
        observed_at as valid_from,
        next_at as valid_to
    from versions
    -- What stands as it stood: to merge it would rewrite the row of everybody who was seen again.
    where not (is_standing and next_at is null)

)

select * from final
