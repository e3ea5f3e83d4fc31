with

-- The time, which the id tells too, is in the key for what asks for the readings since one.
source as (

    {{ admitted_rows(
        source('binance_p2p', 'snapshots'),
        ['snapshot_id', 'started_at'],
        source('binance_p2p', 'snapshots'),
    ) }}

),

renamed as (

    select
        snapshot_id::text as snapshot_id,
        run_id::text as run_id,
        fiat_code::text as fiat_code,
        asset_code::text as asset_code,
        side::text as side,
        fingerprint::text as fingerprint,
        incomplete_reason::text as incomplete_reason,
        same_as_snapshot_id::text as same_as_snapshot_id,
        announced_total::integer as announced_total,
        offers_seen::integer as offers_seen,
        offers_distinct::integer as offers_distinct,
        offers_unnumbered::integer as offers_unnumbered,
        -- Not counted before it was landed: a reading was complete then without any missing.
        coalesce(offers_missing, 0)::integer as offers_missing,
        duplicates::integer as duplicates,
        pages::integer as pages,
        requests::integer as requests,
        cleaned_characters::integer as cleaned_characters,
        is_complete::boolean as is_complete,
        is_unchanged::boolean as is_unchanged,
        started_at::timestamptz as started_at,
        finished_at::timestamptz as finished_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
