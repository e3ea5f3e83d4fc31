{#-
    What the tests of a run look at.

    A test that reads all of history costs by what is stored, and a warehouse is tested in every
    cycle. So a load is under test from when it is admitted until a whole build was green with it,
    and a cycle (`tested: new`) looks only at rows from the earliest reading under test on: what is
    red stays red until it is fixed. A plain `dbt build` or `dbt test` looks at everything.

    `ops.loads_under_test` the loads that no green build has seen whole
-#}

{#-
    Returns a relation for a test to read: what dbt asks for each `data_test`. A model says in its
    meta by which of its columns a row is new: `tested_by`, one column of loads or some of times.
-#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}
        {%- do conditions.append('(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- if execute and var('tested', 'all') == 'new' -%}
        {%- set node = graph.nodes.get('model.p2p.' ~ relation.identifier, {}) -%}
        {%- set columns = node.get('config', {}).get('meta', {}).get('tested_by', []) -%}
        {%- if columns -%}
            {%- do conditions.append('(' ~ is_under_test(columns) ~ ')') -%}
        {%- endif -%}
    {%- endif -%}
    {%- if conditions -%}
        {{ return(
            '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ')
            ~ ') as dbt_subquery'
        ) }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}

{#- Returns a condition: a row is new by one of `columns`, or stands still. -#}
{% macro is_under_test(columns) -%}
    {%- if columns == ['load_id'] -%}
        {{ is_among('load_id', 'select load_id from ops.loads_under_test') }}
    {%- else -%}
        {# As a literal: of an unknown time the planner takes a third of the table to be later. #}
        {%- set earliest = run_query(earliest_under_test()).columns[0][0] -%}
        {%- for column in columns -%}
            {%- if loop.index > 1 %} or {% endif -%}
            {%- if earliest is none -%}
                false
            {%- elif column == 'day' -%}
                day >= {{ utc_day("'" ~ earliest ~ "'::timestamptz") }}
            {%- else -%}
                {{ column }} >= '{{ earliest }}'::timestamptz
                {%- if column in ['valid_to', 'gone_at'] %} or {{ column }} is null{% endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- Returns a query of one time, as text: when the earliest reading under test began. -#}
{% macro earliest_under_test() -%}
    {# Not by `source()`, which a test may only ask for what it is known to read. #}
    {%- set snapshots = graph.sources['source.p2p.binance_p2p.snapshots'].relation_name -%}
    {# Gathered before it is asked for the least: else all of history is looked through for it. #}
    with readings as {{ once() }} (
        select started_at from {{ snapshots }}
        where {{ is_among('_dlt_load_id', 'select load_id from ops.loads_under_test') }}
    )

    select min(started_at)::text from readings
{%- endmacro %}

{#-
    Runs the release of all loads from test, after a build that was green of all that changes with
    the market.
-#}
{% macro release_loads() %}
    {%- set chosen = invocation_args_dict.get('select') or invocation_args_dict.get('exclude')
        or invocation_args_dict.get('selector') not in [none, 'what_moves'] -%}
    {% if execute and flags.WHICH == 'build' and not chosen %}
        {% set red = results | map(attribute='status') | map('string')
            | select('in', ['error', 'fail', 'skipped', 'runtime error']) | list %}
        {# One of tests alone, or of models, has not seen both. #}
        {% set seen = results | map(attribute='node.resource_type') | map('string') | list %}
        {% if not red and 'model' in seen and 'test' in seen %}
            delete from ops.loads_under_test;
            delete from ops.retold_loads
        {% endif %}
    {% endif %}
{% endmacro %}
