{#-
    Why: rules between columns of one row; what a rule cannot decide (null) passes, so guard nulls
    elsewhere. A table's rules stand in one test, since every test costs a run some 20 ms.
-#}
{% test holds(model, condition=none, conditions=none) %}

    {%- set rules = conditions or [condition] %}

    select
        *,
        case
            {% for rule in rules %}
                when not ({{ rule }}) then {{ loop.index }}
            {% endfor %}
        end as broken_rule
    from {{ model }}
    where
        {% for rule in rules %}
            not ({{ rule }}){{ ' or' if not loop.last }}
        {% endfor %}

{% endtest %}
