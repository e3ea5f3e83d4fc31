{{
    config(
        materialized='incremental',
        incremental_strategy='by_day',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        pre_hook=[
            '{{ claim_loads(["int_book_offers", "turnover_days"]) }}',
            '{{ rewind_advertiser_days() }}',
        ],
    )
}}

{%- set book = ['fiat_code', 'asset_code', 'side'] | join(', ') -%}
{%- set key = 'day, ' ~ book ~ ', advertiser' -%}
{%- set sums = [
    'snapshots_seen', 'rank_sum', 'quantity_sum', 'referenced_snapshots', 'gap_sum', 're_prices',
    'decay_quantity',
] -%}
{%- set retold_days = since_day_of_horizon('day') -%}
{%- set retold_weeks = since_day_of_horizon('day', less_days=6) -%}
{%- set retold_earlier = since_day_of_horizon('told.day') %}

with

offers as (

    select * from {{ book_offers() }}
    {% if is_incremental() %}
        where {{ not_yet_counted('snapshot_at') }}
    {% endif %}

),

quotes as (

    select * from {{ ref('market_quotes') }}
    {% if is_incremental() %}
        where {{ not_yet_counted('snapshot_at') }}
    {% endif %}

),

changes as (

    select * from {{ ref('int_offer_changes') }}
    where
        not is_vanished
        {% if is_incremental() %}
            and {{ not_yet_counted('snapshot_at') }}
        {% endif %}

),

rules as (

    {{ rule_thresholds(
        ref('actor_rules'),
        ['market_maker_presence', 'market_maker_snapshots', 'market_maker_days'],
    ) }}

),

presences as (

    select
        snapshot_id,
        snapshot_at,
        fiat_code,
        asset_code,
        side,
        advertiser,
        max(user_no) as user_no,
        min(nth_best) as best_rank,
        abs(min(price_order)) as best_price,
        sum(quantity) as quantity
    from offers
    group by snapshot_id, snapshot_at, {{ book }}, advertiser

),

counted as (

    select
        presences.*,
        statistics.month_order_count
    from presences
    {{ left_join_version_at(
        ref('fact_advertiser_statistics'), 'statistics', 'presences', 'user_no',
        'presences.snapshot_at',
    ) }}

),

gaps as (

    select
        counted.*,
        -- Rounded where it is made: sums of it are then the same in whatever order they are added.
        round(
            case when counted.side = 'BUY' then 100 else -100 end
            * (counted.best_price / quotes.reference_price - 1),
            12
        ) as gap_pct,
        min(counted.snapshot_at) filter (where counted.month_order_count is not null)
            over day_of_advertiser as first_counted_at,
        max(counted.snapshot_at) filter (where counted.month_order_count is not null)
            over day_of_advertiser as last_counted_at
    from counted
    inner join quotes on counted.snapshot_id = quotes.snapshot_id
    window day_of_advertiser as (
        partition by
            counted.fiat_code,
            counted.asset_code,
            counted.side,
            counted.advertiser,
            {{ utc_day('counted.snapshot_at') }}
    )

),

-- What stands is one row of this; what is new, one a snapshot or a change.
parts as (

    select
        {{ utc_day('snapshot_at') }} as day,
        {{ book }},
        advertiser,
        user_no,
        1 as snapshots_seen,
        best_rank as rank_sum,
        quantity as quantity_sum,
        (gap_pct is not null)::integer as referenced_snapshots,
        coalesce(gap_pct, 0) as gap_sum,
        0 as re_prices,
        0 as decay_quantity,
        null::integer as known_first_count,
        null::integer as known_last_count,
        case when snapshot_at = first_counted_at then month_order_count end as first_count,
        case when snapshot_at = last_counted_at then month_order_count end as last_count,
        null::integer as known_seen_before,
        null::integer as known_days_before,
        snapshot_at as first_seen_at,
        snapshot_at as last_seen_at
    from gaps

    union all

    select
        {{ utc_day('snapshot_at') }} as day,
        {{ book }},
        advertiser,
        null as user_no,
        0 as snapshots_seen,
        0 as rank_sum,
        0 as quantity_sum,
        0 as referenced_snapshots,
        0 as gap_sum,
        (price_after != price_before)::integer as re_prices,
        quantity_fallen as decay_quantity,
        null as known_first_count,
        null as known_last_count,
        null as first_count,
        null as last_count,
        null as known_seen_before,
        null as known_days_before,
        null as first_seen_at,
        null as last_seen_at
    from changes

    {% if is_incremental() %}
        union all

        select
            day,
            {{ book }},
            advertiser,
            user_no,
            {{ sums | join(', ') }},
            first_order_count as known_first_count,
            last_order_count as known_last_count,
            null as first_count,
            null as last_count,
            seen_before as known_seen_before,
            days_before as known_days_before,
            first_seen_at,
            last_seen_at
        from {{ this }}
        where {{ retold_days }}
    {% endif %}

),

