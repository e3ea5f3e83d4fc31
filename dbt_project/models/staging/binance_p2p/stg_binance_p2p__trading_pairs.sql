with

source as (

    {{ admitted_rows(
        source('binance_p2p', 'trading_pairs'), ['reading_id', 'fiat_code', 'asset_code', 'side']
    ) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        fiat_code::text as fiat_code,
        asset_code::text as asset_code,
        side::text as side,
        read_at::timestamptz as read_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
