{{ config(materialized='view') }}

with

spreads as (

    select * from {{ ref('market_spreads') }}
    where spread_pct is not null

),

zoned as (

    select
        spreads.fiat_code,
        spreads.asset_code,
        spreads.trading_pair,
        coalesce(zones.time_zone, 'UTC') as time_zone,
        spreads.spread_pct,
        spreads.mid,
        asks.n_offers + bids.n_offers as n_offers,
        spreads.buy_snapshot_at,
        {{ local_time('spreads.buy_snapshot_at', "coalesce(zones.time_zone, 'UTC')") }} as local_at
    from spreads
    inner join {{ ref('market_quotes') }} as asks on spreads.buy_snapshot_id = asks.snapshot_id
    inner join {{ ref('market_quotes') }} as bids on spreads.sell_snapshot_id = bids.snapshot_id
    left join {{ ref('fiat_time_zones') }} as zones on spreads.fiat_code = zones.fiat_code

),

placed as (

    select
        *,
        extract(isodow from local_at)::integer as weekday,
        extract(hour from local_at)::integer as hour,
        -- When the hour of the local clock began: between two of UTC in a zone of a half hour, and
        -- not the same the second time that the clock shows it.
        buy_snapshot_at - (local_at - date_trunc('hour', local_at)) as hour_start
    from zoned

),

ordered as (

    select
        *,
        row_number() over (
            partition by fiat_code, asset_code, hour_start
            order by buy_snapshot_at desc
        ) = 1 as is_last_of_hour
    from placed

),

-- From the last mid of one hour to that of the next; over a gap there is no hour to speak of.
moved as (

    select
        *,
        case
            when
                is_last_of_hour
                and lag(hour_start) over of_pair = hour_start - interval '1 hour'
                then 100 * ln(mid / nullif(lag(mid) over of_pair, 0))
        end as move_pct,
        row_number() over (
            partition by fiat_code, asset_code, weekday, hour
            order by spread_pct
        ) as nth,
        count(*) over (partition by fiat_code, asset_code, weekday, hour) as count_of_hour
    from ordered
    window of_pair as (
        partition by fiat_code, asset_code, is_last_of_hour
        order by hour_start
    )

),

final as (

    select
        fiat_code,
        asset_code,
        trading_pair,
        time_zone,
        weekday,
        hour,
        {{ interpolated('spread_pct', 'nth', 'count_of_hour', '0.5') }} as median_spread_pct,
        trim_scale(round(avg(n_offers), 4)) as offers,
        trim_scale(round(stddev_samp(move_pct), 6)) as volatility_pct,
        count(distinct hour_start)::integer as n_hours,
        count(*)::integer as n
    from moved
    group by fiat_code, asset_code, trading_pair, time_zone, weekday, hour

)

select * from final
