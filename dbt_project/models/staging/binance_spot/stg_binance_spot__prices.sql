with

source as (

    {{ admitted_rows(source('binance_spot', 'spot_prices'), ['read_at', 'symbol']) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        symbol::text as symbol,
        base_asset::text as asset_code,
        quote_asset::text as quote_asset_code,
        {{ to_decimal('bid') }} as bid,
        {{ to_decimal('bid_quantity') }} as bid_quantity,
        {{ to_decimal('ask') }} as ask,
        {{ to_decimal('ask_quantity') }} as ask_quantity,
        read_at::timestamptz as read_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