added as (

    select
        {{ key }},
        max(user_no) as user_no,
        {% for sum in sums %}
            sum({{ sum }}) as {{ sum }},
        {% endfor %}
        coalesce(max(known_first_count), max(first_count)) as first_order_count,
        coalesce(max(last_count), max(known_last_count)) as last_order_count,
        max(known_seen_before) as known_seen_before,
        max(known_days_before) as known_days_before,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from parts
    group by {{ key }}

),

weeks as (

    select
        day,
        {{ book }},
        snapshots,
        sum(snapshots) over (
            partition by {{ book }}
            order by day
            range between interval '6 days' preceding and current row
        ) as week_snapshots
    from {{ ref('turnover_days') }}
    {% if is_incremental() %}
        where {{ retold_weeks }}
    {% endif %}

),

-- In the six days before: of the days built here, and, once a day, of those before them.
weighed as (

    select
        added.*,
        {% for known, sum in [
            ('seen_before', 'sum(added.snapshots_seen)'), ('days_before', 'count(*)'),
        ] %}
            coalesce(
                added.known_{{ known }},
                coalesce({{ sum }} over six_days_before, 0)
                {% if is_incremental() %}
                    + coalesce(
                        earlier.{{ 'snapshots_seen' if loop.first else 'days_seen' }}, 0
                    )
                {% endif %}
            ) as {{ known }},
        {% endfor %}
        sum(added.quantity_sum) over (
            partition by added.day, added.fiat_code, added.asset_code, added.side
        ) as book_quantity_sum
    from added
    {% if is_incremental() %}
        -- Aggregated for each row, by index: as a join it would read all days there are.
        left join lateral (
            select
                sum(told.snapshots_seen) as snapshots_seen,
                count(*) as days_seen
            from (values (1), (2), (3), (4), (5), (6)) as ago (days)
            cross join {{ this }} as told
            where
                (added.known_seen_before is null or added.known_days_before is null)
                and told.day = added.day - ago.days
                and told.fiat_code = added.fiat_code
                and told.asset_code = added.asset_code
                and told.side = added.side
                and told.advertiser = added.advertiser
                and not ({{ retold_earlier }})
        ) as earlier on true
    {% endif %}
    window six_days_before as (
        partition by added.fiat_code, added.asset_code, added.side, added.advertiser
        order by added.day
        range between interval '6 days' preceding and interval '1 day' preceding
    )

),

final as (

    select
        weighed.day,
        advertisers.advertiser_key,
        weighed.advertiser,
        weighed.fiat_code,
        weighed.asset_code,
        weighed.side,
        weighed.fiat_code || '/' || weighed.asset_code as trading_pair,
        weighed.user_no,
        weeks.snapshots,
        weighed.snapshots_seen::integer as snapshots_seen,
        weighed.seen_before::integer as seen_before,
        weighed.days_before::integer as days_before,
        weeks.week_snapshots::integer as week_snapshots,
        trim_scale(100.0 * weighed.snapshots_seen / weeks.snapshots) as presence_pct,
        trim_scale(
            100.0 * (weighed.snapshots_seen + weighed.seen_before) / weeks.week_snapshots
        ) as week_presence_pct,
        trim_scale(weighed.rank_sum / weighed.snapshots_seen) as mean_rank,
        weighed.rank_sum::bigint as rank_sum,
        trim_scale(weighed.quantity_sum / weighed.snapshots_seen) as mean_quantity,
        trim_scale(weighed.quantity_sum) as quantity_sum,
        trim_scale(weighed.quantity_sum / nullif(weighed.book_quantity_sum, 0)) as tradable_share,
        trim_scale(weighed.gap_sum / nullif(weighed.referenced_snapshots, 0))
            as reference_gap_pct,
        weighed.referenced_snapshots::integer as referenced_snapshots,
        trim_scale(weighed.gap_sum) as gap_sum,
        weighed.re_prices::integer as re_prices,
        trim_scale(weighed.decay_quantity) as decay_quantity,
        weighed.first_order_count,
        weighed.last_order_count,
        -- The count is of thirty days and rolls: what it lost says nothing of what was done.
        case
            when weighed.last_order_count >= weighed.first_order_count
                then weighed.last_order_count - weighed.first_order_count
        end as order_count_change,
        -- A few snapshots say nothing: who is in one of one is in all of them.
        100.0 * (weighed.snapshots_seen + weighed.seen_before)
        > rules.market_maker_presence * weeks.week_snapshots
        and weighed.snapshots_seen + weighed.seen_before >= rules.market_maker_snapshots
        and 1 + weighed.days_before >= rules.market_maker_days as is_market_maker,
        weighed.first_seen_at,
        weighed.last_seen_at
    from weighed
    inner join weeks
        on
            weighed.day = weeks.day
            and weighed.fiat_code = weeks.fiat_code
            and weighed.asset_code = weeks.asset_code
            and weighed.side = weeks.side
    inner join rules
        on
            weighed.last_seen_at >= rules.valid_from
            and (weighed.last_seen_at < rules.valid_to or rules.valid_to is null)
    {{ left_join_version_at(
        ref('dim_advertisers'), 'advertisers', 'weighed', 'user_no', 'weighed.last_seen_at'
    ) }}

)

select * from final
