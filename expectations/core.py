# ruff: noqa: S608  (the only values put into these texts are our limits and quoted literals)
"""The profiles of the core tables: what the transform has made of the landing."""

from collections.abc import Collection

from expectations.limits import LIMITS
from expectations.profiles import BOOK, Parameters, age, common, share


def core_books(parameters: Parameters, existing: Collection[str]) -> str:
    """One row per book read in the last days, as the marts know it after the transform."""
    return f"""select * from (
    with {common(parameters, existing)},
    recent as (
        select *
        from marts.fact_snapshots
        where
            started_at
            >= coalesce(
                (select since from clock), (select max(started_at) from marts.fact_snapshots)
            )
            - {LIMITS.remembered_days} * interval '24 hours'
    ),
    last_readings as (
        select distinct on (fiat_code, asset_code, side) *
        from recent
        order by fiat_code, asset_code, side, started_at desc
    ),
    missing as (
        select landed.fiat_code, landed.asset_code, landed.side, count(*) as snapshots
        from landed
        where
            not exists (
                select from marts.fact_snapshots as known
                where known.snapshot_id = landed.snapshot_id
            )
        group by landed.fiat_code, landed.asset_code, landed.side
    ),
    standing as (
        select
            fiat_code,
            asset_code,
            side,
            count(*) as offers,
            count(*) filter (where is_limit_fiction) as limit_fictions,
            count(distinct advertiser_key) as advertisers
        from marts.fact_offers
        where valid_to is null
        group by fiat_code, asset_code, side
    ),
    versions as (
        select
            fiat_code,
            asset_code,
            side,
            coalesce(valid_to, 'infinity') > lead(valid_from) over (
                partition by fiat_code, asset_code, side, adv_no order by valid_from, valid_to
            ) as is_overlapping
        from marts.fact_offers
        where valid_to is null or valid_to >= (select since from clock)
    ),
    overlapping as (
        select fiat_code, asset_code, side, count(*) as versions
        from versions
        where is_overlapping
        group by fiat_code, asset_code, side
    ),
    books as (
        select fiat_code, asset_code, side from last_readings
        union
        select fiat_code, asset_code, side from missing
        union
        select fiat_code, asset_code, side from overlapping
    ),
    joined as (
        select
            books.*,
            case
                when last_readings.is_complete and last_readings.faults is null
                    then coalesce(standing.offers, 0) - (
                        last_readings.offers_distinct
                        - last_readings.offers_rejected
                        - last_readings.offers_foreign
                        - last_readings.offers_of_wrong_side
                    )
            end as standing_difference,
            last_readings.quality_verdict = 'suspect' as is_suspect,
            coalesce(missing.snapshots, 0) as snapshots_missing,
            coalesce(overlapping.versions, 0) as overlapping_versions,
            coalesce(standing.offers, 0) as offers,
            coalesce(standing.limit_fictions, 0) as limit_fictions,
            coalesce(standing.advertisers, 0) as advertisers
        from books
        left join last_readings using (fiat_code, asset_code, side)
        left join missing using (fiat_code, asset_code, side)
        left join overlapping using (fiat_code, asset_code, side)
        left join standing using (fiat_code, asset_code, side)
    )
    select
        {BOOK.format("joined")} as book,
        standing_difference,
        cast(is_suspect as integer) as is_suspect,
        snapshots_missing,
        overlapping_versions,
        {age("select max(finished_at) from recent where is_complete", parameters)} as age_intervals,
        {share("limit_fictions", "offers", 0)} as limit_fiction_share_of_all,
        {share("advertisers", "offers", 1)} as advertisers_share_of_all
    from joined
) as profile"""


def core_moments(parameters: Parameters, existing: Collection[str]) -> str:
    """One row per complete snapshot of the run: how much of it lies off its own market."""
    return f"""select * from (
    with {common(parameters, existing)},
    moments as (
        select
            snapshot_id,
            count(*) as offers,
            count(*) filter (where is_off_market) as off_market
        from marts.fact_offer_snapshots
        where
            -- An array, since a condition on it reaches the tables below the view, a join does not.
            snapshot_id = any(array(select snapshot_id from landed where is_complete))
        group by snapshot_id
    )
    select
        {BOOK.format("landed")} as book,
        {share("moments.off_market", "moments.offers", 0)} as off_market_share_of_all
    from moments
    inner join landed on moments.snapshot_id = landed.snapshot_id
) as profile"""


# Tables that a market with no offer at all leaves empty, and those that it does not.
_TABLES_OF_OFFERS = (
    "dim_advertisers",
    "fact_advertiser_statistics",
    "fact_offer_payment_methods",
    "fact_offers",
)
_TABLES_OF_THE_CATALOGUE = (
    "dim_cryptocurrencies",
    "dim_fiat_currencies",
    "dim_payment_methods",
    "dim_trading_pairs",
    "fact_snapshots",
)


def core_tables(parameters: Parameters, existing: Collection[str]) -> str:
    """One row per core table: whether it is empty though it should not be."""
    del parameters, existing
    had_offers = (
        "exists (select from marts.fact_snapshots"
        " where offers_distinct > offers_rejected + offers_foreign + offers_of_wrong_side)"
    )
    rows = [
        f"select 'marts.{table}' as table_name, cast({condition} and not exists"
        f" (select from marts.{table}) as integer) as is_empty"
        for tables, condition in (
            (_TABLES_OF_OFFERS, had_offers),
            (_TABLES_OF_THE_CATALOGUE, "true"),
        )
        for table in tables
    ]
    return f"select * from ({' union all '.join(rows)}) as profile"
