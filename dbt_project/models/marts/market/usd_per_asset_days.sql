{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        pre_hook=[
            '{{ claim_loads(["fact_snapshots"]) }}',
            '{{ rewind_days_since(first_day_of_new_spot_prices()) }}',
        ],
    )
}}

with

{% if is_incremental() %}
    told as {{ once() }} (

        select max(day) as last_day from {{ this }}

    ),
{% endif %}

prices as (

    select * from {{ ref('stg_binance_spot__prices') }}
    where
        quote_asset_code = 'USDT'
        and bid > 0
        and ask >= bid
        {% if is_incremental() %}
            and read_at between (
                select {{ start_of('day', 'min(fresh.read_at)') }}
                from {{ ref('stg_binance_spot__prices') }} as fresh
                where {{ is_among('fresh.load_id', claimed_loads()) }}
            ) and 'infinity'
        {% endif %}

),

-- A reading that was landed twice is one.
read_once as (

    select
        read_at,
        asset_code,
        max((bid + ask) / 2) as usdt_per_asset
    from prices
    group by read_at, asset_code

),

-- The dollar is measured by USDC: its issuer redeems it, and the exchange trades it against USDT.
measured as (

    select
        *,
        max(usdt_per_asset) filter (where asset_code = 'USDC') over (partition by read_at)
            as usdt_per_dollar
    from read_once

),

in_dollars as (

    select
        read_at,
        asset_code,
        usdt_per_asset / usdt_per_dollar as usd_per_asset
    from measured
    where usdt_per_dollar is not null

    union all

    select
        read_at,
        'USDT' as asset_code,
        1 / usdt_per_dollar as usd_per_asset
    from measured
    where asset_code = 'USDC'

),

ranked as (

    select
        asset_code,
        usd_per_asset,
        {{ utc_day('read_at') }} as day,
        row_number() over (
            partition by asset_code, {{ utc_day('read_at') }}
            order by usd_per_asset
        ) as nth,
        count(*) over (partition by asset_code, {{ utc_day('read_at') }}) as n_readings
    from in_dollars

),

standing as (

    select
        asset_code,
        {{ interpolated('usd_per_asset', 'nth', 'n_readings', '0.5') }} as usd_per_asset,
        max(n_readings)::integer as n_readings,
        day as price_date
    from ranked
    group by asset_code, day

    {% if is_incremental() %}
        union all

        select
            stood.asset_code,
            stood.usd_per_asset,
            stood.n_readings,
            stood.price_date
        from {{ this }} as stood
        where stood.day = (select told.last_day from told)
    {% endif %}

),

last_day as {{ once() }} (

    select
        greatest(
            (
                select {{ utc_day('max(snapshots.started_at)') }}
                from {{ ref('fact_snapshots') }} as snapshots
            ),
            (select max(standing.price_date) from standing)
        ) as day

),

stretches as (

    select
        standing.*,
        {% if is_incremental() %}
            greatest(standing.price_date, (select told.last_day + 1 from told)) as told_from,
        {% else %}
            standing.price_date as told_from,
        {% endif %}
        coalesce(
            lead(standing.price_date) over (
                partition by standing.asset_code
                order by standing.price_date
            ) - 1,
            last_day.day
        ) as told_until
    from standing
    cross join last_day

),

final as (

    select
        each.day,
        stretches.asset_code,
        stretches.usd_per_asset,
        stretches.n_readings,
        each.day - stretches.price_date as days_carried,
        each.day > stretches.price_date as is_carried_forward,
        stretches.price_date
    from stretches
    {{ join_days('stretches.told_from', 'stretches.told_until', 'each') }}

)

select * from final
