{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['day']},
        indexes=[
            {'columns': ['fiat_code', 'rate_kind', 'day']},
        ],
        pre_hook=[
            '{{ claim_loads(["fact_snapshots"]) }}',
            '{{ rewind_days_since(first_day_of_new_rates()) }}',
        ],
    )
}}

with

rules as (

    {{ rule_thresholds(ref('rate_rules'), ['official_rate_jump']) }}

),

{% if is_incremental() %}
    first_new as {{ once() }} (

        select ({{ first_day_of_new_rates() }}) as day

    ),

    told as {{ once() }} (

        select max(day) as last_day from {{ this }}

    ),
{% endif %}

-- Of what several readings say of one day the latest counts. Without a new rate none is read: what
-- stands is carried forward.
landed as (

    select
        *,
        row_number() over (
            partition by fiat_code, rate_kind, rate_date
            order by read_at desc, load_id desc, published_at desc, reading_id desc
        ) as nth_latest
    from {{ ref('stg_rates__official_rates') }}
    where
        rate > 0
        {% if is_incremental() %}
            and (select first_new.day from first_new) is not null
        {% endif %}

),

published as (

    select
        *,
        lag(rate) over (partition by fiat_code, rate_kind order by rate_date) as rate_before,
        lag(rate, 2) over (partition by fiat_code, rate_kind order by rate_date)
            as rate_before_that
    from landed
    where nth_latest = 1

),

-- Near one of the two before it: so one absurd rate is withheld and the sound one after it is not,
-- and a new level that comes twice is believed. Not by `least` and `greatest`: a null is to them as
-- if it were not there.
judged as (

    select
        published.*,
        not coalesce(
            (
                published.rate <= rules.official_rate_jump * published.rate_before
                and published.rate_before <= rules.official_rate_jump * published.rate
            )
            or (
                published.rate <= rules.official_rate_jump * published.rate_before_that
                and published.rate_before_that <= rules.official_rate_jump * published.rate
            ),
            published.rate_before is null
        ) as is_absurd
    from published
    inner join rules
        on
            published.published_at >= rules.valid_from
            and (published.published_at < rules.valid_to or rules.valid_to is null)

),

standing as (

    select
        fiat_code,
        rate_kind,
        rate_source,
        rate,
        bid,
        ask,
        rate_date
    from judged
    where not is_absurd

    {% if is_incremental() %}
        union all

        select
            stood.fiat_code,
            stood.rate_kind,
            stood.rate_source,
            stood.rate,
            stood.bid,
            stood.ask,
            stood.rate_date
        from {{ this }} as stood
        where
            stood.day = (select told.last_day from told)
            and (select first_new.day from first_new) is null
    {% endif %}

),

last_day as {{ once() }} (

    select
        greatest(
            (
                select {{ utc_day('max(snapshots.started_at)') }}
                from {{ ref('fact_snapshots') }} as snapshots
            ),
            (select max(standing.rate_date) from standing)
        ) as day

),

stretches as (

    select
        standing.*,
        {% if is_incremental() %}
            greatest(
                standing.rate_date,
                coalesce(
                    (select first_new.day from first_new), (select told.last_day + 1 from told)
                )
            ) as told_from,
        {% else %}
            standing.rate_date as told_from,
        {% endif %}
        coalesce(
            lead(standing.rate_date) over (
                partition by standing.fiat_code, standing.rate_kind
                order by standing.rate_date
            ) - 1,
            last_day.day
        ) as told_until
    from standing
    cross join last_day

),

days as (

    select
        stretches.*,
        each.day
    from stretches
    {{ join_days('stretches.told_from', 'stretches.told_until', 'each') }}

),

final as (

    select
        days.day,
        days.fiat_code,
        days.rate_kind,
        days.rate_source,
        trim_scale(days.rate) as rate,
        trim_scale(days.bid) as bid,
        trim_scale(days.ask) as ask,
        trim_scale(absurd.rate) as withheld_rate,
        days.day - days.rate_date as days_carried,
        days.day > days.rate_date as is_carried_forward,
        days.rate_date
    from days
    left join judged as absurd
        on
            days.fiat_code = absurd.fiat_code
            and days.rate_kind = absurd.rate_kind
            and days.day = absurd.rate_date
            and absurd.is_absurd

)

select * from final
