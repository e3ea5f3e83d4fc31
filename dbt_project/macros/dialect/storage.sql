{#-
    Runs what has pages keep room for other versions of their rows, for a table of which most that
    is not past is updated in each cycle. On PostgreSQL an update that changes no indexed column and
    finds room beside leaves the indexes alone, which of a long history are the dearest to write.
-#}
{% macro keep_room(percent) %}
    {% if not is_incremental() %}
        {{ adapter.dispatch('keep_room', 'p2p')(percent) }}
    {% endif %}
{% endmacro %}

{% macro default__keep_room(percent) %}
    alter table {{ this }} set (fillfactor = {{ 100 - percent }})
{% endmacro %}

{#-
    Runs what tells the planner how large a table is that was just made anew. Until a server finds
    the time for it on its own, PostgreSQL takes any such table for a small one, and walks it once
    for each row of another. What is added to later is left to the server.
-#}
{% macro take_stock() %}
    {% if model.config.materialized in ('table', 'incremental') and not is_incremental() %}
        {{ adapter.dispatch('take_stock', 'p2p')() }}
    {% endif %}
{% endmacro %}

{% macro default__take_stock() %}
    analyze {{ this }}
{% endmacro %}

{#-
    Runs what gives a table that an older version made the columns that it lacks: `columns` by name,
    each with its type and what stands for it in the rows that are there. Asked first, since the
    statement waits for every reader, also where there is nothing to add.
-#}
{% macro add_columns(columns) %}
    {% if is_incremental() %}
        {% set known = adapter.get_columns_in_relation(this) | map(attribute='name') | list %}
        {{ adapter.dispatch('add_columns', 'p2p')(
            columns.items() | rejectattr(0, 'in', known) | list
        ) }}
    {% endif %}
{% endmacro %}

{% macro default__add_columns(columns) %}
    {% for name, type in columns %}
        alter table {{ this }} add column {{ name }} {{ type }};
    {% endfor %}
{% endmacro %}
