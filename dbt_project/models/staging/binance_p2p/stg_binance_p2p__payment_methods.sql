with

source as (

    {{ admitted_rows(
        source('binance_p2p', 'payment_methods'), ['reading_id', 'fiat_code', 'identifier']
    ) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        fiat_code::text as fiat_code,
        identifier::text as identifier,
        nullif(btrim(name), '')::text as name,
        nullif(btrim(short_name), '')::text as short_name,
        read_at::timestamptz as read_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
