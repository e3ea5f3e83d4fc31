with

source as (

    {{ admitted_rows(
        source('binance_p2p', 'pages'),
        ['snapshot_id', 'page'],
        source('binance_p2p', 'snapshots'),
    ) }}

),

renamed as (

    select
        snapshot_id::text as snapshot_id,
        page::integer as page_number,
        run_id::text as run_id,
        fiat_code::text as fiat_code,
        asset_code::text as asset_code,
        side::text as side,
        body::json as body,
        body_sha256::text as body_sha256,
        announced_total::integer as announced_total,
        offers::integer as offers_seen,
        cleaned_characters::integer as cleaned_characters,
        requested_at::timestamptz as requested_at,
        received_at::timestamptz as received_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
