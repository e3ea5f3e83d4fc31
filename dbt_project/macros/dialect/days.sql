{#-
    A strategy of incremental models, `by_day`: the days that the new rows are of are replaced,
    whole. On PostgreSQL by an index on `day`; where partitions are files, they are overwritten.
-#}
{% macro get_incremental_by_day_sql(arg_dict) -%}
    {{ return(adapter.dispatch('replace_days', 'p2p')(
        arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns']
    )) }}
{%- endmacro %}

{% macro default__replace_days(target, fresh, columns) -%}
    {%- set names = get_quoted_csv(columns | map(attribute='name')) %}
    delete from {{ target }}
    where day = any(array(select distinct fresh.day from {{ fresh }} as fresh));

    insert into {{ target }} ({{ names }})
    select {{ names }} from {{ fresh }}
{%- endmacro %}
