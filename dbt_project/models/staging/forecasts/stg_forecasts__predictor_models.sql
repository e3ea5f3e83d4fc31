with

source as (

    {{ admitted_rows(
        source('forecasts', 'predictor_models'),
        ['run_id', 'model_id'],
    ) }}

),

renamed as (

    select
        run_id::text as run_id,
        model_id::text as model_id,
        description::text as description,
        parameters::text as parameters,
        library::text as library,
        library_version::text as library_version,
        seen_at::timestamptz as seen_at,
        _dlt_load_id::text as load_id
    from source

)

select * from renamed
