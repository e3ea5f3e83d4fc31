{#-
    Takes the place of dbt's own, and leaves out the name of the database: psycopg2 takes a `%` in
    it for a sign of its own where values go beside the statement, as they do here alone.
-#}
{% macro postgres__load_csv_rows(model, agate_table) %}
    {% set columns = get_seed_column_quoted_csv(model, agate_table.column_names) %}
    {% set bindings, rows = [], [] %}
    {% for row in agate_table.rows %}
        {% do bindings.extend(row) %}
        {% do rows.append('(' ~ (['%s'] * (row | length)) | join(', ') ~ ')') %}
    {% endfor %}
    {% set insertion %}
        insert into {{ this.include(database=false) }} ({{ columns }})
        values {{ rows | join(', ') }}
    {% endset %}
    {% do adapter.add_query(insertion, bindings=bindings, abridge_sql_log=true) %}
    {{ return(insertion) }}
{% endmacro %}
