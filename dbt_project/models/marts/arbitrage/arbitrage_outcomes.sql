{{
    config(
        pre_hook=[
            '{{ claim_loads(["arbitrage_cycles"]) }}',
            '{{ rewind_walks(hindsight_minutes()) }}',
            '{{ join_by_hash() }}',
        ],
    )
}}

with

rules as {{ once() }} (

    {{ rule_thresholds(ref('arbitrage_rules'), arbitrage_rule_names()) }}

),

cycles as {{ once() }} (

    select * from {{ ref('arbitrage_cycles') }}
    where
        is_credible
        {% if is_incremental() %}
            and {{ is_among('run_id', touched_walks(hindsight_minutes())) }}
        {% endif %}

),

steps as {{ once() }} (

    select
        steps.*,
        case steps.leg_kind when 'buy' then 'BUY' else 'SELL' end as side,
        case steps.leg_kind when 'buy' then steps.from_currency else steps.to_currency end
            as fiat_code,
        case steps.leg_kind when 'buy' then steps.to_currency else steps.from_currency end
            as asset_code
    from {{ ref('trade_steps') }} as steps
    inner join cycles
        on
            steps.run_id = cycles.run_id
            and steps.cycle_key = cycles.cycle_key
            and steps.ticket_usd = cycles.ticket_usd
    {% if is_incremental() %}
        where {{ is_among('steps.run_id', touched_walks(hindsight_minutes())) }}
    {% endif %}

),

-- Many walks go over one book.
books as (

    select distinct
        steps.run_id,
        steps.fiat_code,
        steps.asset_code,
        steps.side,
        steps.snapshot_id,
        steps.quoted_at,
        steps.as_of + interval '1 minute' * rules.hindsight_max_minutes as read_until
    from steps
    inner join rules on {{ holds_at('rules', 'steps.as_of') }}
    where steps.snapshot_id is not null

),

read_again as {{ once() }} (

    select
        books.run_id,
        books.snapshot_id,
        later.snapshot_id as later_snapshot_id,
        later.started_at as later_at
    from books
    {{ left_join_reading(ref('fact_snapshots'), 'later', 'books', 'after', 'books.quoted_at') }}
    where later.started_at <= books.read_until

),

refilled as {{ once() }} (

    select
        read_again.run_id,
        read_again.snapshot_id,
        tickets.ticket_usd,
        {{ executable_price('tickets') }} as price
    from read_again
    {{ left_join_latest(
        ref('int_book_capacity'),
        'capacity',
        [
            'earlier.snapshot_id = read_again.later_snapshot_id',
            'earlier.usd_price is not null',
        ],
        'snapshot_at',
    ) }}
    {{ executable_tickets('capacity', 'tickets') }}

),

walks as {{ once() }} (

    select
        steps.run_id,
        steps.cycle_key,
        steps.ticket_usd,
        max(read_again.later_at) as resolved_at
    from steps
    left join read_again
        on steps.run_id = read_again.run_id and steps.snapshot_id = read_again.snapshot_id
    where steps.snapshot_id is not null
    group by steps.run_id, steps.cycle_key, steps.ticket_usd
    having count(read_again.later_at) = count(*)

),

-- What coins fetched when the last book of a walk had been read again, by that moment.
moments as {{ once() }} (

    select distinct
        walks.resolved_at::text as run_id,
        walks.resolved_at as as_of
    from walks
    inner join steps
        on
            walks.run_id = steps.run_id
            and walks.cycle_key = steps.cycle_key
            and walks.ticket_usd = steps.ticket_usd
    where steps.leg_kind = 'spot'

),

spot_by_then as {{ once() }} (

    {{ spot_legs('moments', 'rules') }}

),

steps_by_then as (

    select
        steps.run_id,
        steps.cycle_key,
        steps.ticket_usd,
        steps.leg,
        walks.resolved_at,
        case steps.leg_kind
            when 'buy' then steps.net_rate / steps.rate / refilled.price
            when 'sell' then steps.net_rate / steps.rate * refilled.price
            when 'spot' then spot_by_then.net_rate
            else steps.net_rate
        end as net_rate
    from steps
    inner join walks
        on
            steps.run_id = walks.run_id
            and steps.cycle_key = walks.cycle_key
            and steps.ticket_usd = walks.ticket_usd
    left join refilled
        on
            steps.run_id = refilled.run_id
            and steps.snapshot_id = refilled.snapshot_id
            and steps.ticket_usd = refilled.ticket_usd
    left join spot_by_then
        on
            walks.resolved_at::text = spot_by_then.run_id
            and steps.from_currency = spot_by_then.from_asset
            and steps.to_currency = spot_by_then.to_asset

),

walked_again as (

    select
        run_id,
        cycle_key,
        ticket_usd,
        resolved_at,
        count(net_rate) = count(*) as is_filled,
        {{ product_of_legs('net_rate') }} as net_rate
    from steps_by_then
    group by run_id, cycle_key, ticket_usd, resolved_at

),

final as (

    select
        cycles.run_id,
        cycles.cycle_key,
        cycles.shape,
        cycles.fiat_code,
        cycles.second_fiat_code,
        cycles.ticket_usd,
        cycles.net_pct,
        case
            when walked_again.is_filled
                then trim_scale(round((walked_again.net_rate - 1) * 100, 12))
        end as hindsight_net_pct,
        case
            when walked_again.is_filled
                then trim_scale(round((walked_again.net_rate - 1) * 100, 12) - cycles.net_pct)
        end as hindsight_change_pct,
        trim_scale(
            round({{ minutes_between('cycles.as_of', 'walked_again.resolved_at') }}, 3)
        ) as minutes_later,
        cycles.is_credited,
        walked_again.is_filled,
        cycles.as_of,
        walked_again.resolved_at
    from cycles
    inner join walked_again
        on
            cycles.run_id = walked_again.run_id
            and cycles.cycle_key = walked_again.cycle_key
            and cycles.ticket_usd = walked_again.ticket_usd

)

select * from final
