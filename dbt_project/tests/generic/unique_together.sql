{#-
    Why: the grain of a table with no key of one column; a repeated row would count an offer twice.
-#}
{% test unique_together(model, columns) %}

    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1

{% endtest %}
