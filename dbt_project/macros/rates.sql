{#-
    Rates and prices from beside the exchange: which days the loads that are new to a model touch.
    A rate is carried forward, so one that comes late changes every day after it.
-#}

{#- Returns a query of one day: the earliest that an official rate in the claimed loads is of. -#}
{% macro first_day_of_new_rates() -%}
    select min(rates.rate_date)
    from {{ ref('stg_rates__official_rates') }} as rates
    where {{ is_among('rates.load_id', claimed_loads()) }}
{%- endmacro %}

{#- Returns a query of one day: the earliest that a spot price in the claimed loads is of. -#}
{% macro first_day_of_new_spot_prices() -%}
    select {{ utc_day('min(prices.read_at)') }}
    from {{ ref('stg_binance_spot__prices') }} as prices
    where {{ is_among('prices.load_id', claimed_loads()) }}
{%- endmacro %}

{#-
    Returns a query of one day: the earliest that a reading of a book, an official rate or a spot
    price in the claimed loads can change. `less_seconds`: how far a reading reaches back.
-#}
{% macro first_day_of_anything_new(less_seconds=0) -%}
    select
        least(
            (
                select {{ utc_day("(min(readings.started_at) - interval '"
                ~ less_seconds ~ " seconds')") }}
                from {{ ref('stg_binance_p2p__snapshots') }} as readings
                where {{ is_among('readings.load_id', claimed_loads()) }}
            ),
            ({{ first_day_of_new_rates() }}),
            ({{ first_day_of_new_spot_prices() }})
        )
{%- endmacro %}

{#- Runs the undoing of a mart from a day on; from none where `first_day` finds none. -#}
{% macro rewind_days_since(first_day, column='day') %}
    {% if is_incremental() %}
        delete from {{ this }} where {{ column }} between ({{ first_day }}) and 'infinity'
    {% endif %}
{% endmacro %}

{#-
    Returns a query of the cycles (runs) that the claimed loads can change: those that read a book
    at or after the horizon of the market less some seconds, or on a day whose official rates are
    new.
-#}
{% macro touched_cycles(less_seconds) -%}
    select distinct touched.run_id
    from {{ ref('fact_snapshots') }} as touched
    where
        touched.started_at between (
            select
                least(
                    (
                        select min(readings.started_at) - interval '{{ less_seconds }} seconds'
                        from {{ ref('stg_binance_p2p__snapshots') }} as readings
                        where {{ is_among('readings.load_id', claimed_loads()) }}
                    ),
                    {{ start_of_day('(' ~ first_day_of_new_rates() ~ ')') }}
                )
        ) and 'infinity'
{%- endmacro %}

{#- Runs the undoing of a mart of cycles: of those that the claimed loads can change. -#}
{% macro rewind_cycles(less_seconds) %}
    {%- set touched = touched_cycles(less_seconds) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ is_among('run_id', touched) }}
    {% endif %}
{% endmacro %}
