{#-
    Casts of an attacker's text: what does not look like the type becomes null and never an error,
    for one hostile offer must not keep the others from the facts. Lengths are bounded, since
    '1e400' and a number of 10,000 digits are numbers to PostgreSQL. Not by a bounded repetition,
    where it is asked of each offer: PostgreSQL takes twenty times as long for `{1,64}` as for `+`.
-#}

{#-
    Returns a condition: the text is of 1 to `most` characters, all of them in `characters`, which
    is the inside of a bracket of a regular expression.
-#}
{% macro is_made_of(text, characters, most) -%}
    {{ return(adapter.dispatch('is_made_of', 'p2p')(text, characters, most)) }}
{%- endmacro %}

{% macro default__is_made_of(text, characters, most) -%}
    {{ text }} ~ '^[{{ characters }}]+$' and length({{ text }}) <= {{ most }}
{%- endmacro %}

{#-
    Returns a plain decimal (at most 30 digits before and 18 after the point) as numeric, else null.
-#}
{% macro to_decimal(text) -%}
    {{ return(adapter.dispatch('to_decimal', 'p2p')(text)) }}
{%- endmacro %}

{% macro default__to_decimal(text) -%}
    {#- Of 19 characters none can have too many digits on either side. -#}
    case
        when
            {{ text }} ~ '^-?[0-9]+([.][0-9]+)?$'
            and (
                length({{ text }}) <= 19
                or {{ text }} ~ '^-?[0-9]{1,30}([.][0-9]{1,18})?$'
            )
            then {{ text }}::numeric
    end
{%- endmacro %}

{#- Returns a number from 0 to 1 as numeric, else null. -#}
{% macro to_share(text) -%}
    {{ return(adapter.dispatch('to_share', 'p2p')(text)) }}
{%- endmacro %}

{% macro default__to_share(text) -%}
    case
        when {{ text }} ~ '^(0([.][0-9]+)?|1([.]0+)?)$' and length({{ text }}) <= 20
            then {{ text }}::numeric
    end
{%- endmacro %}

{#- Returns a whole number of at most 9 digits as integer, else null. -#}
{% macro to_integer(text) -%}
    {{ return(adapter.dispatch('to_integer', 'p2p')(text)) }}
{%- endmacro %}

{% macro default__to_integer(text) -%}
    case
        when {{ text }} ~ '^-?[0-9]+$' and length(ltrim({{ text }}, '-')) <= 9
            then {{ text }}::integer
    end
{%- endmacro %}

{#- Returns true and 1 as true, false and 0 as false, else null. -#}
{% macro to_boolean(text) -%}
    case lower({{ text }})
        when 'true' then true
        when '1' then true
        when 'false' then false
        when '0' then false
    end
{%- endmacro %}

{#- Returns a number as a binary one: quick to compute with, to some 15 digits. -#}
{% macro to_double(number) -%}
    {{ return(adapter.dispatch('to_double', 'p2p')(number)) }}
{%- endmacro %}

{% macro default__to_double(number) -%}
    ({{ number }})::double precision
{%- endmacro %}
