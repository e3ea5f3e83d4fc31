with

source as (

    select * from {{ ref('stg_binance_p2p__offers') }}

),

renamed as (

    select
        source.snapshot_id,
        source.page_number,
        source.position,
        method.position::integer as method_position,
        source.adv_no,
        source.fiat_code,
        nullif(opened.identifier, '')::text as identifier,
        nullif(btrim(opened."tradeMethodName"), '')::text as name,
        source.load_id
    from source
    {{ unnest_json('source.payment_methods', 'method') }}
    {{ open_json('method.value', 'opened', ['identifier', 'tradeMethodName']) }}

)

select * from renamed
