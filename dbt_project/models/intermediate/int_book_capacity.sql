{#- The price of a dollar is no longer known when the last one read is older than this. -#}
{%- set dollar_hours = var('dollar_price_max_hours', 24) -%}
{%- set walks = [
    'single_order_prices', 'single_order_prices_eligible', 'sweep_prices', 'fill_ratios',
    'order_counts',
] -%}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[
            {'columns': ['snapshot_id'], 'unique': True},
            {'columns': ['fiat_code', 'asset_code', 'side', 'snapshot_at']},
            {'columns': ['snapshot_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["int_book_offers", "market_quotes"]) }}',
            '{{ rewind_market("snapshot_at") }}',
        ],
    )
}}

with

rules as (

    {{ rule_thresholds(ref('offer_flag_rules'), competitive_rules()) }}

),

amounts_and_bands as (

    select * from {{ ref('market_rules') }}

),

stablecoins as (

    select * from {{ ref('usd_stablecoins') }}

),

quotes as (

    select * from {{ ref('market_quotes') }}
    where
        n_offers > 0
        {% if is_incremental() %}
            and {{ since_horizon('snapshot_at') }}
        {% endif %}

),

-- What a dollar costs: here, where the asset is worth one, else the last that was asked or bid for
-- USDT on this side. Never a later one: it could still come, and change what was told. A book too
-- thin for a price of its own makes no price of an amount either.
valued as {{ once() }} (

    select
        quotes.snapshot_id,
        quotes.fiat_code,
        quotes.asset_code,
        quotes.side,
        quotes.best_eligible,
        quotes.reference_price,
        quotes.n_offers,
        quotes.confidence,
        quotes.snapshot_at,
        case
            when stablecoins.asset_code is not null or quotes.reference_price is null
                then quotes.reference_price
            else dollars.reference_price
        end as usd_price,
        array(
            select rules.value
            from amounts_and_bands as rules
            where rules.rule = 'ticket' and {{ holds_at('rules', 'quotes.snapshot_at') }}
            order by rules.value
        ) as tickets,
        array(
            select rules.value
            from amounts_and_bands as rules
            where rules.rule = 'depth_band' and {{ holds_at('rules', 'quotes.snapshot_at') }}
            order by rules.value
        ) as depth_bands
    from quotes
    left join stablecoins
        on
            quotes.asset_code = stablecoins.asset_code
            and {{ holds_at('stablecoins', 'quotes.snapshot_at') }}
    {{ left_join_latest(
        ref('market_quotes'),
        'dollars',
        [
            'earlier.fiat_code = quotes.fiat_code',
            "earlier.asset_code = 'USDT'",
            'earlier.side = quotes.side',
            'earlier.snapshot_at <= quotes.snapshot_at',
            "earlier.snapshot_at > quotes.snapshot_at - interval '" ~ dollar_hours ~ " hours'",
            'earlier.reference_price is not null',
        ],
        'snapshot_at',
    ) }}

),

offers as {{ once() }} (

    select
        snapshot_id,
        nth_best,
        advertiser,
        array_prepend(null, coalesce(nullif(payment_methods, '{}'), array[''])) as listed_methods,
        price,
        price_order,
        quantity,
        listed_value,
        is_eligible,
        greatest(min_order_amount, 0) as smallest,
        least(largest_order_amount, listed_value) as largest,
        snapshot_at
    from {{ book_offers() }}
    {% if is_incremental() %}
        where {{ since_horizon('snapshot_at') }}
    {% endif %}

),

-- Each offer once for all methods (null), and once for each that it names: '' where it names none.
listed as (

    select
        offers.snapshot_id,
        offers.nth_best,
        offers.advertiser,
        offers.price,
        offers.price_order,
        offers.quantity,
        offers.is_eligible,
        offers.smallest,
        offers.largest,
        methods.value as payment_method,
        rules.competitive_min_offers,
        rules.competitive_share,
        rules.competitive_min_advertisers,
        offers.largest > 0 and offers.largest >= offers.smallest as is_usable,
        case
            when offers.largest < offers.listed_value then offers.largest / offers.price
            else offers.quantity
        end as order_quantity
    from offers
    inner join rules on {{ holds_at('rules', 'offers.snapshot_at') }}
    {{ unnest_array('offers.listed_methods', 'methods') }}

),

cumulated as (

    select
        *,
        row_number() over (
            partition by snapshot_id, payment_method order by nth_best
        ) as nth_of_method,
        count(*) over (partition by snapshot_id, payment_method) as n_of_method,
        row_number() over (
            partition by snapshot_id, payment_method, is_eligible order by nth_best
        ) as nth_of_its_kind,
        count(*) filter (where is_eligible) over (
            partition by snapshot_id, payment_method
        ) as n_eligible
    from listed

),

