{#-
    Returns a scalar query of one time: since when observations can differ by what the claimed loads
    bring. A spread can be one of readings some seconds before, a rate is one of all of its day.
-#}
{% macro alerts_since() -%}
    (
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
            ) - interval '{{ var("spread_max_seconds", 600) }} seconds'
    )
{%- endmacro %}

{#- Returns a condition: `column` lies at or after that time. -#}
{% macro is_since_alerts(column) -%}
    {{ column }} between {{ alerts_since() }} and 'infinity'
{%- endmacro %}

{#- Runs the undoing of the alerts since then. -#}
{% macro rewind_alerts() %}
    {%- set touched = is_since_alerts('fired_at') -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ touched }}
    {% endif %}
{% endmacro %}
