{#-
    Walks of trades over the last trusted snapshots as of each cycle (run): which cycles the loads
    that are new to a model can change, and the legs that a cycle had.
-#}

{#- Returns the names of the rules of `arbitrage_rules` by which legs and walks are judged. -#}
{% macro arbitrage_rule_names() -%}
    {{ return([
        'leg_max_minutes', 'fresh_cadences', 'min_eligible_offers', 'min_confidence',
        'most_beyond_reference_pct', 'suspect_net_pct', 'kept_net_pct', 'spot_fee_pct',
        'hindsight_max_minutes',
    ]) }}
{%- endmacro %}

{#-
    Returns a query of the cycles that the claimed loads can change: those that end at or after the
    earliest reading, spot price or day of an official rate in these loads. `less_minutes`, an
    expression: those that end so much before as well.
-#}
{% macro touched_walks(less_minutes=0) -%}
    select distinct touched.run_id
    from {{ ref('fact_snapshots') }} as touched
    where
        touched.started_at between (
            select
                least(
                    (
                        select min(readings.started_at)
                        from {{ ref('stg_binance_p2p__snapshots') }} as readings
                        where {{ is_among('readings.load_id', claimed_loads()) }}
                    ),
                    (
                        select min(prices.read_at)
                        from {{ ref('stg_binance_spot__prices') }} as prices
                        where {{ is_among('prices.load_id', claimed_loads()) }}
                    ),
                    {{ start_of_day('(' ~ first_day_of_new_rates() ~ ')') }}
                ) - interval '1 minute' * {{ less_minutes }}
        ) and 'infinity'
{%- endmacro %}

{#- Runs the undoing of a mart of walks: of the cycles that the claimed loads can change. -#}
{% macro rewind_walks(less_minutes=0) %}
    {%- set touched = touched_walks(less_minutes) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ is_among('run_id', touched) }}
    {% endif %}
{% endmacro %}

{#- Returns a scalar query: for how many minutes after its cycle a walk can get its outcome. -#}
{% macro hindsight_minutes() -%}
    (
        select max(waits.threshold)
        from {{ ref('arbitrage_rules') }} as waits
        where waits.rule = 'hindsight_max_minutes'
    )
{%- endmacro %}
