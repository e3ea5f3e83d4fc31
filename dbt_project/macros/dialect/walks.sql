{#-
    Walking a book for an amount: what is left after one offer decides what the next is good for, so
    neither a window nor an aggregate can say it. On PostgreSQL a function over arrays, made at the
    start of a run; an engine with a fold over arrays needs none.
-#}

{#- Runs the statements that make the functions of `walk` and `firings`. -#}
{% macro prepare_walks() %}
    {{ return(adapter.dispatch('prepare_walks', 'p2p')()) }}
{%- endmacro %}

{% macro default__prepare_walks() %}
    create or replace function ops.walked(
        amounts numeric [],
        prices numeric [],
        quantities numeric [],
        smallest numeric [],
        largest numeric [],
        eligible boolean [],
        digits integer,
        out single_order_prices numeric [],
        out single_order_prices_eligible numeric [],
        out sweep_prices numeric [],
        out fill_ratios numeric [],
        out order_counts integer []
    )
    language plpgsql immutable parallel safe
    as $walk$
    declare
        amount numeric;
        remaining numeric;
        bought numeric;
        orders integer;
        single_price numeric;
        single_eligible numeric;
        offers constant integer := coalesce(array_length(prices, 1), 0);
    begin
        foreach amount in array amounts loop
            remaining := amount;
            bought := 0;
            orders := 0;
            single_price := null;
            single_eligible := null;
            for nth in 1..offers loop
                if smallest[nth] <= amount and amount <= largest[nth] then
                    single_price := coalesce(single_price, prices[nth]);
                    if eligible[nth] then
                        single_eligible := coalesce(single_eligible, prices[nth]);
                    end if;
                end if;
                if eligible[nth] and remaining >= smallest[nth] and remaining > 0 then
                    orders := orders + 1;
                    if remaining >= largest[nth] then
                        bought := bought + quantities[nth];
                        remaining := remaining - largest[nth];
                    else
                        bought := bought + remaining / prices[nth];
                        remaining := 0;
                    end if;
                end if;
                exit when remaining = 0 and single_eligible is not null;
            end loop;
            single_order_prices := single_order_prices || single_price;
            single_order_prices_eligible := single_order_prices_eligible || single_eligible;
            sweep_prices := sweep_prices
                || trim_scale(round((amount - remaining) / nullif(bought, 0), digits));
            fill_ratios := fill_ratios || trim_scale(trunc((amount - remaining) / amount, 4));
            order_counts := order_counts || orders;
        end loop;
    end
    $walk$;
    create or replace function ops.fired(
        times timestamptz [],
        cool_downs numeric [],
        cooled_at timestamptz,
        out firings timestamptz []
    )
    language plpgsql immutable parallel safe
    as $fire$
    declare
        ready_at timestamptz := coalesce(cooled_at, '-infinity');
    begin
        for nth in 1..coalesce(array_length(times, 1), 0) loop
            if times[nth] >= ready_at then
                firings := firings || times[nth];
                ready_at := times[nth] + interval '1 minute' * cool_downs[nth];
            end if;
        end loop;
    end
    $fire$
{% endmacro %}

{#-
    Returns a lateral join that walks offers, best first, for each of `amounts` of fiat: arrays in
    the order of the amounts. Offers are arrays of one length: price, and the quantity, smallest and
    largest value of one order. `digits` is how many decimals a mean price keeps.
-#}
{% macro walk(name, amounts, prices, quantities, smallest, largest, eligible, digits) -%}
    {{ return(adapter.dispatch('walk', 'p2p')(
        name, amounts, prices, quantities, smallest, largest, eligible, digits
    )) }}
{%- endmacro %}

{% macro default__walk(name, amounts, prices, quantities, smallest, largest, eligible, digits) -%}
    cross join lateral ops.walked(
        {{ amounts }},
        {{ prices }},
        {{ quantities }},
        {{ smallest }},
        {{ largest }},
        {{ eligible }},
        {{ digits }}
    ) as {{ name }}
{%- endmacro %}

{#-
    Returns an array: which of `times`, ascending, fire, each once the one before has cooled down
    for its minutes; none before `cooled_at`, where that is not null.
-#}
{% macro firings(times, cool_downs, cooled_at) -%}
    {{ return(adapter.dispatch('firings', 'p2p')(times, cool_downs, cooled_at)) }}
{%- endmacro %}

{% macro default__firings(times, cool_downs, cooled_at) -%}
    ops.fired({{ times }}, {{ cool_downs }}, {{ cooled_at }})
{%- endmacro %}
