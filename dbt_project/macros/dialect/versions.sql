{#-
    What was valid at a moment. Both are laterals on PostgreSQL, worked out by index for each row of
    the left: as plain joins on a range the planner reads the history of the whole book (or of the
    whole table of statistics) to find what stood at its end, and costs grow with what is stored.
-#}

{#-
    Returns a join with the versions of `table` that were valid at `moment`, as `name`; for tables
    with an index on `keys` and `valid_to`. `keys` are named alike on both sides.
-#}
{% macro join_versions_at(table, name, outer_name, keys, moment) -%}
    {{ return(adapter.dispatch('join_versions_at', 'p2p')(table, name, outer_name, keys, moment)) }}
{%- endmacro %}

{% macro default__join_versions_at(table, name, outer_name, keys, moment) -%}
    cross join lateral (
        select *
        from {{ table }} as versions
        where
            {% for key in keys %}
                versions.{{ key }} = {{ outer_name }}.{{ key }} and
            {% endfor %}
            versions.valid_from <= {{ moment }}
            and (versions.valid_to > {{ moment }} or versions.valid_to is null)
        -- Keeps the planner from turning this into a join, where it has no use for the `or` in an
        -- index.
        offset 0
    ) as {{ name }}
{%- endmacro %}

{#-
    Returns a left join with the one version of `table` that was valid at `moment`, as `name`; for
    tables whose versions follow each other without a gap, with an index on `key` and `valid_from`.
-#}
{% macro left_join_version_at(table, name, outer_name, key, moment) -%}
    {{ return(
        adapter.dispatch('left_join_version_at', 'p2p')(table, name, outer_name, key, moment)
    ) }}
{%- endmacro %}

{% macro default__left_join_version_at(table, name, outer_name, key, moment) -%}
    left join lateral (
        select *
        from {{ table }} as versions
        where
            versions.{{ key }} = {{ outer_name }}.{{ key }}
            and versions.valid_from <= {{ moment }}
        order by versions.valid_from desc
        limit 1
    ) as {{ name }} on true
{%- endmacro %}

{#-
    Returns a left join with the last rows of `table` (one, or `count`) that meet conditions, as
    `name`: the newest by `moment`. In the conditions the table is named `earlier`.
-#}
{% macro left_join_latest(table, name, conditions, moment, count=1) -%}
    {{ return(
        adapter.dispatch('left_join_latest', 'p2p')(table, name, conditions, moment, count)
    ) }}
{%- endmacro %}

{% macro default__left_join_latest(table, name, conditions, moment, count) -%}
    left join lateral (
        select *
        from {{ table }} as earlier
        where {{ conditions | join(' and ') }}
        order by earlier.{{ moment }} desc
        limit {{ count }}
    ) as {{ name }} on true
{%- endmacro %}

{#-
    Returns a join with the versions of `table` that stood up to `moment` or after it, as `name`;
    for tables with an index on `keys` and `valid_to`.
-#}
{% macro join_versions_since(table, name, outer_name, keys, moment) -%}
    {{ return(
        adapter.dispatch('join_versions_since', 'p2p')(table, name, outer_name, keys, moment)
    ) }}
{%- endmacro %}

{% macro default__join_versions_since(table, name, outer_name, keys, moment) -%}
    cross join lateral (
        select *
        from {{ table }} as versions
        where
            {% for key in keys %}
                versions.{{ key }} = {{ outer_name }}.{{ key }} and
            {% endfor %}
            (versions.valid_to >= {{ moment }} or versions.valid_to is null)
        offset 0
    ) as {{ name }}
{%- endmacro %}

{#-
    Returns a join with the versions of `table` that were valid at `earlier` and at `later` no more,
    as `name`; for tables with an index on `keys` and `valid_to`.
-#}
{% macro join_versions_ended(table, name, outer_name, keys, earlier, later) -%}
    {{ return(
        adapter.dispatch('join_versions_ended', 'p2p')(
            table, name, outer_name, keys, earlier, later
        )
    ) }}
{%- endmacro %}

{% macro default__join_versions_ended(table, name, outer_name, keys, earlier, later) -%}
    cross join lateral (
        select *
        from {{ table }} as versions
        where
            {% for key in keys %}
                versions.{{ key }} = {{ outer_name }}.{{ key }} and
            {% endfor %}
            versions.valid_from <= {{ earlier }}
            and versions.valid_to > {{ earlier }}
            and versions.valid_to <= {{ later }}
        offset 0
    ) as {{ name }}
{%- endmacro %}

{#-
    Returns a left join with the one version of `table` that began after `earlier` and was valid at
    `later`, as `name`; for tables with an index on the first of `keys` and `valid_from`.
-#}
{% macro left_join_version_begun(table, name, outer_name, keys, earlier, later) -%}
    {{ return(
        adapter.dispatch('left_join_version_begun', 'p2p')(
            table, name, outer_name, keys, earlier, later
        )
    ) }}
{%- endmacro %}

{% macro default__left_join_version_begun(table, name, outer_name, keys, earlier, later) -%}
    left join lateral (
        select *
        from {{ table }} as versions
        where
            {% for key in keys %}
                versions.{{ key }} = {{ outer_name }}.{{ key }} and
            {% endfor %}
            versions.valid_from > {{ earlier }}
            and versions.valid_from <= {{ later }}
            and (versions.valid_to > {{ later }} or versions.valid_to is null)
        offset 0
    ) as {{ name }} on true
{%- endmacro %}

{#-
    Returns a join with the rows of `table` at or after a moment, as `name`; for tables with an
    index on `keys` and `column`, which are named alike on both sides. Each book by its index: one
    that slept for a year would otherwise have all of that year read.
-#}
{% macro join_rows_since(table, name, outer_name, keys, column, moment) -%}
    {{ return(
        adapter.dispatch('join_rows_since', 'p2p')(table, name, outer_name, keys, column, moment)
    ) }}
{%- endmacro %}

{% macro default__join_rows_since(table, name, outer_name, keys, column, moment) -%}
    cross join lateral (
        select *
        from {{ table }} as later
        where
            {% for key in keys %}
                later.{{ key }} = {{ outer_name }}.{{ key }} and
            {% endfor %}
            later.{{ column }} >= {{ outer_name }}.{{ moment }}
        offset 0
    ) as {{ name }}
{%- endmacro %}

{#- Returns the statement that deletes what `join_rows_since` would join. -#}
{% macro delete_rows_since(table, outer_name, keys, column, moment) -%}
    {{ return(
        adapter.dispatch('delete_rows_since', 'p2p')(table, outer_name, keys, column, moment)
    ) }}
{%- endmacro %}

{% macro default__delete_rows_since(table, outer_name, keys, column, moment) -%}
    delete from {{ table }}
    where ctid = any(array(
        select later.ctid
        from {{ outer_name }}
        cross join lateral (
            select told.ctid
            from {{ table }} as told
            where
                {% for key in keys %}
                    told.{{ key }} = {{ outer_name }}.{{ key }} and
                {% endfor %}
                told.{{ column }} >= {{ outer_name }}.{{ moment }}
            offset 0
        ) as later
    ))
{%- endmacro %}

{#-
    Returns a left join with the version of `offers` next to `moment` in which a trusted reading of
    `snapshots` showed the offer of `outer_name`, as `name`: the last that began before it, or the
    first that began after.
-#}
{% macro left_join_sighting(offers, snapshots, name, outer_name, direction, moment) -%}
    {{ return(
        adapter.dispatch('left_join_sighting', 'p2p')(
            offers, snapshots, name, outer_name, direction, moment
        )
    ) }}
{%- endmacro %}

{% macro default__left_join_sighting(offers, snapshots, name, outer_name, direction, moment) -%}
    left join lateral (
        select sighted.*
        from {{ offers }} as sighted
        where
            sighted.adv_no = {{ outer_name }}.adv_no
            and sighted.fiat_code = {{ outer_name }}.fiat_code
            and sighted.asset_code = {{ outer_name }}.asset_code
            and sighted.side = {{ outer_name }}.side
            and sighted.valid_from {{ '<' if direction == 'before' else '>' }} {{ moment }}
            and exists (
                select 1
                from {{ snapshots }} as readings
                where
                    readings.fiat_code = sighted.fiat_code
                    and readings.asset_code = sighted.asset_code
                    and readings.side = sighted.side
                    and readings.quality_verdict = 'trusted'
                    and readings.started_at >= sighted.valid_from
                    and readings.started_at < coalesce(sighted.valid_to, 'infinity')
            )
        order by sighted.valid_from {{ 'desc' if direction == 'before' else 'asc' }}
        limit 1
    ) as {{ name }} on true
{%- endmacro %}
