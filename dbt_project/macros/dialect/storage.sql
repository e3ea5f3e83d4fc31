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
    Runs what tells the planner how large a table is that was just rebuilt. Until a server finds
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
    Runs the adding of columns that the model's contract has and its table lacks, as a release that
    brings one finds it. In the rows that are there such a column is null, or what its meta says by
    `in_older_rows`. dbt's own `append_new_columns` comes too late for a model that reads its table,
    and whatever else differs is still to fail. Asked first, since the statement waits for every
    reader of the table.
-#}
{% macro add_missing_columns() %}
    {% if execute and is_incremental() and model.config.contract.enforced %}
        {% set present = adapter.get_columns_in_relation(this) | map(attribute='name') | list %}
        {% set missing = model.columns.values() | rejectattr('name', 'in', present) | list %}
        {% if missing %}
            {{ adapter.dispatch('add_columns', 'p2p')(missing) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro default__add_columns(columns) %}
    alter table {{ this }}
    {% for column in columns %}
        {% set older = column.meta.get('in_older_rows') %}
        add column {{ column.name }} {{ column.data_type }}
        {{- ' not null default ' ~ older if older is not none }}{{ ',' if not loop.last }}
    {% endfor %}
{% endmacro %}

{#-
    Runs what keeps the planner, until the end of the transaction, from matching two large sides row
    by row, or by one of several keys: of a common table expression it expects a handful of rows,
    and a join of two of 10,000 took minutes. What is looked up by an index is so all the same.
-#}
{% macro join_by_hash() -%}
    {{ return(adapter.dispatch('join_by_hash', 'p2p')()) }}
{%- endmacro %}

{% macro default__join_by_hash() -%}
    set local enable_nestloop = off;
    set local enable_mergejoin = off
{%- endmacro %}
