{{ config(materialized='view') }}
{%- set states = ['down', 'flat', 'up'] -%}
{%- set pairs = [] -%}
{%- for state in states -%}
    {%- for next_state in states -%}
        {%- do pairs.append((state, next_state)) -%}
    {%- endfor -%}
{%- endfor -%}
{%- set steps = {'hour': "interval '1 hour'", 'day': "interval '24 hours'"} %}

with

rules as (

    {{ rule_thresholds(
        ref('forecast_rules'),
        ['flat_hour_pct', 'flat_day_pct', 'least_coverage_pct', 'state_smoothing'],
    ) }}

),

covered as (

    select
        candles.fiat_code,
        candles.asset_code,
        candles.side,
        candles.trading_pair,
        candles.period,
        candles.close,
        case candles.period
            {% for period in steps %}
                when '{{ period }}' then rules.flat_{{ period }}_pct
            {% endfor %}
        end as flat_pct,
        candles.period_start
    from {{ ref('price_candles') }} as candles
    inner join rules on {{ holds_at('rules', 'candles.period_start') }}
    where
        candles.price_notion = 'reference_price'
        and candles.close > 0
        and candles.coverage_pct >= rules.least_coverage_pct

),

closes as (

    select * from covered

    union all

    -- The pair's own, where both of its sides have a price.
    select
        fiat_code,
        asset_code,
        'MID' as side,
        trading_pair,
        period,
        sum(close) / 2 as close,
        min(flat_pct) as flat_pct,
        period_start
    from covered
    group by fiat_code, asset_code, trading_pair, period, period_start
    having count(*) = 2

),

moves as (

    select
        *,
        case
            when
                lag(period_start) over of_series = period_start - case period
                    {% for period, step in steps.items() %}
                        when '{{ period }}' then {{ step }}
                    {% endfor %}
                end
                then 100 * ln(close / lag(close) over of_series)
        end as move_pct
    from closes
    window of_series as (
        partition by fiat_code, asset_code, side, period
        order by period_start
    )

),

stated as (

    select
        *,
        case
            when move_pct < -flat_pct then 'down'
            when move_pct > flat_pct then 'up'
            when move_pct is not null then 'flat'
        end as state
    from moves

),

-- The next row has a state only where it lies one period after this one.
followed as (

    select
        *,
        lead(state) over (
            partition by fiat_code, asset_code, side, period
            order by period_start
        ) as next_state
    from stated

),

counted as (

    select
        fiat_code,
        asset_code,
        side,
        trading_pair,
        period,
        {% for state in states %}
            count(*) filter (where state = '{{ state }}') as n_{{ state }},
        {% endfor %}
        {% for state, next_state in pairs %}
            count(*) filter (where state = '{{ state }}' and next_state = '{{ next_state }}')
                as n_{{ state }}_{{ next_state }},
        {% endfor %}
        count(*) as n_transitions,
        min(period_start) as first_at,
        max(period_start) as last_at
    from followed
    where state is not null and next_state is not null
    group by fiat_code, asset_code, side, trading_pair, period

),

smoothed as (

    select
        counted.*,
        {% for state, next_state in pairs %}
            (counted.n_{{ state }}_{{ next_state }} + rules.state_smoothing)
            / (counted.n_{{ state }} + 3 * rules.state_smoothing)
                as p_{{ state }}_{{ next_state }},
        {% endfor %}
        rules.state_smoothing
    from counted
    inner join rules on rules.valid_to is null

),

-- The share of a state is in proportion to its spanning trees, each weighed with its
-- probabilities (the Markov chain tree theorem): of three states it has three.
weighed as (

    select
        {% for root, one, two in [
            ('down', 'flat', 'up'), ('flat', 'down', 'up'), ('up', 'down', 'flat')
        ] %}
            p_{{ one }}_{{ root }} * p_{{ two }}_{{ root }}
            + p_{{ one }}_{{ root }} * p_{{ two }}_{{ one }}
            + p_{{ one }}_{{ two }} * p_{{ two }}_{{ root }}
                as trees_{{ root }},
        {% endfor %}
        smoothed.*
    from smoothed

),

cells as (

    {% for state, next_state in pairs %}
        select
            fiat_code,
            asset_code,
            side,
            period,
            '{{ state }}' as state,
            '{{ next_state }}' as next_state,
            trading_pair,
            n_{{ state }}_{{ next_state }} as n,
            n_{{ state }} as n_from_state,
            n_transitions,
            p_{{ state }}_{{ next_state }} as probability,
            n_{{ state }} + 3 * state_smoothing as weight,
            trees_{{ state }} / (trees_down + trees_flat + trees_up) as stationary_share,
            1 / (1 - p_{{ state }}_{{ state }}) as expected_dwell,
            first_at,
            last_at
        from weighed
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select
        fiat_code,
        asset_code,
        side,
        period,
        state,
        next_state,
        trading_pair,
        n::integer as n,
        n_from_state::integer as n_from_state,
        n_transitions::integer as n_transitions,
        trim_scale(round(probability, 12)) as probability,
        trim_scale(round(sqrt(probability * (1 - probability) / (weight + 1)), 6))
            as probability_error,
        trim_scale(round(stationary_share, 12)) as stationary_share,
        trim_scale(round(expected_dwell, 6)) as expected_dwell,
        first_at,
        last_at
    from cells

)

select * from final
