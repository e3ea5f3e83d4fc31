{#-
    Why: the columns that every row must have, of a relation without a contract, which the database
    itself would hold.
-#}
{% test never_null(model, columns) %}

    select *
    from {{ model }}
    where
        {% for column in columns %}
            {{ column }} is null{{ ' or' if not loop.last }}
        {% endfor %}

{% endtest %}
