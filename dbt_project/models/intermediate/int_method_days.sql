{#- The ticket, in US dollars, at which `payment_method_days` says what can be executed. -#}
{%- set ticket = 100 -%}
{%- set horizon = day_horizon() -%}
{%- set modes_are_believed -%}
    {{ is_of_the_market('methods.naive', 'books.reference_price', 'rules.absurd_reference') }}
    and {{ is_of_the_market(
        'books.naive_prices[1]', 'books.reference_price', 'rules.absurd_reference'
    ) }}
{%- endset -%}
{%- set depths_are_believed -%}
    {{ is_of_the_market('methods.ref_q25', 'books.reference_price', 'rules.absurd_reference') }}
    and {{ is_of_the_market(
        'books.ref_q25_prices[1]', 'books.reference_price', 'rules.absurd_reference'
    ) }}
{%- endset -%}
{%- set sums = [
    'snapshots', 'offers', 'advertisers', 'quantity', 'naive_sum', 'naive_count', 'reference_sum',
    'market_reference_sum', 'executable_sum', 'executable_count', 'executable_told',
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

rules as (

    {{ rule_thresholds(ref('offer_flag_rules'), ['absurd_reference']) }}

),

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
        -- A mode is measured by a mode, and a price at depth by one, where both are of the market.
        {% for reference, naive, ref_q25 in [
            ('reference', 'methods.naive', 'methods.ref_q25'),
            ('market_reference', 'books.naive_prices[1]', 'books.ref_q25_prices[1]'),
        ] %}
            case
                when {{ modes_are_believed }} then {{ naive }}
                when {{ depths_are_believed }} then {{ ref_q25 }}
            end as {{ reference }},
        {% endfor %}
        case
            when
                books.fill_ratios[methods.number][array_position(books.tickets, {{ ticket }})] = 1
                then books.sweep_prices[methods.number][array_position(books.tickets, {{ ticket }})]
        end as executable,
        books.usd_price is not null as is_executable_told,
        {{ utc_day('books.snapshot_at') }} as day
    from books
    {{ unnest_together(
        [
            'books.payment_methods', 'books.offer_counts', 'books.advertiser_counts',
            'books.quantities', 'books.naive_prices', 'books.ref_q25_prices',
        ],
        'methods',
        ['identifier', 'offers', 'advertisers', 'quantity', 'naive', 'ref_q25'],
    ) }}
    inner join rules
        on
            books.snapshot_at >= rules.valid_from
            and (books.snapshot_at < rules.valid_to or rules.valid_to is null)

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
        coalesce(sum(reference) filter (where market_reference is not null), 0) as reference_sum,
        coalesce(sum(market_reference) filter (where reference is not null), 0)
            as market_reference_sum,
        coalesce(sum(executable), 0) as executable_sum,
        count(executable) as executable_count,
        count(*) filter (where is_executable_told) as executable_told,
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
