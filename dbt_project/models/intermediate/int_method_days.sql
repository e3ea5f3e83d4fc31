{#- The ticket, in US dollars, at which `payment_method_days` says what can be executed. -#}
{%- set ticket = 100 -%}
{%- set nth_ticket = 'array_position(books.tickets, ' ~ ticket ~ ')' -%}
{%- set horizon = day_horizon() -%}
{%- set sums = [
    'snapshots', 'offers', 'advertisers', 'quantity', 'naive_sum', 'naive_count', 'reference_sum',
    'reference_count', 'market_reference_sum', 'executable_sum', 'executable_count',
    'executable_told', 'confidence_sum',
] -%}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'side', 'day', 'identifier'], 'unique': True},
            {'columns': ['day']},
        ],
        pre_hook=[
            '{{ claim_loads(["int_book_capacity"]) }}',
            '{{ take_out_days() }}',
        ],
    )
}}

with

books as (

    select * from {{ ref('int_book_capacity') }}
    {% if is_incremental() %}
        where
            snapshot_at between (
                select horizon.starts_at from ({{ horizon }}) as horizon
            ) and 'infinity'
    {% endif %}

),

methods as (

    select
        books.fiat_code,
        books.asset_code,
        books.side,
        methods.identifier,
        methods.offers,
        methods.advertisers,
        methods.quantity,
        methods.naive,
        methods.reference_price,
        -- Of a market that has one, as its method cannot have more eligible offers.
        case when methods.reference_price is not null then books.reference_price end
            as market_reference_price,
        case
            when books.fill_ratios[methods.number][{{ nth_ticket }}] = 1
                then books.sweep_prices[methods.number][{{ nth_ticket }}]
            else books.single_order_prices_eligible[methods.number][{{ nth_ticket }}]
        end as executable,
        books.confidence,
        books.usd_price is not null as is_executable_told,
        {{ utc_day('books.snapshot_at') }} as day
    from books
    {{ unnest_together(
        [
            'books.payment_methods', 'books.offer_counts', 'books.advertiser_counts',
            'books.quantities', 'books.naive_prices', 'books.reference_prices',
        ],
        'methods',
        ['identifier', 'offers', 'advertisers', 'quantity', 'naive', 'reference_price'],
    ) }}

),

summed as (

    select
        fiat_code,
        asset_code,
        side,
        identifier,
        count(*) as snapshots,
        sum(offers) as offers,
        sum(advertisers) as advertisers,
        sum(quantity) as quantity,
        coalesce(sum(naive), 0) as naive_sum,
        count(naive) as naive_count,
        coalesce(sum(reference_price), 0) as reference_sum,
        count(reference_price) as reference_count,
        coalesce(sum(market_reference_price), 0) as market_reference_sum,
        coalesce(sum(executable), 0) as executable_sum,
        count(executable) as executable_count,
        count(*) filter (where is_executable_told) as executable_told,
        sum(confidence) as confidence_sum,
        day
    from methods
    group by fiat_code, asset_code, side, identifier, day

    {% if is_incremental() %}
        union all

        select
            fiat_code,
            asset_code,
            side,
            identifier,
            {% for sum in sums %}
                {{ sum }},
            {% endfor %}
            day
        from held_days
    {% endif %}

),

final as (

    select
        fiat_code,
        asset_code,
        side,
        identifier,
        {% for sum in sums %}
            sum({{ sum }})::numeric as {{ sum }},
        {% endfor %}
        day
    from summed
    group by fiat_code, asset_code, side, identifier, day

)

select * from final
