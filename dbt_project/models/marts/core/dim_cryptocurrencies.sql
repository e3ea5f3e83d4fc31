with

pairs as (

    select * from {{ ref('dim_trading_pairs') }}

),

offers as (

    select * from {{ ref('fact_offers') }}

),

listed as (

    select
        asset_code,
        min(listed_from) as listed_from,
        max(listed_to) as last_listed_to,
        bool_or(listed_to is null) as is_listed
    from pairs
    group by asset_code

),

final as (

    select
        listed.asset_code,
        scales.asset_scale as scale,
        listed.is_listed,
        listed.listed_from,
        case when not listed.is_listed then listed.last_listed_to end as listed_to
    from listed
    -- The catalogue does not tell the scale, each offer does: the latest one found by its index.
    left join lateral (
        select offers.asset_scale
        from offers
        where offers.asset_code = listed.asset_code and offers.asset_scale is not null
        order by offers.valid_from desc, offers.offer_version_key asc
        limit 1
    ) as scales on true

)

select * from final
