{#- Rewritten in its place: to swap the table would take the view `market_now` with it. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook='{% if is_incremental() %} delete from {{ this }} {% endif %}',
    )
}}

with

pairs as (

    select * from {{ ref('dim_trading_pairs') }}

),

offers as (

    select * from {{ ref('fact_offers') }}
    where valid_to is null

),

new_fields as (

    select * from {{ ref('stg_binance_p2p__new_fields') }}

),

catalogue as (

    select
        *,
        row_number() over (partition by fiat_code order by read_at desc, reading_id desc)
            as nth_latest
    from {{ ref('stg_binance_p2p__catalogue_readings') }}
    where catalogue = 'payment_methods' and is_complete

),

-- The two largest tables are asked where they are needed, by index: as an import that is read more
-- than once each would be put together first, all of it.
-- Of the warehouse and not of the wall: a loader that stands still has no book of another age.
moment as {{ once() }} (

    select max(started_at) as as_of from {{ ref('fact_snapshots') }}

),

books as {{ once() }} (

    select
        pairs.fiat_code,
        pairs.asset_code,
        sides.side,
        pairs.trading_pair,
        case when sides.side = 'BUY' then pairs.is_buy_listed else pairs.is_sell_listed end
            as is_listed
    from pairs
    cross join (values ('BUY'), ('SELL')) as sides (side)

),

recent as {{ once() }} (

    select
        fiat_code,
        asset_code,
        side,
        count(*) as n_readings,
        count(*) filter (where is_complete) as n_complete,
        count(*) filter (where quality_verdict = 'trusted') as n_trusted,
        sum(duplicates) as duplicates,
        sum(offers_seen) as offers_seen
    from {{ ref('fact_snapshots') }}
    where
        started_at between (
            select moment.as_of - interval '24 hours' from moment
        ) and 'infinity'
    group by fiat_code, asset_code, side

),

listed_methods as {{ once() }} (

    select distinct
        catalogue.fiat_code,
        methods.identifier
    from {{ ref('stg_binance_p2p__payment_methods') }} as methods
    inner join catalogue on methods.reading_id = catalogue.reading_id
    where
        catalogue.nth_latest = 1
        and {{ is_among(
            'methods.reading_id',
            'select newest.reading_id from catalogue as newest where newest.nth_latest = 1',
        ) }}

),

offered_methods as (

    select distinct
        offers.fiat_code,
        offers.asset_code,
        offers.side,
        methods.value as identifier
    from offers
    {{ unnest_array('offers.payment_methods', 'methods') }}

),

unlisted as {{ once() }} (

    select
        offered.fiat_code,
        offered.asset_code,
        offered.side,
        count(*) filter (where listed.identifier is null) as unknown_methods
    from offered_methods as offered
    left join listed_methods as listed
        on offered.fiat_code = listed.fiat_code and offered.identifier = listed.identifier
    group by offered.fiat_code, offered.asset_code, offered.side

),

first_met as {{ once() }} (

    select
        snapshots.fiat_code,
        snapshots.asset_code,
        snapshots.side,
        count(distinct new_fields.field_path) as new_keys
    from new_fields
    inner join {{ ref('fact_snapshots') }} as snapshots
        on new_fields.snapshot_id = snapshots.snapshot_id
    where new_fields.seen_at > (select moment.as_of - interval '24 hours' from moment)
    group by snapshots.fiat_code, snapshots.asset_code, snapshots.side

),

usual as {{ once() }} (

    select
        books.fiat_code,
        books.asset_code,
        books.side,
        percentile_disc(0.5) within group (order by last_ten.minutes_since_last)
            as cadence_minutes
    from books
    left join lateral (
        select snapshots.minutes_since_last
        from {{ ref('fact_snapshots') }} as snapshots
        where
            snapshots.fiat_code = books.fiat_code
            and snapshots.asset_code = books.asset_code
            and snapshots.side = books.side
        order by snapshots.started_at desc
        limit 10
    ) as last_ten on true
    group by books.fiat_code, books.asset_code, books.side

),

-- A book that was read once has no cadence yet, and is held to that of the middle book.
typical as (

    select
        coalesce(
            percentile_disc(0.5) within group (order by cadence_minutes),
            {{ var('cadence_minutes', 20) }}
        ) as cadence_minutes
    from usual
    where cadence_minutes > 0

),

