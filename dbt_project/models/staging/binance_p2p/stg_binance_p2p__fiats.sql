with

source as (

    {{ admitted_rows(source('binance_p2p', 'fiats'), ['reading_id', 'fiat_code']) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        fiat_code::text as fiat_code,
        symbol::text as symbol,
        country_code::text as country_code,
        scale::integer as scale,
        read_at::timestamptz as read_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
