{#-
    Pages opened once a run. To open them is the dearest step, and five models are told from what
    they hold. So what new loads bring is kept, opened, in tables that are made anew in every run;
    whatever else a model has to tell it opens itself, by the view: late readings, loads that it
    lacks from a run that failed, a rebuild.
-#}

{#-
    Returns a condition: the row is of a reading in one of the loads that this run is the first to
    take in, or in thirty of them, which is more than a cycle lands: a rebuild of years is not
    written down twice. By the reading, since by that the views over pages are asked.
-#}
{% macro is_newly_landed() -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {%- set loads = claimed_loads() ~ ' order by claimed.load_id desc limit 30' -%}
    {% if is_incremental() -%}
        {{ is_among(
            'snapshot_id',
            'select landed.snapshot_id from ' ~ readings ~ ' as landed'
            ~ ' where not landed.is_unchanged and ' ~ is_among('landed.load_id', loads)
        ) }}
    {%- else -%}
        false
    {%- endif %}
{%- endmacro %}

{#-
    Returns what stands on the pages of `snapshots`, a query of their ids, as a query: from the
    table `kept` where they are in it, and else from `view`. All that `view` has where the model is
    told from its beginning. It has the columns of `kept`, or those of its payment methods.
-#}
{% macro on_pages_of(snapshots, view, kept, of_methods=false) -%}
    {#- While dbt parses, both are named; a unit test knows only what it was given. -#}
    {%- if not execute or is_incremental() -%}
        {%- set table = ref(kept) -%}
    {%- endif -%}
    select * from {{ ref(view) }}
    {% if is_incremental() %}
        where {{ is_among(
            'snapshot_id', snapshots ~ ' except select held.snapshot_id from ' ~ table ~ ' as held'
        ) }}

        union all

        select * from
        {{ '(' ~ methods_of(table) ~ ') as methods' if of_methods else table }}
        where {{ is_among('snapshot_id', snapshots) }}
    {% endif %}
{%- endmacro %}

{#- Returns the payment methods that `offers`, a relation, lists, as a query. -#}
{% macro methods_of(offers) -%}
    select
        offers.snapshot_id,
        offers.page_number,
        offers.position,
        method.position::integer as method_position,
        offers.adv_no,
        offers.fiat_code,
        nullif(opened.identifier, '')::text as identifier,
        nullif(btrim(opened."tradeMethodName"), '')::text as name,
        offers.load_id
    from {{ offers }} as offers
    {{ unnest_json('offers.payment_methods', 'method') }}
    {{ open_json('method.value', 'opened', ['identifier', 'tradeMethodName']) }}
{%- endmacro %}
