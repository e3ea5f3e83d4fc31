with

source as (

    {{ admitted_rows(
        source('rates', 'official_rates'),
        ['reading_id', 'rate_kind', 'fiat_code', 'published_at'],
    ) }}

),

renamed as (

    select
        reading_id::text as reading_id,
        fiat_code::text as fiat_code,
        rate_kind::text as rate_kind,
        source::text as rate_source,
        {{ to_decimal('rate') }} as rate,
        {{ to_decimal('bid') }} as bid,
        {{ to_decimal('ask') }} as ask,
        {{ utc_day('published_at') }} as rate_date,
        published_at::timestamptz as published_at,
        read_at::timestamptz as read_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
