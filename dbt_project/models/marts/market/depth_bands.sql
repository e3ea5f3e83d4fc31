{{ config(materialized='view') }}

with

books as (

    select * from {{ ref('int_book_capacity') }}
    where reference_price is not null

),

final as (

    select
        books.snapshot_id,
        books.fiat_code,
        books.asset_code,
        books.side,
        bands.band_pct,
        books.reference_price,
        bands.quantity,
        bands.eligible_quantity,
        bands.value,
        bands.offers,
        bands.advertisers,
        books.n_offers,
        books.confidence,
        books.snapshot_at
    from books
    {{ unnest_together(
        [
            'books.bands', 'books.depth_quantities', 'books.depth_eligible_quantities',
            'books.depth_values', 'books.depth_offers', 'books.depth_advertisers',
        ],
        'bands',
        ['band_pct', 'quantity', 'eligible_quantity', 'value', 'offers', 'advertisers'],
    ) }}

)

select * from final
