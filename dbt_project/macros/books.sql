{#-
    The offers of the books that the marts of the market have not processed yet.

    `fact_offer_snapshots` finds the versions of a snapshot by index, book by book, and computes the
    flags of each: expensive, and the same for every mart. So `int_book_offers` queries it once a
    run, for all marts that read it (its consumers), and keeps only what one of them lacks. A mart
    that is built from its beginning queries the view itself.
-#}

{#-
    Returns a query of offers in trusted snapshots, ranked in their books: one row per offer and
    snapshot. `condition` is one on the snapshot's `started_at`, or none for all of history.
-#}
{% macro ranked_offers(condition=none) -%}
    with

    snapshots as (

        select snapshot_id
        from {{ ref('fact_snapshots') }}
        where
            quality_verdict = 'trusted'
            {% if condition %}
                and {{ condition }}
            {% endif %}

    ),

    held as {{ once() }} (

        select
            snapshot_id,
            offer_version_key,
            adv_no,
            fiat_code,
            asset_code,
            side,
            user_no,
            -- An ad without a user number is nobody else's.
            coalesce(user_no, adv_no) as advertiser,
            payment_methods,
            price,
            {{ better_first('side', 'price') }} as price_order,
            greatest(coalesce(tradable_quantity, 0), 0) as quantity,
            price * greatest(coalesce(tradable_quantity, 0), 0) as listed_value,
            min_order_amount,
            {{ largest_order('offers') }} as largest_order_amount,
            offer_class = 'profession' as is_merchant,
            is_promoted,
            is_limit_fiction,
            is_without_history,
            is_low_reputation,
            is_off_market,
            is_eligible,
            snapshot_at
        from {{ ref('fact_offer_snapshots') }} as offers
        {% if condition %}
            where
                {{ is_among('snapshot_id', 'select snapshots.snapshot_id from snapshots') }}
        {% else %}
            where snapshot_id in (select snapshots.snapshot_id from snapshots)
        {% endif %}

    )

    select
        snapshot_id,
        offer_version_key,
        adv_no,
        fiat_code,
        asset_code,
        side,
        user_no,
        advertiser,
        payment_methods,
        price,
        price_order,
        quantity,
        listed_value,
        min_order_amount,
        largest_order_amount,
        row_number() over (partition by snapshot_id order by price_order, adv_no) as nth_best,
        count(*) over (partition by snapshot_id) as n_offers,
        sum(quantity) over (partition by snapshot_id) as book_quantity,
        sum(quantity) over (
            partition by snapshot_id
            order by price_order
        ) as quantity_up_to_price,
        is_merchant,
        is_promoted,
        is_limit_fiction,
        is_without_history,
        is_low_reputation,
        is_off_market,
        is_eligible,
        snapshot_at
    from held
{%- endmacro %}

{#- Returns the names of the marts that read `int_book_offers`. -#}
{% macro consumers_of_book_offers() -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() -%}
            {%- if node.resource_type == 'model' and 'int_book_offers'
            in node.depends_on.nodes | map('replace', 'model.p2p.', '') | list -%}
                {%- do names.append(node.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names | sort) }}
{%- endmacro %}

{#-
    Returns a query of the loads that `models` have taken in and some consumer has not. One that has
    taken in none has yet to be built, and will ask the view.

    Looked for among the loads that no green build has seen whole, and those that this run claims:
    whatever all consumers have taken in would else be asked of each of them in every cycle.
-#}
{% macro unread_loads(models) -%}
    select taken.load_id
    from ops.transformed_loads as taken
    where
        taken.model = '{{ models[0] }}'
        and {{ is_among(
            'taken.load_id',
            'select load_id from ops.loads_under_test union ' ~ claimed_loads()
        ) }}
        {% for model in models[1:] %}
            and exists (
                select 1
                from ops.transformed_loads as others
                where others.model = '{{ model }}' and others.load_id = taken.load_id
            )
        {% endfor %}
        and (
            false
            {% for consumer in consumers_of_book_offers() %}
                or (
                    exists (
                        select 1
                        from ops.transformed_loads as theirs
                        where theirs.model = '{{ consumer }}'
                    )
                    and not exists (
                        select 1
                        from ops.transformed_loads as theirs
                        where theirs.model = '{{ consumer }}' and theirs.load_id = taken.load_id
                    )
                )
            {% endfor %}
        )
{%- endmacro %}

{#-
    Returns a condition on `started_at` of `fact_snapshots`: at or after the earliest reading that
    some consumer lacks. Where a reading came late, behind one that some consumer has told, or is to
    be told again, from the beginning of its day (UTC) on: marts that add up days tell such a day
    again.
-#}
{% macro unread_since(models) -%}
    started_at between (
        select
            case
                when
                    exists (
                        select 1
                        from {{ ref('fact_snapshots') }} as told
                        where
                            told.started_at between min(readings.started_at) and 'infinity'
                            and exists (
                                select 1
                                from ops.transformed_loads as theirs
                                where
                                    theirs.load_id = told.load_id
                                    and theirs.model in (
                                        '{{ consumers_of_book_offers() | join("', '") }}'
                                    )
                            )
                    )
                    or {{ are_retold(unread_loads(models)) }}
                    then {{ start_of('day', 'min(readings.started_at)') }}
                else min(readings.started_at)
            end
        from {{ ref('stg_binance_p2p__snapshots') }} as readings
        where {{ is_among('readings.load_id', unread_loads(models)) }}
    ) and 'infinity'
{%- endmacro %}

{#- Runs the emptying of a table that keeps nothing from run to run. -#}
{% macro start_afresh() %}
    {% if is_incremental() %}
        truncate {{ this }}
    {% endif %}
{% endmacro %}

{#-
    Returns the offers that the model has to tell, as a relation: see `ranked_offers`. The model is
    to claim its loads after `int_book_offers`.
-#}
{% macro book_offers() -%}
    {#- While dbt parses, both are named; a unit test knows only what it was given. -#}
    {%- if not execute or is_incremental() -%}
        {%- set kept = ref('int_book_offers') -%}
    {%- endif -%}
    {% if is_incremental() %}
        {{ kept }}
    {%- else -%}
        ({{ ranked_offers() }}) as book_offers
    {%- endif %}
{%- endmacro %}
