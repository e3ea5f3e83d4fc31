with

source as (

    {{ admitted_rows(source('rates', 'price_readings'), ['reading_id']) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        run_id::text as run_id,
        kind::text as price_kind,
        source::text as rate_source,
        incomplete_reason::text as incomplete_reason,
        items::integer as items_seen,
        left_out::integer as items_left_out,
        is_complete::boolean as is_complete,
        is_unchanged::boolean as is_unchanged,
        read_at::timestamptz as read_at,
        published_at::timestamptz as published_at,
        next_at::timestamptz as next_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
