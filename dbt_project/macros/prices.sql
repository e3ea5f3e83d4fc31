{#-
    Returns what to order by so that the better price for the taker comes first: the lower to buy,
    the higher to sell.
-#}
{% macro better_first(side, price) -%}
    case when {{ side }} = 'BUY' then {{ price }} else -{{ price }} end
{%- endmacro %}
