{{
    config(
        indexes=[
            {'columns': ['as_of']},
            {'columns': ['fiat_code', 'asset_code', 'as_of']},
        ],
        pre_hook=[
            '{{ claim_loads(["trade_steps"]) }}',
            '{{ rewind_walks() }}',
            '{{ join_by_hash() }}',
        ],
    )
}}

with

rules as (

    {{ rule_thresholds(ref('arbitrage_rules'), arbitrage_rule_names()) }}

),

steps as {{ once() }} (

    select * from {{ ref('trade_steps') }}
    {% if is_incremental() %}
        where {{ is_among('run_id', touched_walks()) }}
    {% endif %}

),

-- Which single way to pay fills the ticket in a book.
methods as {{ once() }} (

    select
        snapshot_id,
        ticket_usd,
        payment_method
    from {{ ref('executable_prices') }}
    where
        {{ is_among('snapshot_id', 'select distinct steps.snapshot_id from steps') }}
        and payment_method != 'any'
        and (fill_ratio = 1 or single_order_price_eligible is not null)

),

-- Where a walk pays and is paid in one fiat: whether that can be done by one way to pay.
paid as (

    select
        bought.run_id,
        bought.cycle_key,
        bought.ticket_usd,
        bought.from_currency,
        count(taken.payment_method) > 0 as is_one_method
    from steps as bought
    inner join steps as sold
        on
            bought.run_id = sold.run_id
            and bought.cycle_key = sold.cycle_key
            and bought.ticket_usd = sold.ticket_usd
            and bought.from_currency = sold.to_currency
    left join methods as given
        on bought.snapshot_id = given.snapshot_id and bought.ticket_usd = given.ticket_usd
    left join methods as taken
        on
            sold.snapshot_id = taken.snapshot_id
            and sold.ticket_usd = taken.ticket_usd
            and given.payment_method = taken.payment_method
    where bought.leg_kind = 'buy' and sold.leg_kind = 'sell'
    group by bought.run_id, bought.cycle_key, bought.ticket_usd, bought.from_currency

),

paid_everywhere as (

    select
        run_id,
        cycle_key,
        ticket_usd,
        bool_and(is_one_method) as is_one_method
    from paid
    group by run_id, cycle_key, ticket_usd

),

walked as (

    select
        run_id,
        cycle_key,
        ticket_usd,
        shape,
        as_of,
        max(case when leg = 1 then from_currency end) as fiat_code,
        max(case when leg = 1 then to_currency end) as asset_code,
        max(case when leg = 2 and leg_kind = 'sell' and shape != 'one_book' then to_currency end)
            as second_fiat_code,
        max(
            case
                when (shape = 'spot' and leg = 2) or (shape = 'two_fiats' and leg = 3)
                    then to_currency
            end
        ) as second_asset_code,
        count(*)::integer as n_legs,
        {{ product_of_legs('rate') }} as rate,
        {{ product_of_legs('net_rate') }} as net_rate,
        min(capacity_usd) as capacity_usd,
        min(n_eligible) as n_eligible,
        min(n_advertisers) as n_advertisers,
        min(confidence) as confidence,
        max(age_minutes) as oldest_leg_minutes,
        max(age_minutes) - min(age_minutes) as age_spread_minutes,
        bool_and(is_fresh) as is_fresh,
        bool_and(is_credible) as is_credible
    from steps
    group by run_id, cycle_key, ticket_usd, shape, as_of

),

judged as (

    select
        walked.*,
        (walked.net_rate - 1) * 100 as net_pct,
        (walked.net_rate - 1) * 100 > rules.suspect_net_pct as is_data_bug_suspect
    from walked
    inner join rules on {{ holds_at('rules', 'walked.as_of') }}

),

final as (

    select
        judged.run_id,
        judged.cycle_key,
        judged.shape,
        judged.fiat_code,
        judged.asset_code,
        judged.second_fiat_code,
        judged.second_asset_code,
        judged.ticket_usd,
        judged.n_legs,
        trim_scale(round((judged.rate - 1) * 100, 12)) as gross_pct,
        trim_scale(round(judged.net_pct, 12)) as net_pct,
        judged.capacity_usd,
        judged.n_eligible,
        judged.n_advertisers,
        judged.confidence,
        judged.oldest_leg_minutes,
        judged.age_spread_minutes,
        judged.is_fresh,
        judged.is_credible,
        judged.is_data_bug_suspect,
        judged.is_fresh
        and judged.is_credible
        and not judged.is_data_bug_suspect as is_credited,
        judged.shape = 'spot' as uses_spot,
        judged.shape = 'official' as uses_official_fx,
        paid_everywhere.is_one_method,
        judged.as_of
    from judged
    left join paid_everywhere
        on
            judged.run_id = paid_everywhere.run_id
            and judged.cycle_key = paid_everywhere.cycle_key
            and judged.ticket_usd = paid_everywhere.ticket_usd

)

select * from final
