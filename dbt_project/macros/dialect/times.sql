{#-
    Returns a timestamp in UTC as whole microseconds since 1970, as text: the same whatever the
    session's zone.
-#}
{% macro epoch_micros(timestamp) -%}
    {{ return(adapter.dispatch('epoch_micros', 'p2p')(timestamp)) }}
{%- endmacro %}

{% macro default__epoch_micros(timestamp) -%}
    (extract(epoch from {{ timestamp }}) * 1000000)::bigint::text
{%- endmacro %}

{#- Returns the minutes from one timestamp to another, as numeric. -#}
{% macro minutes_between(earlier, later) -%}
    {{ return(adapter.dispatch('minutes_between', 'p2p')(earlier, later)) }}
{%- endmacro %}

{% macro default__minutes_between(earlier, later) -%}
    (extract(epoch from {{ later }} - {{ earlier }}) / 60)::numeric
{%- endmacro %}

{#-
    Returns when an offer was created: its number is a snowflake of 20 digits, whose bits above the
    22nd of the last 18 digits are milliseconds since 2019-08-28 (checked on 34,500 recorded
    offers).
-#}
{% macro offer_created_at(adv_no) -%}
    {{ return(adapter.dispatch('offer_created_at', 'p2p')(adv_no)) }}
{%- endmacro %}

{% macro default__offer_created_at(adv_no) -%}
    case
        when {{ adv_no }} ~ '^[0-9]{20}$'
            then to_timestamp(
                (
                    ((substr({{ adv_no }}, 3)::bigint >> 22) + 1566993984000) / 1000.0
                )::double precision
            )
    end
{%- endmacro %}

{#- Returns the day (UTC) in which a timestamp lies, as date. -#}
{% macro utc_day(timestamp) -%}
    {{ return(adapter.dispatch('utc_day', 'p2p')(timestamp)) }}
{%- endmacro %}

{% macro default__utc_day(timestamp) -%}
    ({{ timestamp }} at time zone 'UTC')::date
{%- endmacro %}

{#- Returns the timestamp at which the day, hour or other `unit` (UTC) of another began. -#}
{% macro start_of(unit, timestamp) -%}
    {{ return(adapter.dispatch('start_of', 'p2p')(unit, timestamp)) }}
{%- endmacro %}

{% macro default__start_of(unit, timestamp) -%}
    date_trunc('{{ unit }}', {{ timestamp }}, 'UTC')
{%- endmacro %}

{#- Returns a lateral join that gives one row per day from `first` to `last`: `day`. -#}
{% macro join_days(first, last, name) -%}
    {{ return(adapter.dispatch('join_days', 'p2p')(first, last, name)) }}
{%- endmacro %}

{% macro default__join_days(first, last, name) -%}
    cross join lateral (
        select series.day::date as day
        from generate_series(
            ({{ first }})::timestamp, ({{ last }})::timestamp, interval '1 day'
        ) as series (day)
    ) as {{ name }}
{%- endmacro %}

{#- Returns the timestamp at which a day (UTC) begins. -#}
{% macro start_of_day(day) -%}
    {{ return(adapter.dispatch('start_of_day', 'p2p')(day)) }}
{%- endmacro %}

{% macro default__start_of_day(day) -%}
    {{ day }}::timestamp at time zone 'UTC'
{%- endmacro %}

{#- Returns what a clock shows at a timestamp in a time zone of the IANA database. -#}
{% macro local_time(timestamp, zone) -%}
    {{ return(adapter.dispatch('local_time', 'p2p')(timestamp, zone)) }}
{%- endmacro %}

{% macro default__local_time(timestamp, zone) -%}
    ({{ timestamp }} at time zone {{ zone }})
{%- endmacro %}
