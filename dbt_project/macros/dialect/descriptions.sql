{#-
    Takes the place of dbt's own: a table that goes on keeps its descriptions, and is told them
    again only where they differ. Else each cycle would write some thousand comments over again, a
    tenth of what dbt itself takes for it.
-#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) %}
    {% if not (is_incremental() and descriptions_stand(relation, model)) %}
        {% do dbt.default__persist_docs(relation, model, for_relation, for_columns) %}
    {% endif %}
{% endmacro %}

{#-
    Returns whether a table and its columns are described as they are to be. A word stands before
    the digest, since dbt would take one of digits alone for a number.
-#}
{% macro descriptions_stand(relation, model) %}
    {% set wanted = [' ' ~ model.description] if model.description else [] %}
    {% for column in model.columns.values() | sort(attribute='name', case_sensitive=true) %}
        {% if column.description %}
            {% do wanted.append(column.name ~ ' ' ~ column.description) %}
        {% endif %}
    {% endfor %}
    {% set standing %}
        select
            'md5 ' || md5(coalesce(
                string_agg(
                    coalesce(attributes.attname, '') || ' ' || descriptions.description,
                    e'\n'
                    order by coalesce(attributes.attname, '') collate "C"
                ),
                ''
            ))
        from pg_catalog.pg_description as descriptions
        left join pg_catalog.pg_attribute as attributes
            on
                descriptions.objoid = attributes.attrelid
                and descriptions.objsubid = attributes.attnum
                and descriptions.objsubid > 0
        where
            descriptions.classoid = 'pg_catalog.pg_class'::regclass
            and descriptions.objoid = '{{ relation }}'::regclass
    {% endset %}
    {{ return(run_query(standing).columns[0][0] == 'md5 ' ~ local_md5(wanted | join('\n'))) }}
{% endmacro %}
