{#-
    JSON, as each engine says it. On PostgreSQL a page is read once, into `jsonb`: the `json` that
    it stands in is text, which each function reads again from its beginning. And one
    `jsonb_to_record` per object instead of a `->>` per field.
-#}

{#-
    Returns a lateral join that gives one row per element of a JSON array: `value` and `position`
    from 1.
-#}
{% macro unnest_json(array, name) -%}
    {{ return(adapter.dispatch('unnest_json', 'p2p')(array, name)) }}
{%- endmacro %}

{% macro default__unnest_json(array, name) -%}
    cross join lateral jsonb_array_elements(
        case when jsonb_typeof({{ array }}) = 'array' then {{ array }} else '[]'::jsonb end
    ) with ordinality as {{ name }} (value, position)
{%- endmacro %}

{#-
    Returns a lateral join that opens a JSON object as a row `name`; every field is text, or JSON
    where said.
-#}
{% macro open_json(object, name, fields, json_fields=[]) -%}
    {{ return(adapter.dispatch('open_json', 'p2p')(object, name, fields, json_fields)) }}
{%- endmacro %}

{% macro default__open_json(object, name, fields, json_fields) -%}
    cross join lateral jsonb_to_record(
        case when jsonb_typeof({{ object }}) = 'object' then {{ object }} else '{}'::jsonb end
    ) as {{ name }} (
        {%- for field in fields %}
            "{{ field }}" text{{ ',' if not loop.last or json_fields }}
        {%- endfor %}
        {%- for field in json_fields %}
            "{{ field }}" jsonb{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#-
    Returns a lateral join that gives one row per item of a page, opened as `open_json` does, with
    its `position` from 1. The loader lands no page whose `data` is not a list of objects.
-#}
{% macro open_items(body, name, fields, json_fields) -%}
    {{ return(adapter.dispatch('open_items', 'p2p')(body, name, fields, json_fields)) }}
{%- endmacro %}

{% macro default__open_items(body, name, fields, json_fields) -%}
    cross join lateral rows from (
        jsonb_to_recordset({{ body }}::jsonb -> 'data') as (
            {%- for field in fields %}
                "{{ field }}" text{{ ',' if not loop.last or json_fields }}
            {%- endfor %}
            {%- for field in json_fields %}
                "{{ field }}" jsonb{{ ',' if not loop.last }}
            {%- endfor %}
        )
    ) with ordinality as {{ name }} (
        {%- for field in fields + json_fields %}"{{ field }}", {% endfor -%}
        position
    )
{%- endmacro %}

{#-
    Returns the fields of an opened object that are not null, as the text of a JSON object; null
    when none is.
-#}
{% macro json_of_those_present(name, fields) -%}
    {{ return(adapter.dispatch('json_of_those_present', 'p2p')(name, fields)) }}
{%- endmacro %}

{% macro default__json_of_those_present(name, fields) -%}
    case
        when
            coalesce(
                {%- for field in fields %}
                    {{ name }}."{{ field }}"{{ ',' if not loop.last }}
                {%- endfor %}
            ) is not null
            then json_strip_nulls(
                json_build_object(
                    {%- for field in fields %}
                        '{{ field }}', {{ name }}."{{ field }}"{{ ',' if not loop.last }}
                    {%- endfor %}
                )
            )::text
    end
{%- endmacro %}

{#-
    Returns the distinct values over a JSON array of objects, in order, as a text array: of each
    object the first of `fields` that is neither null nor empty.
-#}
{% macro distinct_members(array, fields) -%}
    {{ return(adapter.dispatch('distinct_members', 'p2p')(array, fields)) }}
{%- endmacro %}

{% macro default__distinct_members(array, fields) -%}
    array(
        select distinct named.value
        from jsonb_array_elements(
            case when jsonb_typeof({{ array }}) = 'array' then {{ array }} else '[]'::jsonb end
        ) as member (value)
        cross join lateral (
            select
                coalesce(
                    {%- for field in fields %}
                        nullif(member.value ->> '{{ field }}', ''){{ ',' if not loop.last }}
                    {%- endfor %}
                ) as value
        ) as named
        where named.value is not null
        order by named.value
    )
{%- endmacro %}
