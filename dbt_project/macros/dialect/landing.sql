{#-
    Returns a query of the rows of a landed table that the transform may read, one row a key: dlt
    loads a file twice when it is killed between the database's commit and its own marker. The load
    stands in the key, so that a condition on it reaches the table's index through the view.
-#}
{% macro admitted_rows(relation, key) -%}
    {{ return(adapter.dispatch('admitted_rows', 'p2p')(relation, key)) }}
{%- endmacro %}

{% macro default__admitted_rows(relation, key) -%}
    select distinct on (_dlt_load_id, {{ key | join(', ') }}) *
    from {{ relation }}
    where _dlt_load_id in (select admitted.load_id from ops.admitted_loads as admitted)
    order by _dlt_load_id, {{ key | join(', ') }}
{%- endmacro %}

{#-
    Returns the word that has a common table expression worked out once. Opening pages is the
    dearest step, and a planner that expects one row of it may do it again for each row of another
    table.
-#}
{% macro once() -%}
    {{ return(adapter.dispatch('once', 'p2p')()) }}
{%- endmacro %}

{% macro default__once() -%}
    materialized
{%- endmacro %}
