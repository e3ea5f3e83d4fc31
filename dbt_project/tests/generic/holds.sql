{#-
    Why: a rule between columns of one row; what it cannot decide (null) passes, so guard nulls
    elsewhere.
-#}
{% test holds(model, condition) %}

    select *
    from {{ model }}
    where not ({{ condition }})

{% endtest %}
