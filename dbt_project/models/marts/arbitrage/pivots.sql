{{ config(materialized='view') }}

with

cycles as (

    select * from {{ ref('arbitrage_cycles') }}

),

-- What a walk goes through between its first trade and its last.
passed as (

    {% for column in ['asset_code', 'second_fiat_code', 'second_asset_code'] %}
        select
            run_id,
            {{ column }} as currency_code,
            net_pct,
            is_credited,
            as_of
        from cycles
        where {{ column }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select
        run_id,
        currency_code,
        count(*)::integer as n_cycles,
        count(*) filter (where is_credited)::integer as n_credited,
        max(net_pct) as best_net_pct,
        percentile_disc(0.5) within group (order by net_pct) as median_net_pct,
        max(net_pct) filter (where is_credited) as best_credited_net_pct,
        as_of
    from passed
    group by run_id, currency_code, as_of

)

select * from final
