with

source as (

    select * from {{ ref('stg_binance_p2p__pages') }}

),

renamed as (

    select
        source.snapshot_id,
        source.page_number,
        item.position::integer as position,
        case
            when advertiser."userNo" ~ '^[0-9A-Za-z]{1,64}$' then advertiser."userNo"
        end::text as user_no,
        -- Empty or null in 14% of the offers; spaces within and around are the advertiser's own.
        nullif(advertiser."nickName", '')::text as nickname,
        nullif(advertiser."userType", '')::text as user_type,
        nullif(advertiser."userIdentity", '')::text as user_identity,
        nullif(advertiser.badges, '[]')::text as badges,
        {{ to_integer('advertiser."userGrade"') }}::integer as user_grade,
        {{ to_integer('advertiser."vipLevel"') }}::integer as vip_level,
        {{ to_integer('advertiser."monthOrderCount"') }}::integer as month_order_count,
        {{ to_share('advertiser."monthFinishRate"') }}::numeric as month_finish_rate,
        {{ to_share('advertiser."positiveRate"') }}::numeric as positive_rate,
        {{ to_boolean('advertiser."merchantGroupMember"') }}::boolean as is_merchant_group_member,
        source.load_id
    from source
    {{ open_items('source.body', 'item', [], ['advertiser']) }}
    {{ open_json(
        'item.advertiser',
        'advertiser',
        [
            'userNo', 'nickName', 'userType', 'userIdentity', 'userGrade', 'vipLevel',
            'monthOrderCount', 'monthFinishRate', 'positiveRate', 'merchantGroupMember', 'badges',
        ]
    ) }}

)

select * from renamed
