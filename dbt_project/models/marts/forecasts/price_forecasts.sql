{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[{'columns': ['made_at']}],
        pre_hook=['{{ claim_loads(["predictor_runs"]) }}'],
    )
}}

with

landed as (

    select * from {{ ref('stg_forecasts__price_forecasts') }}
    {% if is_incremental() %}
        where {{ is_among('load_id', claimed_loads()) }}
    {% endif %}

),

-- Persistence has one row for both: its skill at the price, which is none.
scores as (

    select * from {{ ref('predictor_runs') }}

),

final as (

    select
        landed.forecast_id,
        landed.fiat_code,
        landed.asset_code,
        landed.horizon_hours,
        landed.fiat_code || '/' || landed.asset_code as trading_pair,
        landed.reason,
        landed.evaluation_id,
        landed.model_id,
        landed.states_model_id,
        landed.n_hours,
        landed.n_filled_hours,
        trim_scale(landed.last_price) as last_price,
        trim_scale(landed.point) as point,
        trim_scale(landed.low_80) as low_80,
        trim_scale(landed.high_80) as high_80,
        trim_scale(landed.down_probability) as down_probability,
        trim_scale(landed.flat_probability) as flat_probability,
        trim_scale(landed.up_probability) as up_probability,
        trim_scale(scores.skill) as skill,
        trim_scale(scores.skill_low) as skill_low,
        trim_scale(scores.skill_high) as skill_high,
        trim_scale(scores.coverage_80_pct) as coverage_80_pct,
        trim_scale(states_scores.skill) as states_skill,
        trim_scale(landed.interval_factor) as interval_factor,
        scores.is_significant as has_skill,
        states_scores.is_significant as has_states_skill,
        landed.origin_at,
        landed.target_at,
        landed.made_at
    from landed
    left join scores
        on
            landed.evaluation_id = scores.evaluation_id
            and landed.fiat_code = scores.fiat_code
            and landed.asset_code = scores.asset_code
            and landed.horizon_hours = scores.horizon_hours
            and landed.model_id = scores.model_id
    left join scores as states_scores
        on
            landed.evaluation_id = states_scores.evaluation_id
            and landed.fiat_code = states_scores.fiat_code
            and landed.asset_code = states_scores.asset_code
            and landed.horizon_hours = states_scores.horizon_hours
            and landed.states_model_id = states_scores.model_id

)

select * from final
