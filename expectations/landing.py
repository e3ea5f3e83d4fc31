# ruff: noqa: S608  (the only values put into these texts are our limits and quoted literals)
"""The profile of a landing: what the transform is about to take, book by book."""

from collections.abc import Collection

from expectations.limits import LIMITS
from expectations.profiles import BOOK, Parameters, age, common, share

# A plain positive decimal, as dbt's `to_decimal` reads it; anything else is a price for nobody.
DECIMAL = "^[0-9]{1,30}([.][0-9]{1,18})?$"
# The same but for how many digits, of which a short text cannot have too many: PostgreSQL takes
# several times as long for a bounded repetition.
ROUGHLY, SHORT = "^[0-9]+([.][0-9]+)?$", 19


def landing_books(parameters: Parameters, existing: Collection[str]) -> str:
    """One row per snapshot landed. Null: this does not apply, or has no past to compare with."""
    listed = (
        """
        select distinct pairs.fiat_code, pairs.asset_code, pairs.side
        from staging.trading_pairs as pairs
        inner join (
            select fiat_code, max(read_at) as read_at
            from staging.trading_pairs
            where _dlt_load_id in (select load_id from accepted)
            group by fiat_code
        ) as latest on pairs.fiat_code = latest.fiat_code and pairs.read_at = latest.read_at"""
        if "staging.trading_pairs" in existing
        else "select '' as fiat_code, '' as asset_code, '' as side where false"
    )
    standing = (
        """
        select
            fiat_code,
            asset_code,
            side,
            count(*) as offers,
            percentile_cont(0.5) within group (order by cast(price as double precision)) as price
        from marts.fact_offers
        where valid_to is null
        group by fiat_code, asset_code, side"""
        if "marts.fact_offers" in existing
        else "select '' as fiat_code, '' as asset_code, '' as side, 0 as offers,"
        " cast(null as double precision) as price where false"
    )
    return f"""select * from (
    with {common(parameters, existing)},
    items as materialized (
        -- Fresh tables have no statistics yet, and a plan made in the dark opens each page again
        -- for every snapshot: 375 s instead of 2.
        -- One parse a page, and jsonb's accessors: none of them fails on another shape. The price
        -- is compared as text first: a cast of hostile text would stop the query.
        select
            snapshot_id,
            case
                when price ~ '{ROUGHLY}' and (length(price) <= {SHORT} or price ~ '{DECIMAL}')
                    then cast(price as double precision)
            end as price,
            maker_side
        from (
            select
                bodies.snapshot_id,
                item -> 'adv' ->> 'price' as price,
                item -> 'adv' ->> 'tradeType' as maker_side
            from (
                select snapshot_id, cast(body as jsonb) as body from landed_pages offset 0
            ) as bodies
            cross join lateral jsonb_array_elements(
                case
                    when jsonb_typeof(bodies.body -> 'data') = 'array' then bodies.body -> 'data'
                    else '[]'
                end
            ) as item
            offset 0
        ) as said
    ),
    offers as materialized (
        select
            items.snapshot_id,
            count(*) as offers,
            count(*) filter (where items.price > 0) as priced,
            count(*) filter (
                where (landed.side, items.maker_side) in (('BUY', 'SELL'), ('SELL', 'BUY'))
            ) as opposite,
            percentile_cont(0.5) within group (order by items.price)
            filter (where items.price > 0) as price
        from items
        inner join landed on items.snapshot_id = landed.snapshot_id
        group by items.snapshot_id
    ),
    past as (
        select
            fiat_code,
            asset_code,
            side,
            started_at,
            offers_distinct,
            _dlt_load_id in (select load_id from accepted) as is_accepted,
            row_number() over (
                partition by fiat_code, asset_code, side order by started_at desc
            ) as nth_latest
        from staging.snapshots
        where
            is_complete
            and started_at
            >= (select since from clock) - {LIMITS.remembered_days} * interval '24 hours'
            and _dlt_load_id in (select load_id from finished)
            and snapshot_id not in (select snapshot_id from landed)
    ),
    usual as (
        select
            fiat_code,
            asset_code,
            side,
            count(*) as snapshots,
            percentile_cont(0.5) within group (order by offers_distinct) as offers
        from past
        where nth_latest <= {LIMITS.remembered_snapshots}
        group by fiat_code, asset_code, side
    ),
    trusted as (
        select fiat_code, asset_code, side, max(started_at) as started_at
        from past
        where is_accepted
        group by fiat_code, asset_code, side
    ),
    listed as ({listed}
    ),
    standing as ({standing}
    ),
    other_sides as (
        select landed.snapshot_id,
            exists (
                select from landed as here
                where here.is_complete and here.side <> landed.side
                    and here.fiat_code = landed.fiat_code and here.asset_code = landed.asset_code
            )
            or exists (
                select from trusted
                where trusted.side <> landed.side
                    and trusted.fiat_code = landed.fiat_code
                    and trusted.asset_code = landed.asset_code
                    and trusted.started_at
                    >= landed.started_at - interval '{LIMITS.other_side_hours} hours'
            ) as is_present
        from landed
        inner join listed using (fiat_code, asset_code)
        group by landed.snapshot_id, landed.fiat_code, landed.asset_code, landed.side,
            landed.started_at
        having count(distinct listed.side) = 2
    ),
    joined as (
        select
            landed.*,
            coalesce(offers.offers, 0) as offers,
            coalesce(offers.priced, 0) as priced,
            -- An unchanged book was judged when it was read with its pages.
            case
                when landed.is_unchanged then 1
                else cast(offers.opposite as double precision) / offers.offers
            end as opposite_share,
            greatest(
                landed.announced_total, landed.offers_distinct + landed.offers_unnumbered, 1
            ) as announced,
            other_sides.is_present as other_side_is_present,
            case
                when landed.is_complete
                    and usual.snapshots >= {LIMITS.past_snapshots}
                    and usual.offers >= {LIMITS.comparable_offers}
                    then landed.offers_distinct / usual.offers
            end as volume_ratio,
            case
                when landed.is_complete
                    and offers.priced >= {LIMITS.priced_offers}
                    and standing.offers >= {LIMITS.priced_offers}
                    and standing.price > 0
                    and trusted.started_at
                    >= landed.started_at - interval '{LIMITS.price_memory_hours} hours'
                    then offers.price / standing.price
            end as price_ratio
        from landed
        left join offers on landed.snapshot_id = offers.snapshot_id
        left join other_sides on landed.snapshot_id = other_sides.snapshot_id
        left join usual using (fiat_code, asset_code, side)
        left join trusted using (fiat_code, asset_code, side)
        left join standing using (fiat_code, asset_code, side)
    )
    select
        {BOOK.format("joined")} as book,
        max(cast(is_complete as integer)) over () as complete_at_best,
        {share("case when is_complete then announced else 0 end", "announced", 1)}
            as complete_share_of_all,
        {age("max(finished_at) over ()", parameters)} as age_intervals,
        volume_ratio,
        1 - cast(other_side_is_present as integer) as other_side_missing,
        {share("priced", "offers", 1)} as priced_share_of_all,
        coalesce(max(opposite_share) over (), 1) as opposite_share_at_best,
        greatest(price_ratio, 1 / price_ratio) as price_change
    from joined
) as profile"""
