with

source as (

    {{ admitted_rows(source('binance_p2p', 'new_fields'), ['path', 'json_type']) }}

),

renamed as (

    select
        run_id::text as run_id,
        snapshot_id::text as snapshot_id,
        path::text as field_path,
        json_type::text as json_type,
        seen_at::timestamptz as seen_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
