{#-
    The analysts' marts of the market: told anew from one horizon for all books, the earliest
    reading in the loads that are new to the model. Not a horizon a book: an advertiser's
    statistics come from every book that shows him, so a late reading of one can change who is
    eligible in another.
-#}

{#-
    Returns a condition: `column` lies at or after the horizon, less some seconds. Told as a range,
    since the planner takes `>=` of what it does not know yet for a third of the table, and reads
    all of it.
-#}
{% macro since_horizon(column, less_seconds=0) -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {{ column }} between (
        select min(readings.started_at) - interval '{{ less_seconds }} seconds'
        from {{ readings }} as readings
        where {{ is_among('readings.load_id', claimed_loads()) }}
    ) and 'infinity'
{%- endmacro %}

{#-
    Returns a condition: `column`, a day, is that of the horizon less some days, or a later one; or
    `column`, a time, lies in such a day.
-#}
{% macro since_day_of_horizon(column, is_time=false, less_days=0) -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {%- set earliest = "(min(readings.started_at) - interval '" ~ less_days ~ " days')" -%}
    {{ column }} between (
        select {{ start_of('day', earliest) if is_time else utc_day(earliest) }}
        from {{ readings }} as readings
        where {{ is_among('readings.load_id', claimed_loads()) }}
    ) and 'infinity'
{%- endmacro %}

{#- Runs the undoing of a mart of days from the day of the horizon on. -#}
{% macro rewind_days(column='day') %}
    {%- set told = since_day_of_horizon(column) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ told }}
    {% endif %}
{% endmacro %}

{#- Runs the undoing of a mart of the market from the horizon on. -#}
{% macro rewind_market(column, less_seconds=0) %}
    {%- set told = since_horizon(column, less_seconds) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ told }}
    {% endif %}
{% endmacro %}

{#-
    Returns an aggregate: the value at a share of the way through `count` values, of which each row
    is the `nth` (from 1), with linear interpolation between neighbours: what `percentile_cont`
    gives, but in exact decimals where that one rounds to a double.
-#}
{% macro interpolated(value, nth, count, share) -%}
    trim_scale(
        sum({{ value }} * greatest(0, 1 - abs({{ nth }} - 1 - {{ share }} * ({{ count }} - 1))))
    )
{%- endmacro %}

{#-
    Returns an aggregate: the commonest value among the rows that meet a condition; where several
    are as common, the first in order.
-#}
{% macro commonest(value, condition) -%}
    {{ return(adapter.dispatch('commonest', 'p2p')(value, condition)) }}
{%- endmacro %}

{% macro default__commonest(value, condition) -%}
    mode() within group (order by {{ value }}) filter (where {{ condition }})
{%- endmacro %}

{#-
    Returns the fee of a role on a page, as a fraction, from `fees` for the spread of `referenced`:
    what is said of one fiat goes before what is said of all.
-#}
{% macro fee_rate(role, side) -%}
    (
        select fees.fee_pct / 100
        from fees
        where
            fees.role = '{{ role }}'
            and fees.side = '{{ side }}'
            and fees.fiat_code in (referenced.fiat_code, '*')
            and fees.valid_from <= referenced.buy_snapshot_at
        order by (fees.fiat_code = '*') asc, fees.valid_from desc
        limit 1
    )
{%- endmacro %}
