{%- set columns = [
    'run_id', 'ticket_usd', 'shape', 'fiat_code', 'asset_code', 'second_fiat_code',
    'second_asset_code', 'leg', 'leg_kind', 'from_currency', 'to_currency', 'rate', 'net_rate',
    'age_minutes', 'is_fresh', 'quoted_at',
] -%}
{%- set of_a_book = [
    'snapshot_id', 'quantity', 'capacity_usd', 'n_eligible', 'n_advertisers', 'confidence',
    'is_credible',
] -%}

{{
    config(
        pre_hook=[
            '{{ claim_loads(["int_book_capacity", "official_rates"]) }}',
            '{{ rewind_walks() }}',
            '{{ join_by_hash() }}',
        ],
    )
}}

with

rules as {{ once() }} (

    {{ rule_thresholds(ref('arbitrage_rules'), arbitrage_rule_names()) }}

),

runs as {{ once() }} (

    select
        run_id,
        max(started_at) as as_of
    from {{ ref('fact_snapshots') }}
    {% if is_incremental() %}
        where {{ is_among('run_id', touched_walks()) }}
    {% endif %}
    group by run_id

),

legs as {{ once() }} (

    {{ p2p_legs('runs', 'rules') }}

),

spot_legs as {{ once() }} (

    {{ spot_legs('runs', 'rules') }}

),

official as {{ once() }} (

    select
        runs.run_id,
        runs.as_of,
        rates.fiat_code,
        rates.rate
    from runs
    inner join {{ ref('official_rates') }} as rates
        on
            {{ utc_day('runs.as_of') }} = rates.day
            and rates.rate_kind = '{{ var("official_rate_kind", "mid_market") }}'

),

kept as {{ once() }} (

    {{ best_walks('legs', 'spot_legs', 'official', 'runs', 'rules') }}

),

-- The legs that are taken in books, in order.
trades as (

    {% for leg, side, fiat, asset, shapes in [
        (1, 'BUY', 'fiat_code', 'asset_code', "'one_book', 'spot', 'two_fiats', 'official'"),
        (2, 'SELL', 'fiat_code', 'asset_code', "'one_book'"),
        (2, 'SELL', 'second_fiat_code', 'asset_code', "'two_fiats', 'official'"),
        (3, 'BUY', 'second_fiat_code', 'second_asset_code', "'two_fiats'"),
        (3, 'SELL', 'fiat_code', 'second_asset_code', "'spot'"),
        (4, 'SELL', 'fiat_code', 'second_asset_code', "'two_fiats'"),
    ] %}
        select
            kept.*,
            {{ leg }} as leg,
            kept.{{ fiat }} as leg_fiat,
            kept.{{ asset }} as leg_asset,
            '{{ side }}' as leg_side
        from kept
        where kept.shape in ({{ shapes }})

        {% if not loop.last %}
            union all
        {% endif %}

    {% endfor %}

),

of_the_market as (

    select
        trades.*,
        case trades.leg_side when 'BUY' then 'buy' else 'sell' end as leg_kind,
        case trades.leg_side when 'BUY' then trades.leg_fiat else trades.leg_asset end
            as from_currency,
        case trades.leg_side when 'BUY' then trades.leg_asset else trades.leg_fiat end
            as to_currency,
        legs.snapshot_id,
        legs.rate,
        case
            when trades.leg_side = 'BUY' and trades.second_fiat_code is not null
                then legs.moved_net_rate
            else legs.net_rate
        end as net_rate,
        legs.quantity,
        legs.capacity_usd,
        legs.n_eligible,
        legs.n_advertisers,
        legs.confidence,
        legs.age_minutes,
        legs.is_fresh,
        legs.is_credible,
        legs.snapshot_at as quoted_at
    from trades
    inner join legs
        on
            trades.run_id = legs.run_id
            and trades.ticket_usd = legs.ticket_usd
            and trades.leg_fiat = legs.fiat_code
            and trades.leg_asset = legs.asset_code
            and trades.leg_side = legs.side

),

beside_it as (

    select
        kept.*,
        2 as leg,
        'spot' as leg_kind,
        spot_legs.from_asset as from_currency,
        spot_legs.to_asset as to_currency,
        spot_legs.rate,
        spot_legs.net_rate,
        spot_legs.age_minutes,
        spot_legs.is_fresh,
        spot_legs.read_at as quoted_at
    from kept
    inner join spot_legs
        on
            kept.run_id = spot_legs.run_id
            and kept.asset_code = spot_legs.from_asset
            and kept.second_asset_code = spot_legs.to_asset
    where kept.shape = 'spot'

    union all

    select
        kept.*,
        3 as leg,
        'official' as leg_kind,
        kept.second_fiat_code as from_currency,
        kept.fiat_code as to_currency,
        here.rate / there.rate as rate,
        here.rate / there.rate as net_rate,
        null as age_minutes,
        true as is_fresh,
        here.as_of as quoted_at
    from kept
    inner join official as here
        on kept.run_id = here.run_id and kept.fiat_code = here.fiat_code
    inner join official as there
        on kept.run_id = there.run_id and kept.second_fiat_code = there.fiat_code
    where kept.shape = 'official'

),

every_leg as (

    select
        {{ columns | join(', ') }},
        {{ of_a_book | join(', ') }}
    from of_the_market

    union all

    select
        {{ columns | join(', ') }},
        null as snapshot_id,
        null as quantity,
        null as capacity_usd,
        null as n_eligible,
        null as n_advertisers,
        null as confidence,
        null as is_credible
    from beside_it

),

final as (

    select
        every_leg.run_id,
        {{ surrogate_key([
            'every_leg.shape', 'every_leg.fiat_code', 'every_leg.asset_code',
            'every_leg.second_fiat_code', 'every_leg.second_asset_code',
        ]) }} as cycle_key,
        every_leg.leg::integer as leg,
        every_leg.shape,
        every_leg.leg_kind,
        every_leg.from_currency,
        every_leg.to_currency,
        every_leg.snapshot_id,
        every_leg.ticket_usd,
        trim_scale(every_leg.rate) as rate,
        trim_scale((1 - every_leg.net_rate / every_leg.rate) * 100) as fee_pct,
        every_leg.net_rate,
        every_leg.quantity,
        every_leg.capacity_usd,
        every_leg.n_eligible,
        every_leg.n_advertisers,
        every_leg.confidence,
        trim_scale(round(every_leg.age_minutes, 3)) as age_minutes,
        every_leg.is_fresh,
        every_leg.is_credible,
        every_leg.quoted_at,
        runs.as_of
    from every_leg
    inner join runs on every_leg.run_id = runs.run_id

)

select * from final