-- By index, a book at a time: a book that nobody reads any more is as old as it is.
dated as (

    select
        books.*,
        moment.as_of,
        latest.started_at as last_read_at,
        latest.quality_verdict as last_verdict,
        latest.quality_reasons as last_reasons,
        whole.started_at as last_complete_at,
        beginning.started_at as first_read_at,
        usual.cadence_minutes,
        coalesce(usual.cadence_minutes, typical.cadence_minutes) as expected_minutes,
        quoted.flagged_share
    from books
    cross join moment
    cross join typical
    left join lateral (
        select
            snapshots.started_at,
            snapshots.quality_verdict,
            snapshots.quality_reasons
        from {{ ref('fact_snapshots') }} as snapshots
        where
            snapshots.fiat_code = books.fiat_code
            and snapshots.asset_code = books.asset_code
            and snapshots.side = books.side
        order by snapshots.started_at desc
        limit 1
    ) as latest on true
    left join lateral (
        select snapshots.started_at
        from {{ ref('fact_snapshots') }} as snapshots
        where
            snapshots.fiat_code = books.fiat_code
            and snapshots.asset_code = books.asset_code
            and snapshots.side = books.side
            and snapshots.is_complete
        order by snapshots.started_at desc
        limit 1
    ) as whole on true
    left join lateral (
        select snapshots.started_at
        from {{ ref('fact_snapshots') }} as snapshots
        where
            snapshots.fiat_code = books.fiat_code
            and snapshots.asset_code = books.asset_code
            and snapshots.side = books.side
        order by snapshots.started_at asc
        limit 1
    ) as beginning on true
    left join usual
        on
            books.fiat_code = usual.fiat_code
            and books.asset_code = usual.asset_code
            and books.side = usual.side
    left join lateral (
        select 1 - quotes.n_eligible::numeric / nullif(quotes.n_offers, 0) as flagged_share
        from {{ ref('market_quotes') }} as quotes
        where
            quotes.fiat_code = books.fiat_code
            and quotes.asset_code = books.asset_code
            and quotes.side = books.side
            and not quotes.is_withheld
        order by quotes.snapshot_at desc
        limit 1
    ) as quoted on true

),

aged as (

    select
        *,
        {{ minutes_between('last_complete_at', 'as_of') }} as minutes_since_complete,
        least({{ minutes_between('first_read_at', 'as_of') }}, 1440) as minutes_watched
    from dated

),

final as (

    select
        aged.fiat_code,
        aged.asset_code,
        aged.side,
        aged.trading_pair,
        aged.last_verdict,
        aged.last_reasons,
        trim_scale(aged.minutes_since_complete) as minutes_since_complete,
        trim_scale(aged.cadence_minutes) as cadence_minutes,
        trim_scale(round(aged.minutes_since_complete / nullif(aged.cadence_minutes, 0), 4))
            as cadences_since_complete,
        coalesce(recent.n_readings, 0)::integer as n_readings,
        coalesce(recent.n_complete, 0)::integer as n_complete,
        coalesce(recent.n_trusted, 0)::integer as n_trusted,
        -- The first reading is expected too: 24 hours at a cadence of one hour are 25 readings. How
        -- many without a cadence nobody knows, and the lesser of null and 100 would be 100.
        case when aged.cadence_minutes > 0 then trim_scale(round(
            least(
                100 * coalesce(recent.n_complete, 0)
                / (1 + floor(aged.minutes_watched / aged.cadence_minutes)),
                100
            ),
            4
        )) end as coverage_pct,
        trim_scale(round(100.0 * recent.duplicates / nullif(recent.offers_seen, 0), 4))
            as duplicates_pct,
        trim_scale(round(aged.flagged_share, 4)) as flagged_share,
        case when known.fiat_code is not null then coalesce(unlisted.unknown_methods, 0) end
        ::integer as unknown_methods,
        coalesce(first_met.new_keys, 0)::integer as new_keys,
        aged.is_listed,
        case
            when aged.last_complete_at is null then aged.is_listed
            else aged.minutes_since_complete > 2 * aged.expected_minutes
        end as is_stale,
        aged.last_complete_at,
        aged.last_read_at,
        aged.as_of
    from aged
    left join recent
        on
            aged.fiat_code = recent.fiat_code
            and aged.asset_code = recent.asset_code
            and aged.side = recent.side
    left join unlisted
        on
            aged.fiat_code = unlisted.fiat_code
            and aged.asset_code = unlisted.asset_code
            and aged.side = unlisted.side
    left join first_met
        on
            aged.fiat_code = first_met.fiat_code
            and aged.asset_code = first_met.asset_code
            and aged.side = first_met.side
    left join catalogue as known on aged.fiat_code = known.fiat_code and known.nth_latest = 1
    where aged.is_listed or aged.last_read_at is not null

)

select * from final
