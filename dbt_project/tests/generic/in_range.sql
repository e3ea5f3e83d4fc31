{#-
    Why: a number out of its range (a price of nought, a rate above 1) poisons every average that it
    enters.
-#}
{% test in_range(model, column_name, above=none, least=none, most=none) %}

    select {{ column_name }}
    from {{ model }}
    where
        false
        {% if above is not none %} or {{ column_name }} <= {{ above }}{% endif %}
        {% if least is not none %} or {{ column_name }} < {{ least }}{% endif %}
        {% if most is not none %} or {{ column_name }} > {{ most }}{% endif %}

{% endtest %}
