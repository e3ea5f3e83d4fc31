{#- Of a book read but once nobody knows how often: as often as cycles run by default. -#}
{%- set default_cadence = var('cadence_minutes', 20) -%}
{%- set notions = price_notions() -%}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'side', 'bucket_start'], 'unique': True},
            {'columns': ['bucket_start']},
        ],
        pre_hook=[
            '{{ claim_loads(["market_quotes"]) }}',
            '{{ rewind_price_hours() }}',
        ],
    )
}}

with

starts as (

    {{ price_hour_starts() }}

),

quotes as {{ once() }} (

    select
        quotes.*,
        {{ start_of('hour', 'quotes.snapshot_at') }} as bucket_start
    from starts
    {{ join_rows_since(
        ref('market_quotes'),
        'quotes',
        'starts',
        ['fiat_code', 'asset_code', 'side'],
        'snapshot_at',
        'starts_at',
    ) }}
    where not quotes.is_withheld

),

buckets as (

    select
        fiat_code,
        asset_code,
        side,
        bucket_start,
        bucket_start + interval '1 hour' as bucket_end
    from quotes
    group by fiat_code, asset_code, side, bucket_start

),

-- The book's own habit, since each is read as often as is worth its while: the middle one of its
-- last nine gaps up to the end of the hour, whatever became of those readings.
cadenced as (

    select
        buckets.fiat_code,
        buckets.asset_code,
        buckets.side,
        buckets.bucket_start,
        coalesce(
            percentile_disc(0.5) within group (order by latest.minutes_since_last),
            {{ default_cadence }}
        ) as cadence_minutes
    from buckets
    {{ left_join_latest(
        ref('fact_snapshots'),
        'latest',
        [
            'earlier.fiat_code = buckets.fiat_code',
            'earlier.asset_code = buckets.asset_code',
            'earlier.side = buckets.side',
            'earlier.started_at < buckets.bucket_end',
            'earlier.minutes_since_last > 0',
        ],
        'started_at',
        9,
    ) }}
    group by buckets.fiat_code, buckets.asset_code, buckets.side, buckets.bucket_start

),

timed as (

    select
        quotes.*,
        cadenced.cadence_minutes,
        {{ minutes_between(
            'quotes.snapshot_at',
            'lead(quotes.snapshot_at) over ('
            ~ 'partition by quotes.fiat_code, quotes.asset_code, quotes.side'
            ~ ' order by quotes.snapshot_at)',
        ) }} as minutes_to_next,
        {{ minutes_between(
            'lag(quotes.snapshot_at) over ('
            ~ 'partition by quotes.fiat_code, quotes.asset_code, quotes.side, quotes.bucket_start'
            ~ ' order by quotes.snapshot_at)',
            'quotes.snapshot_at',
        ) }} as minutes_since_previous
    from quotes
    inner join cadenced
        on
            quotes.fiat_code = cadenced.fiat_code
            and quotes.asset_code = cadenced.asset_code
            and quotes.side = cadenced.side
            and quotes.bucket_start = cadenced.bucket_start

),

-- What nothing has followed yet holds for one cadence.
weighed as (

    select
        *,
        least(coalesce(minutes_to_next, cadence_minutes), 2 * cadence_minutes) as weight
    from timed

),

final as (

    select
        fiat_code,
        asset_code,
        side,
        array[
            {% for notion in notions %}
                {{ first_value_of(notion, 'snapshot_at asc') }}{{ ',' if not loop.last }}
            {% endfor %}
        ] as opens,
        array[
            {% for notion in notions %}
                max({{ notion }}){{ ',' if not loop.last }}
            {% endfor %}
        ] as highs,
        array[
            {% for notion in notions %}
                min({{ notion }}){{ ',' if not loop.last }}
            {% endfor %}
        ] as lows,
        array[
            {% for notion in notions %}
                {{ first_value_of(notion, 'snapshot_at desc') }}{{ ',' if not loop.last }}
            {% endfor %}
        ] as closes,
        array[
            {% for notion in notions %}
                sum({{ notion }} * weight){{ ',' if not loop.last }}
            {% endfor %}
        ] as weighted_sums,
        array[
            {% for notion in notions %}
                sum(weight) filter (where {{ notion }} is not null){{ ',' if not loop.last }}
            {% endfor %}
        ] as weights,
        array[
            {% for notion in notions %}
                count({{ notion }})::integer{{ ',' if not loop.last }}
            {% endfor %}
        ] as price_counts,
        min(n_offers) as n_offers,
        min(confidence) as confidence,
        max(cadence_minutes) as cadence_minutes,
        max(minutes_since_previous) as longest_inner_gap_minutes,
        bucket_start,
        min(snapshot_at) as first_at,
        max(snapshot_at) as last_at
    from weighed
    group by fiat_code, asset_code, side, bucket_start

)

select * from final
