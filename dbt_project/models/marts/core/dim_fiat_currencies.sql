with

readings as (

    select * from {{ ref('stg_binance_p2p__catalogue_readings') }}
    where catalogue = 'fiats' and is_complete

),

listings as (

    select * from {{ ref('stg_binance_p2p__fiats') }}

),

iso as (

    select * from {{ ref('iso_currencies') }}

),

seen as (

    select
        listings.*,
        min(listings.read_at) over (partition by listings.fiat_code) as listed_from,
        max(listings.read_at) over (partition by listings.fiat_code) as last_listed_at,
        row_number() over (
            partition by listings.fiat_code
            order by listings.read_at desc, listings.reading_id asc
        ) as nth_latest
    from listings

),

final as (

    select
        seen.fiat_code,
        coalesce(iso.name, seen.fiat_code)::text as name,
        seen.symbol,
        seen.country_code,
        coalesce(iso.minor_units, seen.scale)::integer as minor_units,
        (iso.fiat_code is not null)::boolean as is_iso,
        seen.listed_from,
        min(readings.read_at) as listed_to
    from seen
    left join readings on seen.last_listed_at < readings.read_at
    left join iso on seen.fiat_code = iso.fiat_code
    where seen.nth_latest = 1
    group by
        seen.fiat_code,
        iso.fiat_code,
        iso.name,
        seen.symbol,
        seen.country_code,
        iso.minor_units,
        seen.scale,
        seen.listed_from

)

select * from final
