-- Why: a number without its formula is read as whatever its reader expects of the name.
-- Every numeric column of a mart of models/marts/market, actors, forecasts or arbitrage has its row
-- in metric_definitions, and no row of such a mart defines a column that is not there.

{%- set numeric_types = [
    'numeric', 'decimal', 'integer', 'bigint', 'smallint', 'real', 'double precision',
] -%}
{%- set metrics = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values()
    if node.fqn[1] == 'marts' and node.fqn[2] in ('market', 'actors', 'forecasts', 'arbitrage') -%}
        {%- for column in node.columns.values() if node.resource_type == 'model' -%}
            {%- set type = ((column.data_type or '') | lower).split('(')[0] -%}
            {%- do metrics.append((node.name, column.name, type in numeric_types)) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif %}

with

metrics (mart, metric, is_numeric) as (

    values
    {% for mart, metric, is_numeric in metrics or [('none', 'none', false)] %}
        ('{{ mart }}', '{{ metric }}', {{ is_numeric }}){{ ',' if not loop.last }}
    {% endfor %}

),

definitions as (

    select * from {{ ref('metric_definitions') }}

)

select
    metrics.mart,
    metrics.metric,
    'has no definition' as finding
from metrics
left join definitions on metrics.mart = definitions.mart and metrics.metric = definitions.metric
where metrics.is_numeric and definitions.metric is null

union all

select
    definitions.mart,
    definitions.metric,
    'is no column' as finding
from definitions
left join metrics on definitions.mart = metrics.mart and definitions.metric = metrics.metric
where definitions.mart in (select marts.mart from metrics as marts) and metrics.metric is null
