{{ config(materialized='view') }}

with

advertisers as (

    select * from {{ ref('dim_advertisers') }}
    where valid_to is null

),

statistics as (

    select * from {{ ref('fact_advertiser_statistics') }}
    where valid_to is null

),

standing as (

    select
        user_no,
        count(*) as offers
    from {{ ref('fact_offers') }}
    where valid_to is null
    group by user_no

),

final as (

    select
        advertisers.advertiser_key,
        advertisers.user_no,
        advertisers.nickname,
        advertisers.user_type,
        advertisers.user_identity,
        advertisers.badges,
        advertisers.user_grade,
        advertisers.vip_level,
        statistics.month_order_count,
        statistics.month_finish_rate,
        statistics.positive_rate,
        coalesce(standing.offers, 0)::integer as standing_offers,
        advertisers.is_merchant_group_member,
        advertisers.valid_from,
        statistics.valid_from as statistics_valid_from
    from advertisers
    left join statistics on advertisers.user_no = statistics.user_no
    left join standing on advertisers.user_no = standing.user_no

)

select * from final
