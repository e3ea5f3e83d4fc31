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
        min(readings.read_at) filter (where readings.read_at > pairs.last_listed_at) as listed_to,
        min(readings.read_at) filter (where readings.read_at > pairs.last_buy_at) as buy_listed_to,
        min(readings.read_at) filter (where readings.read_at > pairs.last_sell_at)
            as sell_listed_to
    from pairs
    inner join readings on pairs.fiat_code = readings.fiat_code
    group by pairs.fiat_code, pairs.asset_code

),

-- A fiat that is listed no more is asked for its pairs no more: they end with it, if not before.
bounded as (

    select
        pairs.*,
        least(ended.listed_to, fiats.listed_to) as listed_to,
        case
            when pairs.last_buy_at is not null then least(ended.buy_listed_to, fiats.listed_to)
        end as buy_listed_to,
        case
            when pairs.last_sell_at is not null then least(ended.sell_listed_to, fiats.listed_to)
        end as sell_listed_to
    from pairs
    left join ended on pairs.fiat_code = ended.fiat_code and pairs.asset_code = ended.asset_code
    left join fiats on pairs.fiat_code = fiats.fiat_code

),

final as (

    select
        fiat_code || '/' || asset_code as trading_pair,
        fiat_code,
        asset_code,
        last_buy_at is not null and buy_listed_to is null as is_buy_listed,
        last_sell_at is not null and sell_listed_to is null as is_sell_listed,
        listed_from,
        listed_to,
        buy_listed_to,
        sell_listed_to
    from bounded

)

select * from final
