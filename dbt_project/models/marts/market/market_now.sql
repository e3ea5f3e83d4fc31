{{ config(materialized='view') }}
{%- set most_seconds = var('spread_max_seconds', 600) %}

with

books as (

    select * from {{ ref('data_health') }}

),

latest as (

    select
        books.fiat_code,
        books.asset_code,
        books.side,
        books.cadence_minutes,
        books.is_listed,
        books.is_stale,
        quotes.snapshot_id,
        quotes.trading_pair,
        quotes.reference_price_kind,
        quotes.reference_price,
        quotes.best_eligible,
        quotes.n_offers,
        quotes.n_eligible,
        quotes.confidence,
        quotes.is_thin,
        quotes.snapshot_at,
        -- At the moment of asking: it has to grow when nothing is read any more.
        {{ minutes_between('quotes.snapshot_at', 'now()') }} as age_minutes,
        books.as_of
    from books
    {{ left_join_latest(
        ref('market_quotes'),
        'quotes',
        [
            'earlier.fiat_code = books.fiat_code',
            'earlier.asset_code = books.asset_code',
            'earlier.side = books.side',
            'not earlier.is_withheld',
        ],
        'snapshot_at',
    ) }}
    where quotes.snapshot_id is not null

),

-- The spread that this very snapshot makes, and the premium of its day: those of another moment say
-- nothing of now. A bid can have several asks near it: the last of them.
priced as (

    select
        latest.*,
        spreads.spread_pct,
        spreads.is_crossed,
        case when latest.reference_price is not null then premiums.premium_mid_pct end
            as premium_mid_pct
    from latest
    {{ left_join_latest(
        ref('market_spreads'),
        'spreads',
        [
            'earlier.fiat_code = latest.fiat_code',
            'earlier.asset_code = latest.asset_code',
            "earlier.buy_snapshot_at >= latest.snapshot_at - interval '" ~ most_seconds
            ~ " seconds'",
            'latest.snapshot_id in (earlier.buy_snapshot_id, earlier.sell_snapshot_id)',
        ],
        'buy_snapshot_at',
    ) }}
    left join {{ ref('parallel_premiums') }} as premiums
        on
            latest.fiat_code = premiums.fiat_code
            and latest.asset_code = premiums.asset_code
            and {{ utc_day('latest.snapshot_at') }} = premiums.day
            and premiums.rate_kind = '{{ var("official_rate_kind", "mid_market") }}'

),

final as (

    select
        snapshot_id,
        fiat_code,
        asset_code,
        side,
        trading_pair,
        reference_price_kind,
        reference_price,
        best_eligible,
        spread_pct,
        premium_mid_pct,
        n_offers,
        n_eligible,
        confidence,
        trim_scale(round(age_minutes, 1)) as age_minutes,
        cadence_minutes,
        is_thin,
        is_crossed,
        is_listed,
        -- A book can be read whole again and again and be trusted never.
        is_stale or coalesce(age_minutes > 2 * cadence_minutes, false) as is_stale,
        snapshot_at,
        as_of
    from priced

)

select * from final
