with

source as (

    {{ admitted_rows(
        source('forecasts', 'price_forecasts'),
        ['run_id', 'fiat_code', 'asset_code', 'horizon_hours'],
    ) }}

),

renamed as (

    select
        run_id::text as forecast_id,
        fiat_code::text as fiat_code,
        asset_code::text as asset_code,
        horizon_hours::integer as horizon_hours,
        reason::text as reason,
        evaluation_id::text as evaluation_id,
        model_id::text as model_id,
        states_model_id::text as states_model_id,
        n_hours::integer as n_hours,
        n_filled_hours::integer as n_filled_hours,
        last_price::numeric as last_price,
        point::numeric as point,
        low_80::numeric as low_80,
        high_80::numeric as high_80,
        down_probability::numeric as down_probability,
        flat_probability::numeric as flat_probability,
        up_probability::numeric as up_probability,
        interval_factor::numeric as interval_factor,
        origin_at::timestamptz as origin_at,
        target_at::timestamptz as target_at,
        made_at::timestamptz as made_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