gathered as (

    select
        snapshot_id,
        payment_method,
        count(*)::integer as offer_count,
        count(distinct advertiser)::integer as advertiser_count,
        trim_scale(sum(quantity)) as quantity,
        abs({{ commonest('price_order', 'nth_of_method <= n_of_method / 10') }}) as naive,
        case
            when not ({{ is_thin_market('is_eligible') }})
                then {{ interpolated(
                    'price', 'nth_of_its_kind', competitive_count('n_eligible'), '0.5',
                    'is_eligible',
                ) }}
        end as reference_price,
        {% for column in ['price', 'order_quantity', 'smallest', 'largest', 'is_eligible'] %}
            array_agg({{ column }} order by nth_best) filter (where is_usable) as {{ column }}_list,
        {% endfor %}
        max(scale(price)) filter (where is_usable) + 4 as digits
    from cumulated
    group by snapshot_id, payment_method

),

amounts as (

    select
        *,
        array(
            select tickets.value * valued.usd_price
            from unnest(valued.tickets) as tickets (value)
            where valued.usd_price is not null
            order by tickets.value
        ) as amounts
    from valued

),

walked as (

    select
        gathered.*,
        {% for walk in walks %}
            walks.{{ walk }},
        {% endfor %}
        amounts.usd_price
    from gathered
    inner join amounts on gathered.snapshot_id = amounts.snapshot_id
    {{ walk(
        'walks',
        'amounts.amounts',
        'gathered.price_list',
        'gathered.order_quantity_list',
        'gathered.smallest_list',
        'gathered.largest_list',
        'gathered.is_eligible_list',
        'gathered.digits',
    ) }}

),

by_book as (

    select
        snapshot_id,
        {% for walk in walks %}
            array_agg({{ walk }} order by payment_method nulls first) filter (
                where usd_price is not null
            ) as {{ walk }},
        {% endfor %}
        array_agg(payment_method order by payment_method nulls first) as payment_methods,
        array_agg(offer_count order by payment_method nulls first) as offer_counts,
        array_agg(advertiser_count order by payment_method nulls first) as advertiser_counts,
        array_agg(quantity order by payment_method nulls first) as quantities,
        array_agg(naive order by payment_method nulls first) as naive_prices,
        array_agg(reference_price order by payment_method nulls first) as reference_prices
    from walked
    group by snapshot_id

),

-- An advertiser counts in a band from his offer nearest to the reference on.
measured as (

    select
        offers.snapshot_id,
        offers.price,
        offers.quantity,
        offers.listed_value,
        offers.is_eligible,
        valued.depth_bands,
        abs(offers.price / valued.reference_price - 1) * 100 as distance_pct,
        row_number() over (
            partition by offers.snapshot_id, offers.advertiser
            order by abs(offers.price - valued.reference_price)
        ) = 1 as is_nearest_of_advertiser
    from offers
    inner join valued on offers.snapshot_id = valued.snapshot_id
    where valued.reference_price is not null

),

banded as (

    select
        measured.snapshot_id,
        bands.value as band_pct,
        coalesce(sum(measured.quantity) filter (where measured.distance_pct <= bands.value), 0)
            as quantity,
        coalesce(
            sum(measured.quantity) filter (
                where measured.distance_pct <= bands.value and measured.is_eligible
            ),
            0
        ) as eligible_quantity,
        coalesce(sum(measured.listed_value) filter (where measured.distance_pct <= bands.value), 0)
            as value,
        count(*) filter (where measured.distance_pct <= bands.value)::integer as offers,
        count(*) filter (
            where measured.distance_pct <= bands.value and measured.is_nearest_of_advertiser
        )::integer as advertisers
    from measured
    {{ unnest_array('measured.depth_bands', 'bands') }}
    group by measured.snapshot_id, bands.value

),

depths as (

    select
        snapshot_id,
        array_agg(trim_scale(quantity) order by band_pct) as depth_quantities,
        array_agg(trim_scale(eligible_quantity) order by band_pct) as depth_eligible_quantities,
        array_agg(trim_scale(value) order by band_pct) as depth_values,
        array_agg(offers order by band_pct) as depth_offers,
        array_agg(advertisers order by band_pct) as depth_advertisers
    from banded
    group by snapshot_id

),

final as (

    select
        amounts.snapshot_id,
        amounts.fiat_code,
        amounts.asset_code,
        amounts.side,
        by_book.payment_methods,
        amounts.tickets,
        amounts.depth_bands as bands,
        amounts.best_eligible,
        amounts.reference_price,
        amounts.usd_price,
        amounts.n_offers,
        amounts.confidence,
        by_book.offer_counts,
        by_book.advertiser_counts,
        by_book.quantities,
        by_book.naive_prices,
        by_book.reference_prices,
        {% for walk in walks %}
            by_book.{{ walk }},
        {% endfor %}
        depths.depth_quantities,
        depths.depth_eligible_quantities,
        depths.depth_values,
        depths.depth_offers,
        depths.depth_advertisers,
        amounts.snapshot_at
    from amounts
    inner join by_book on amounts.snapshot_id = by_book.snapshot_id
    left join depths on amounts.snapshot_id = depths.snapshot_id

)

select * from final
