{#-
    Readings around a moment, found by the index on book and `started_at`: laterals on PostgreSQL,
    as in `versions.sql`.
-#}

{#-
    Returns a left join with the trusted reading of `table` next to `moment` in the book of
    `outer_name`, as `name`: the last before it, or the first after. Or with any reading.
-#}
{% macro left_join_reading(table, name, outer_name, direction, moment, trusted=true) -%}
    {{ return(
        adapter.dispatch('left_join_reading', 'p2p')(
            table, name, outer_name, direction, moment, trusted
        )
    ) }}
{%- endmacro %}

{% macro default__left_join_reading(table, name, outer_name, direction, moment, trusted) -%}
    left join lateral (
        select
            others.snapshot_id,
            others.started_at
        from {{ table }} as others
        where
            others.fiat_code = {{ outer_name }}.fiat_code
            and others.asset_code = {{ outer_name }}.asset_code
            and others.side = {{ outer_name }}.side
            {% if trusted %}
                and others.quality_verdict = 'trusted'
            {% endif %}
            and others.started_at {{ '<' if direction == 'before' else '>' }} {{ moment }}
        order by others.started_at {{ 'desc' if direction == 'before' else 'asc' }}
        limit 1
    ) as {{ name }} on true
{%- endmacro %}

{#-
    Returns a join with how many trusted readings of `table` there are in the book of `outer_name`
    from a moment on and before another, with the first and the last of them, as `name`.
-#}
{% macro join_readings_between(table, name, outer_name, least, below) -%}
    {{ return(
        adapter.dispatch('join_readings_between', 'p2p')(table, name, outer_name, least, below)
    ) }}
{%- endmacro %}

{% macro default__join_readings_between(table, name, outer_name, least, below) -%}
    cross join lateral (
        select
            count(*)::integer as readings,
            min(others.started_at) as first_at,
            max(others.started_at) as last_at
        from {{ table }} as others
        where
            others.fiat_code = {{ outer_name }}.fiat_code
            and others.asset_code = {{ outer_name }}.asset_code
            and others.side = {{ outer_name }}.side
            and others.quality_verdict = 'trusted'
            and others.started_at >= {{ least }}
            and others.started_at < {{ below }}
    ) as {{ name }}
{%- endmacro %}
