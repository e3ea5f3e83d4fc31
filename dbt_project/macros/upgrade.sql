{#-
    Returns whether dbt is to build a table from nothing: where it is asked to, and where an older
    version of the project left the table with other columns than it has now.

    In place of dbt's own macro of this name. It holds for seeds and for the marts of the market and
    of actors, which are made of facts: they lose nothing by it, as long as the facts are there.
    Facts themselves are made of raw pages, which may be gone, and get their columns otherwise
    (`add_missing_columns`).
-#}
{% macro should_full_refresh() %}
    {%- set asked = config.get('full_refresh') -%}
    {%- if asked is none -%}
        {%- set asked = flags.FULL_REFRESH -%}
    {%- endif -%}
    {{ return(asked or has_other_columns()) }}
{% endmacro %}

{#-
    Returns whether the table of a seed, or of a model that is made of facts, lacks a column that is
    described, or has one that is not. Asked of the catalogue once for each time that a model is
    rendered.
-#}
{% macro has_other_columns() -%}
    {%- if not execute
    or (model.resource_type != 'seed' and model.config.group != 'market') -%}
        {{ return(false) }}
    {%- endif -%}
    {%- if 'has_other_columns' not in model -%}
        {%- set found = load_cached_relation(this) -%}
        {%- set known = adapter.get_columns_in_relation(found) | map(attribute='name') | list
            if found is not none and found.is_table else [] -%}
        {%- do model.update({
            'has_other_columns': known != [] and known | sort != model.columns | list | sort
        }) -%}
    {%- endif -%}
    {{ return(model['has_other_columns']) }}
{%- endmacro %}
