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
            {'columns': ['user_no', 'valid_from']},
            {'columns': ['valid_from']},
            {'columns': ['valid_to']},
        ],
        pre_hook=[
            '{{ require_pages() }}',
            '{{ claim_loads(["dim_advertisers", "fact_offers", "fact_snapshots"]) }}',
            '{{ rewind_advertisers(changed_only=false) }}',
        ],
    )
}}

{#-
    What opens a version. The positive rate does not: it differs between one user's ads in one
    reading.
-#}
{%- set statistics = ['month_order_count', 'month_finish_rate'] -%}
{%- set book = ['fiat_code', 'asset_code', 'side'] -%}
{%- set offers = ref('fact_offers') -%}
{%- set snapshots = ref('fact_snapshots') %}

with

advertisers as (

    select * from {{ ref('dim_advertisers') }}

),

readings as (

    select
        since.*,
        max(since.started_at) filter (where not since.is_unchanged) over (
            partition by since.{{ book | join(', since.') }} order by since.started_at
        ) as shown_at
    from ({{ readings_since_horizon(changed_only=false) }}) as since
    inner join {{ snapshots }} as judged on since.snapshot_id = judged.snapshot_id
    -- What a faulty reading held is not known for sure, and so not what repeats it. Nor is, once
    -- its pages are gone, who was in it with no offer but such as the facts leave out.
    where
        not since.is_unchanged
        or (
            judged.faults is null
            and judged.offers_foreign = 0
            and judged.offers_rejected = 0
            and judged.offers_unnumbered = 0
        )

),

observed as {{ once() }} (

    {{ on_pages_of(
        'select readings.snapshot_id from readings where not readings.is_unchanged',
        'int_advertiser_observations',
        'int_opened_observations',
    ) }}

),

{% if is_incremental() %}
    -- Books of which the first readings repeat what one before the horizon showed.
    waiting as (

        select
            {{ book | join(', ') }},
            min(started_at) as starts_at
        from readings
        where is_unchanged and shown_at is null
        group by {{ book | join(', ') }}

    ),

    repeated_books as (

        select
            waiting.*,
            latest.started_at as shown_at
        from waiting
        {{ left_join_latest(
            snapshots,
            'latest',
            [
                'earlier.fiat_code = waiting.fiat_code',
                'earlier.asset_code = waiting.asset_code',
                'earlier.side = waiting.side',
                'earlier.started_at < waiting.starts_at',
                'not earlier.is_unchanged',
            ],
            'started_at',
        ) }}
        where latest.started_at is not null

    ),

    -- Its pages may be gone: who was in the book then, with the statistics valid then.
    carried as (

        select distinct
            standing.user_no,
            {% for statistic in statistics %}
                told.{{ statistic }},
            {% endfor %}
            {% for column in book %}
                repeated_books.{{ column }},
            {% endfor %}
            repeated_books.shown_at
        from repeated_books
        {{ join_versions_at(
            offers, 'standing', 'repeated_books', book, 'repeated_books.shown_at'
        ) }}
        {{ left_join_version_at(this, 'told', 'standing', 'user_no', 'repeated_books.shown_at') }}
        where standing.user_no is not null

    ),
{% endif %}

shown as (

    select
        observed.user_no,
        observed.month_order_count,
        trim_scale(observed.month_finish_rate) as month_finish_rate,
        trim_scale(observed.positive_rate) as positive_rate,
        observed.snapshot_id,
        {% for column in book %}
            readings.{{ column }},
        {% endfor %}
        readings.started_at as shown_at
    from observed
    inner join readings on observed.snapshot_id = readings.snapshot_id

    {% if is_incremental() %}
        union all

        select
            user_no,
            {{ statistics | join(', ') }},
            null as positive_rate,
            null as snapshot_id,
            {{ book | join(', ') }},
            shown_at
        from carried
    {% endif %}

),

points as (

    select
        user_no,
        {{ statistics | join(', ') }},
        positive_rate,
        snapshot_id,
        shown_at as observed_at,
        false as is_repeated,
        false as is_standing
    from shown
    where snapshot_id is not null

    union all

    -- A reading that found its book unchanged observes all who are in it again: one whose count
    -- moved meanwhile in another book is shown here with the old one.
    select
        shown.user_no,
        {% for statistic in statistics %}
            shown.{{ statistic }},
        {% endfor %}
        null as positive_rate,
        readings.snapshot_id,
        readings.started_at as observed_at,
        true as is_repeated,
        false as is_standing
    from shown
    inner join (
        select
            readings.snapshot_id,
            {% for column in book %}
                readings.{{ column }},
            {% endfor %}
            readings.started_at,
            {% if is_incremental() %}
                coalesce(readings.shown_at, repeated_books.shown_at) as shown_at
            {% else %}
                readings.shown_at
            {% endif %}
        from readings
        {% if is_incremental() %}
            left join repeated_books
                on
                    readings.fiat_code = repeated_books.fiat_code
                    and readings.asset_code = repeated_books.asset_code
                    and readings.side = repeated_books.side
        {% endif %}
        where readings.is_unchanged
    ) as readings
        on
            shown.fiat_code = readings.fiat_code
            and shown.asset_code = readings.asset_code
            and shown.side = readings.side
            and shown.shown_at = readings.shown_at

    {% if is_incremental() %}
        union all

        select
            standing.user_no,
            {% for statistic in statistics %}
                standing.{{ statistic }},
            {% endfor %}
            standing.positive_rate,
            null as snapshot_id,
            standing.valid_from as observed_at,
            false as is_repeated,
            true as is_standing
        from {{ this }} as standing
        where
            standing.valid_to is null
            and exists (
                select 1
                from shown
                where shown.user_no = standing.user_no
            )
    {% endif %}

),

hashed as (

    select
        *,
        {{ surrogate_key(statistics) }} as version_hash,
        -- Two books can be asked at the same moment.
        row_number() over (
            partition by user_no, observed_at
            order by snapshot_id
        ) as nth_book
    from points

),

changes as (

    select
        *,
        lag(version_hash) over (partition by user_no order by observed_at) as previous_hash
    from hashed
    where nth_book = 1

),

numbered as (

    select
        *,
        lead(observed_at) over (partition by user_no order by observed_at) as next_at,
        count(*) filter (where not is_repeated) over (
            partition by user_no order by observed_at
        ) as nth_shown
    from changes
    where previous_hash is null or previous_hash != version_hash

),

versions as (

    select
        *,
        -- An unchanged reading landed no pages: the rate last known goes on.
        max(positive_rate) over (partition by user_no, nth_shown) as known_positive_rate
    from numbered

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
        versions.known_positive_rate as positive_rate,
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
