with

advertisers as (

    select * from {{ ref('stg_binance_p2p__advertisers') }}

),

final as (

    {{ observations_of('advertisers') }}

)

select * from final
