{{ config(materialized='view') }}

with

days as (

    select
        *,
        {% for market in ['snapshots', 'offers', 'advertisers', 'quantity'] %}
            max({{ market }}) filter (where identifier is null) over of_book as book_{{ market }},
        {% endfor %}
        identifier is not null as is_method
    from {{ ref('int_method_days') }}
    window of_book as (partition by fiat_code, asset_code, side, day)

),

final as (

    select
        day,
        case when identifier != '' then {{ surrogate_key(['identifier']) }} end
            as payment_method_key,
        fiat_code,
        asset_code,
        side,
        case identifier when '' then 'none' else identifier end as payment_method,
        snapshots::integer as n_snapshots,
        trim_scale(offers / book_offers) as offers_share,
        trim_scale(book_offers / book_snapshots) as market_offers,
        trim_scale(advertisers / book_advertisers) as advertisers_share,
        trim_scale(quantity / book_snapshots) as quantity,
        trim_scale(book_quantity / book_snapshots) as market_quantity,
        trim_scale(naive_sum / nullif(naive_count, 0)) as naive,
        trim_scale(reference_sum / nullif(reference_count, 0)) as reference_price,
        reference_count::integer as n_references,
        trim_scale((reference_sum / nullif(market_reference_sum, 0) - 1) * 100) as premium_pct,
        trim_scale(executable_sum / nullif(executable_count, 0)) as executable_at_100,
        trim_scale(executable_count / nullif(executable_told, 0)) as executable_at_100_share,
        trim_scale(round(confidence_sum / snapshots, 4)) as confidence
    from days
    where is_method

)

select * from final
