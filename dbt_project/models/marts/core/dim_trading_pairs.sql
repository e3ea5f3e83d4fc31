with

readings as (

    select * from {{ ref('stg_binance_p2p__catalogue_readings') }}
    where catalogue = 'trading_pairs' and is_complete

),

listings as (

    select * from {{ ref('stg_binance_p2p__trading_pairs') }}

),

fiats as (

    select * from {{ ref('dim_fiat_currencies') }}

),

latest as (

    select
        fiat_code,
        max(read_at) as read_at
    from readings
    group by fiat_code

),

pairs as (

    select
        listings.fiat_code,
        listings.asset_code,
        min(listings.read_at) as listed_from,
        max(listings.read_at) as last_listed_at,
        max(listings.read_at) filter (where listings.side = 'BUY') as last_buy_at,
        max(listings.read_at) filter (where listings.side = 'SELL') as last_sell_at
    from listings
    group by listings.fiat_code, listings.asset_code

),

ended as (

    select
        pairs.fiat_code,
        pairs.asset_code,
        min(readings.read_at) as listed_to
    from pairs
    inner join readings
        on pairs.fiat_code = readings.fiat_code and pairs.last_listed_at < readings.read_at
    group by pairs.fiat_code, pairs.asset_code

),

final as (

    select
        pairs.fiat_code || '/' || pairs.asset_code as trading_pair,
        pairs.fiat_code,
        pairs.asset_code,
        coalesce(pairs.last_buy_at >= latest.read_at, false) as is_buy_listed,
        coalesce(pairs.last_sell_at >= latest.read_at, false) as is_sell_listed,
        pairs.listed_from,
        -- A fiat that is listed no more is asked for its pairs no more.
        coalesce(ended.listed_to, fiats.listed_to) as listed_to
    from pairs
    left join latest on pairs.fiat_code = latest.fiat_code
    left join ended on pairs.fiat_code = ended.fiat_code and pairs.asset_code = ended.asset_code
    left join fiats on pairs.fiat_code = fiats.fiat_code

)

select * from final
