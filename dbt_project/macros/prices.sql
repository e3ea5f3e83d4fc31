{#-
    Returns what to order by so that the better price for the taker comes first: the lower to buy,
    the higher to sell.
-#}
{% macro better_first(side, price) -%}
    case when {{ side }} = 'BUY' then {{ price }} else -{{ price }} end
{%- endmacro %}

{#-
    Returns the largest order that an offer takes: the smaller of its maximum and its dynamic
    maximum, which follows the quantity that is left; the one that is known where the other is not.
-#}
{% macro largest_order(offer) -%}
    least({{ offer }}.max_order_amount, {{ offer }}.dynamic_max_order_amount)
{%- endmacro %}

{#-
    Returns a condition: a price lies within so many times the middle price of its book, up or down.
    Beyond it is no price of that market, whatever stands behind it.
-#}
{% macro is_of_the_market(price, middle, times) -%}
    {{ price }} <= {{ times }} * {{ middle }} and {{ middle }} <= {{ times }} * {{ price }}
{%- endmacro %}
