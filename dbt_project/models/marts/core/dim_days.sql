{{ config(materialized='view') }}

with

readings as (

    select
        min(started_at) as first_at,
        max(started_at) as last_at
    from {{ ref('fact_snapshots') }}

),

final as (

    select days.day
    from readings
    {{ join_days(utc_day('readings.first_at'), utc_day('readings.last_at'), 'days') }}

)

select * from final
