{{ config(materialized='view') }}
{%- set notions = price_notions() %}

with

hours as (

    select
        *,
        {{ start_of('day', 'bucket_start') }} as day_start,
        bucket_start + interval '1 hour' as bucket_end
    from {{ ref('int_price_hours') }}

),

-- The stretches without a trusted snapshot before an hour of the day and after the last.
spaced as (

    select
        *,
        {{ minutes_between(
            'coalesce(lag(last_at) over ('
            ~ 'partition by fiat_code, asset_code, side, day_start order by bucket_start'
            ~ '), day_start)',
            'first_at',
        ) }} as gap_before_minutes
    from hours

),

-- Said of the book and its day, whatever notion is missing in some of its hours.
gapped as (

    select
        *,
        first_value(cadence_minutes) over (
            partition by fiat_code, asset_code, side, day_start
            order by bucket_start desc
        ) as cadence_of_day,
        greatest(
            max(gap_before_minutes) over of_day,
            max(longest_inner_gap_minutes) over of_day,
            1440 - max({{ minutes_between('day_start', 'last_at') }}) over of_day
        ) as longest_gap_of_day
    from spaced
    window of_day as (partition by fiat_code, asset_code, side, day_start)

),

prices {{ as_planned_with_its_readers() }} (

    select
        gapped.*,
        candles.price_notion,
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        candles.weighted_sum,
        candles.weight,
        candles.n_snapshots
    from gapped
    {{ unnest_together(
        [
            "array['" ~ notions | join("', '") ~ "']",
            'gapped.opens',
            'gapped.highs',
            'gapped.lows',
            'gapped.closes',
            'gapped.weighted_sums',
            'gapped.weights',
            'gapped.price_counts',
        ],
        'candles',
        [
            'price_notion', 'open', 'high', 'low', 'close', 'weighted_sum', 'weight',
            'n_snapshots',
        ],
    ) }}
    where candles.n_snapshots > 0

),

candles as (

    select
        fiat_code,
        asset_code,
        side,
        'hour' as period,
        price_notion,
        open,
        high,
        low,
        close,
        weighted_sum,
        weight,
        n_snapshots,
        n_offers,
        confidence,
        60 / cadence_minutes as expected,
        greatest(
            {{ minutes_between('bucket_start', 'first_at') }},
            longest_inner_gap_minutes,
            {{ minutes_between('last_at', 'bucket_end') }}
        ) as longest_gap_minutes,
        bucket_start as period_start
    from prices

    union all

    select
        fiat_code,
        asset_code,
        side,
        'day' as period,
        price_notion,
        {{ first_value_of('open', 'bucket_start asc') }} as open,
        max(high) as high,
        min(low) as low,
        {{ first_value_of('close', 'bucket_start desc') }} as close,
        sum(weighted_sum) as weighted_sum,
        sum(weight) as weight,
        sum(n_snapshots)::integer as n_snapshots,
        min(n_offers) as n_offers,
        min(confidence) as confidence,
        1440 / max(cadence_of_day) as expected,
        max(longest_gap_of_day) as longest_gap_minutes,
        day_start as period_start
    from prices
    group by fiat_code, asset_code, side, day_start, price_notion

),

final as (

    select
        fiat_code,
        asset_code,
        side,
        fiat_code || '/' || asset_code as trading_pair,
        period,
        price_notion,
        open,
        high,
        low,
        close,
        trim_scale(weighted_sum / nullif(weight, 0)) as time_weighted_mean,
        n_snapshots,
        n_offers,
        confidence,
        trim_scale(round(expected, 4)) as expected,
        trim_scale(round(100 * least(1, n_snapshots / expected), 4)) as coverage_pct,
        trim_scale(longest_gap_minutes) as longest_gap_minutes,
        period_start
    from candles

)

select * from final
