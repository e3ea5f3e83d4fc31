with

source as (

    select * from {{ ref('stg_binance_p2p__pages') }}

),

offers as (

    select
        source.snapshot_id,
        source.page_number,
        item.position::integer as position,
        item.advertiser,
        source.load_id
    from source
    {{ open_items('source.body', 'item', [], ['advertiser']) }}

),

renamed as (

    {{ advertisers_of('offers') }}

)

select * from renamed
