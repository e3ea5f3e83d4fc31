with

seen as (

    select
        *,
        row_number() over (partition by model_id order by seen_at desc, load_id desc)
            as nth_latest,
        min(seen_at) over (
            partition by model_id, description, parameters, library, library_version
        ) as since_at
    from {{ ref('stg_forecasts__predictor_models') }}

),

final as (

    select
        model_id,
        description,
        parameters,
        library,
        library_version,
        since_at
    from seen
    where nth_latest = 1

)

select * from final
