{#-
    Returns a condition: `column` is among what `query` gives. On PostgreSQL an array, since a
    condition with an array is pushed down into views and met by an index, and one with a sub-query
    is not.
-#}
{% macro is_among(column, query) -%}
    {{ return(adapter.dispatch('is_among', 'p2p')(column, query)) }}
{%- endmacro %}

{% macro default__is_among(column, query) -%}
    {{ column }} = any(array({{ query }}))
{%- endmacro %}

{#-
    Returns what stands between the name and the body of a part of a query that is read twice, to
    have it planned with each of its readers: PostgreSQL would else make the whole of it first,
    whatever few rows of it are asked for.
-#}
{% macro as_planned_with_its_readers() -%}
    {{ return(adapter.dispatch('as_planned_with_its_readers', 'p2p')()) }}
{%- endmacro %}

{% macro default__as_planned_with_its_readers() -%}
    as not materialized
{%- endmacro %}

{#-
    Returns a key: 32 hexadecimal digits over columns, none of which a null can make equal to
    another row's.
-#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
            coalesce(({{ column }})::text, '~') {{ "|| '|' ||" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- Returns the distinct values of two text arrays, in order. -#}
{% macro union_of_arrays(arrays) -%}
    {{ return(adapter.dispatch('union_of_arrays', 'p2p')(arrays)) }}
{%- endmacro %}

{% macro default__union_of_arrays(arrays) -%}
    array(
        select distinct member
        from unnest({{ arrays | join(' || ') }}) as members (member)
        order by member
    )
{%- endmacro %}

{#- Returns a lateral join that gives one row per member of a text array: `value`. -#}
{% macro unnest_array(array, name) -%}
    {{ return(adapter.dispatch('unnest_array', 'p2p')(array, name)) }}
{%- endmacro %}

{% macro default__unnest_array(array, name) -%}
    cross join lateral unnest({{ array }}) as {{ name }} (value)
{%- endmacro %}

{#-
    Returns an aggregate: the distinct values of a text column that are not null, in order, as an
    array.
-#}
{% macro distinct_values(column) -%}
    {{ return(adapter.dispatch('distinct_values', 'p2p')(column)) }}
{%- endmacro %}

{% macro default__distinct_values(column) -%}
    coalesce(
        array_agg(distinct {{ column }} order by {{ column }}) filter (
            where {{ column }} is not null
        ),
        '{}'
    )
{%- endmacro %}

{#- Returns a lateral join that gives one row per place in arrays of one length: `number`. -#}
{% macro unnest_together(arrays, name, columns) -%}
    {{ return(adapter.dispatch('unnest_together', 'p2p')(arrays, name, columns)) }}
{%- endmacro %}

{% macro default__unnest_together(arrays, name, columns) -%}
    cross join lateral unnest(
        {%- for array in arrays %}
            {{ array }}{{ ',' if not loop.last }}
        {%- endfor %}
    ) with ordinality as {{ name }} ({{ columns | join(', ') }}, number)
{%- endmacro %}

{#- Returns the row of an array of two dimensions with that number, as an array. -#}
{% macro row_of(array, number) -%}
    {{ return(adapter.dispatch('row_of', 'p2p')(array, number)) }}
{%- endmacro %}

{% macro default__row_of(array, number) -%}
    {{ array }}[{{ number }}:{{ number }}][:]
{%- endmacro %}

{#- Returns an aggregate: the first value that is not null, in an order of the rows. -#}
{% macro first_value_of(column, order) -%}
    {{ return(adapter.dispatch('first_value_of', 'p2p')(column, order)) }}
{%- endmacro %}

{% macro default__first_value_of(column, order) -%}
    (array_agg({{ column }} order by {{ order }}) filter (where {{ column }} is not null))[1]
{%- endmacro %}

{#-
    Runs the moving of the rows of `table` that meet a condition: out of it, and into a table `name`
    that lives as long as the transaction; of that only those that meet `keep` too.
-#}
{% macro hold_rows(name, table, condition, keep) %}
    {{ return(adapter.dispatch('hold_rows', 'p2p')(name, table, condition, keep)) }}
{%- endmacro %}

{% macro default__hold_rows(name, table, condition, keep) %}
    create temporary table {{ name }} on commit drop as
    select * from {{ table }}
    where {{ condition }} and {{ keep }};
    delete from {{ table }}
    where {{ condition }}
{% endmacro %}

{#- Runs the keeping of what `query` gives, in a table `name` until the transaction ends. -#}
{% macro hold_query(name, query) %}
    {{ return(adapter.dispatch('hold_query', 'p2p')(name, query)) }}
{%- endmacro %}

{% macro default__hold_query(name, query) %}
    create temporary table {{ name }} on commit drop as
    {{ query }}
{% endmacro %}
