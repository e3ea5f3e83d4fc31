with

advertisers as (

    select * from {{ ref('stg_binance_p2p__advertisers') }}

),

ranked as (

    select
        *,
        -- One user's ads stand on several pages, read at different moments: the last word counts.
        row_number() over (
            partition by snapshot_id, user_no
            order by page_number desc, position desc
        ) as nth_latest
    from advertisers
    where user_no is not null

),

final as (

    select
        snapshot_id,
        user_no,
        nickname,
        user_type,
        user_identity,
        badges,
        user_grade,
        vip_level,
        month_order_count,
        month_finish_rate,
        positive_rate,
        is_merchant_group_member,
        load_id
    from ranked
    where nth_latest = 1

)

select * from final
