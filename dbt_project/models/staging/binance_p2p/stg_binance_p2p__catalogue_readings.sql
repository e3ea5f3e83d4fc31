with

source as (

    {{ admitted_rows(source('binance_p2p', 'catalogue_readings'), ['reading_id']) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        run_id::text as run_id,
        kind::text as catalogue,
        fiat_code::text as fiat_code,
        incomplete_reason::text as incomplete_reason,
        items::integer as items_seen,
        is_complete::boolean as is_complete,
        read_at::timestamptz as read_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
