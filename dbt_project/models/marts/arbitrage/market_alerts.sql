{%- set most_seconds = var('spread_max_seconds', 600) -%}
{%- set rate_kind = var('official_rate_kind', 'mid_market') -%}

{{
    config(
        meta={'tested_by': ['fired_at']},
        indexes=[
            {'columns': ['fired_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["market_spreads", "int_book_capacity", "arbitrage_cycles"]) }}',
            '{{ rewind_alerts() }}',
        ],
    )
}}

with

rules as (

    select * from {{ ref('alert_rules') }}

),

-- What makes no price, being withheld or thin, makes no alert.
quotes as (

    select * from {{ ref('market_quotes') }}
    where
        reference_price is not null
        {% if is_incremental() %}
            and {{ is_since_alerts('snapshot_at') }}
        {% endif %}

),

spreads as (

    select * from {{ ref('market_spreads') }}
    where
        reference_price_kind is not null
        {% if is_incremental() %}
            and {{ is_since_alerts('buy_snapshot_at') }}
        {% endif %}

),

cycles as (

    select * from {{ ref('arbitrage_cycles') }}
    where
        is_credited
        and not uses_official_fx
        {% if is_incremental() %}
            and {{ is_since_alerts('as_of') }}
        {% endif %}

),

-- The last priced snapshot of the book that is an hour older, or up to two.
compared as (

    select
        quotes.*,
        hour_ago.reference_price as price_before,
        least(quotes.confidence, hour_ago.confidence) as least_confidence,
        depths.eligible_quantity as depth_now,
        depths_before.eligible_quantity as depth_before
    from quotes
    {{ left_join_latest(
        ref('market_quotes'),
        'hour_ago',
        [
            'earlier.fiat_code = quotes.fiat_code',
            'earlier.asset_code = quotes.asset_code',
            'earlier.side = quotes.side',
            "earlier.snapshot_at <= quotes.snapshot_at - interval '60 minutes'",
            "earlier.snapshot_at > quotes.snapshot_at - interval '120 minutes'",
            'earlier.reference_price is not null',
        ],
        'snapshot_at',
    ) }}
    {% for name, of in [('depths', 'quotes'), ('depths_before', 'hour_ago')] %}
        {{ left_join_latest(
            ref('depth_bands'),
            name,
            ['earlier.snapshot_id = ' ~ of ~ '.snapshot_id', 'earlier.band_pct = 1'],
            'snapshot_at',
        ) }}
    {% endfor %}

),

observed as (

    select
        'spread' as kind,
        fiat_code,
        asset_code,
        null as side,
        spread_pct as observed,
        confidence,
        buy_snapshot_at as observed_at
    from spreads

    union all

    -- Of a coin that is a dollar; `parallel_premiums` has the median of the day, by its spot price.
    select
        'premium' as kind,
        spreads.fiat_code,
        spreads.asset_code,
        null as side,
        (spreads.mid / official.rate - 1) * 100 as observed,
        spreads.confidence,
        spreads.buy_snapshot_at as observed_at
    from spreads
    inner join {{ ref('usd_stablecoins') }} as stablecoins
        on
            spreads.asset_code = stablecoins.asset_code
            and {{ holds_at('stablecoins', 'spreads.buy_snapshot_at') }}
    inner join {{ ref('official_rates') }} as official
        on
            spreads.fiat_code = official.fiat_code
            and {{ utc_day('spreads.buy_snapshot_at') }} = official.day
            and official.rate_kind = '{{ rate_kind }}'

    union all

    select
        'price_move' as kind,
        fiat_code,
        asset_code,
        side,
        abs(reference_price / price_before - 1) * 100 as observed,
        least_confidence as confidence,
        snapshot_at as observed_at
    from compared
    where price_before is not null

    union all

    select
        'depth_fallen' as kind,
        fiat_code,
        asset_code,
        side,
        (1 - depth_now / depth_before) * 100 as observed,
        least_confidence as confidence,
        snapshot_at as observed_at
    from compared
    where depth_before > 0

    union all

    select
        'confidence' as kind,
        fiat_code,
        asset_code,
        side,
        confidence as observed,
        confidence,
        snapshot_at as observed_at
    from quotes

    union all

    select
        'arbitrage_net' as kind,
        fiat_code,
        asset_code,
        null as side,
        net_pct as observed,
        confidence,
        as_of as observed_at
    from cycles

),

-- A row of a pair's own goes before those of all.
ruled as (

    select
        observed.*,
        rules.rule,
        rules.threshold,
        rules.cool_down_minutes,
        row_number() over (
            partition by
                rules.rule, observed.kind, observed.fiat_code, observed.asset_code, observed.side,
                observed.observed_at
            order by
                (rules.fiat_code = '*') asc,
                (rules.asset_code = '*') asc,
                observed.observed desc,
                observed.confidence desc
        ) as nth_closest
    from observed
    inner join rules
        on
            observed.kind = rules.kind
            and rules.fiat_code in (observed.fiat_code, '*')
            and rules.asset_code in (observed.asset_code, '*')
            and {{ holds_at('rules', 'observed.observed_at') }}

),

crossed as {{ once() }} (

    select * from ruled
    where
        nth_closest = 1
        and case kind when 'confidence' then observed <= threshold else observed >= threshold end

),

{% if is_incremental() %}
    fired_before as {{ once() }} (

        select
            rule,
            fiat_code,
            asset_code,
            side,
            max(cooled_at) as cooled_at
        from {{ this }}
        group by rule, fiat_code, asset_code, side

    ),
{% endif %}

gathered as (

    select
        crossed.rule,
        crossed.fiat_code,
        crossed.asset_code,
        crossed.side,
        {% if is_incremental() %}
            max(fired_before.cooled_at) as cooled_at,
        {% else %}
            null::timestamptz as cooled_at,
        {% endif %}
        array_agg(crossed.observed_at order by crossed.observed_at) as times,
        array_agg(crossed.cool_down_minutes order by crossed.observed_at) as cool_downs
    from crossed
    {% if is_incremental() %}
        left join fired_before
            on
                crossed.rule = fired_before.rule
                and crossed.fiat_code = fired_before.fiat_code
                and crossed.asset_code = fired_before.asset_code
                and crossed.side is not distinct from fired_before.side
    {% endif %}
    group by crossed.rule, crossed.fiat_code, crossed.asset_code, crossed.side

),

fired as (

    select
        gathered.rule,
        gathered.fiat_code,
        gathered.asset_code,
        gathered.side,
        firings.value as fired_at
    from gathered
    {{ unnest_array(
        firings('gathered.times', 'gathered.cool_downs', 'gathered.cooled_at'), 'firings'
    ) }}

),

final as (

    select
        {{ surrogate_key([
            'crossed.rule', 'crossed.fiat_code', 'crossed.asset_code', 'crossed.side',
            'crossed.observed_at',
        ]) }} as alert_key,
        crossed.rule,
        crossed.kind,
        crossed.fiat_code,
        crossed.asset_code,
        crossed.side,
        trim_scale(round(crossed.observed, 6)) as observed,
        crossed.threshold,
        crossed.confidence,
        crossed.observed_at as fired_at,
        crossed.observed_at + interval '1 minute' * crossed.cool_down_minutes as cooled_at
    from crossed
    inner join fired
        on
            crossed.rule = fired.rule
            and crossed.fiat_code = fired.fiat_code
            and crossed.asset_code = fired.asset_code
            and crossed.side is not distinct from fired.side
            and crossed.observed_at = fired.fired_at

)

select * from final
