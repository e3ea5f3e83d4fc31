{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[{'columns': ['evaluated_at']}],
        pre_hook=['{{ claim_loads() }}'],
    )
}}

with

landed as (

    select * from {{ ref('stg_forecasts__predictor_runs') }}
    {% if is_incremental() %}
        where {{ is_among('load_id', claimed_loads()) }}
    {% endif %}

),

final as (

    select
        landed.evaluation_id,
        landed.fiat_code,
        landed.asset_code,
        landed.model_id,
        landed.horizon_hours,
        landed.fiat_code || '/' || landed.asset_code as trading_pair,
        landed.n,
        landed.n_states,
        landed.n_blocks,
        landed.n_hours,
        landed.n_filled_hours,
        trim_scale(landed.mae) as mae,
        trim_scale(landed.mae_persistence) as mae_persistence,
        trim_scale(landed.mase) as mase,
        trim_scale(landed.mase_persistence) as mase_persistence,
        trim_scale(landed.pinball_10) as pinball_10,
        trim_scale(landed.pinball_10_persistence) as pinball_10_persistence,
        trim_scale(landed.pinball_50) as pinball_50,
        trim_scale(landed.pinball_50_persistence) as pinball_50_persistence,
        trim_scale(landed.pinball_90) as pinball_90,
        trim_scale(landed.pinball_90_persistence) as pinball_90_persistence,
        trim_scale(landed.crps) as crps,
        trim_scale(landed.crps_persistence) as crps_persistence,
        trim_scale(landed.coverage_80_pct) as coverage_80_pct,
        trim_scale(landed.coverage_80_pct_persistence) as coverage_80_pct_persistence,
        trim_scale(landed.log_loss) as log_loss,
        trim_scale(landed.log_loss_persistence) as log_loss_persistence,
        trim_scale(landed.log_loss_base_rates) as log_loss_base_rates,
        trim_scale(landed.accuracy_pct) as accuracy_pct,
        trim_scale(landed.accuracy_pct_persistence) as accuracy_pct_persistence,
        trim_scale(landed.accuracy_pct_base_rates) as accuracy_pct_base_rates,
        trim_scale(landed.skill) as skill,
        trim_scale(landed.skill_low) as skill_low,
        trim_scale(landed.skill_high) as skill_high,
        trim_scale(landed.skill_over_base_rates) as skill_over_base_rates,
        trim_scale(landed.interval_factor) as interval_factor,
        landed.is_significant,
        landed.is_conformal,
        landed.first_cutoff_at,
        landed.last_cutoff_at,
        landed.evaluated_at
    from landed

)

select * from final
