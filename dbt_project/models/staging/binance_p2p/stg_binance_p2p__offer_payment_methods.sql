with

source as (

    select * from {{ ref('stg_binance_p2p__offers') }}

),

renamed as (

    {{ methods_of('source') }}

)

select * from renamed
