with

source as (

    {{ admitted_rows(
        source('forecasts', 'predictor_runs'),
        ['run_id', 'fiat_code', 'asset_code', 'model_id', 'horizon_hours'],
    ) }}

),

renamed as (

    select
        run_id::text as evaluation_id,
        fiat_code::text as fiat_code,
        asset_code::text as asset_code,
        model_id::text as model_id,
        horizon_hours::integer as horizon_hours,
        n::integer as n,
        n_states::integer as n_states,
        n_blocks::integer as n_blocks,
        n_hours::integer as n_hours,
        n_filled_hours::integer as n_filled_hours,
        mae::numeric as mae,
        mae_persistence::numeric as mae_persistence,
        mase::numeric as mase,
        mase_persistence::numeric as mase_persistence,
        pinball_10::numeric as pinball_10,
        pinball_10_persistence::numeric as pinball_10_persistence,
        pinball_50::numeric as pinball_50,
        pinball_50_persistence::numeric as pinball_50_persistence,
        pinball_90::numeric as pinball_90,
        pinball_90_persistence::numeric as pinball_90_persistence,
        crps::numeric as crps,
        crps_persistence::numeric as crps_persistence,
        coverage_80_pct::numeric as coverage_80_pct,
        coverage_80_pct_persistence::numeric as coverage_80_pct_persistence,
        log_loss::numeric as log_loss,
        log_loss_persistence::numeric as log_loss_persistence,
        log_loss_base_rates::numeric as log_loss_base_rates,
        accuracy_pct::numeric as accuracy_pct,
        accuracy_pct_persistence::numeric as accuracy_pct_persistence,
        accuracy_pct_base_rates::numeric as accuracy_pct_base_rates,
        skill::numeric as skill,
        skill_low::numeric as skill_low,
        skill_high::numeric as skill_high,
        skill_over_base_rates::numeric as skill_over_base_rates,
        interval_factor::numeric as interval_factor,
        is_significant::boolean as is_significant,
        is_conformal::boolean as is_conformal,
        first_cutoff_at::timestamptz as first_cutoff_at,
        last_cutoff_at::timestamptz as last_cutoff_at,
        evaluated_at::timestamptz as evaluated_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
