{#-
    The legs of walks: what a ticket was filled at in the last trusted snapshot of each book as of
    the end of a cycle, and what a coin fetched in another on the spot market then.
-#}

{#-
    Returns the price at which a book takes a whole ticket: of the sweep where it fills it, else of
    the one eligible order that does; null where none does.
-#}
{% macro executable_price(ticket) -%}
    case
        when {{ ticket }}.fill_ratio = 1 then {{ ticket }}.sweep_price
        else {{ ticket }}.single_order_price_eligible
    end
{%- endmacro %}

{#-
    Returns a lateral join that gives one row per ticket of `capacity`, a row of
    `int_book_capacity`, with what its whole book does with it, by any payment method.
-#}
{% macro executable_tickets(capacity, name) -%}
    {{ unnest_together(
        [
            capacity ~ '.tickets',
            row_of(capacity ~ '.sweep_prices', 1),
            row_of(capacity ~ '.fill_ratios', 1),
            row_of(capacity ~ '.single_order_prices_eligible', 1),
        ],
        name,
        ['ticket_usd', 'sweep_price', 'fill_ratio', 'single_order_price_eligible'],
    ) }}
{%- endmacro %}

{#- Returns an aggregate over the legs of a walk: the product of a column, in which nulls are 1. -#}
{% macro product_of_legs(column) -%}
    {%- for leg in range(1, 5) %}
        coalesce(max(case when leg = {{ leg }} then {{ column }} end), 1)
        {{- ' *' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    Returns a query of one row per cycle of `runs` (run_id, as_of), book and ticket that it fills.
    `rules` has the thresholds of `arbitrage_rules` by time.
-#}
{% macro p2p_legs(runs, rules) -%}
    {%- set kept = "case side when 'BUY' then 1 / (1 + fee) else 1 - fee end" -%}
    with

    books as (

        select
            pairs.fiat_code,
            pairs.asset_code,
            sides.side
        from {{ ref('dim_trading_pairs') }} as pairs
        cross join (values ('BUY'), ('SELL')) as sides (side)

    ),

    fees as (

        select * from {{ ref('fee_schedule') }}

    ),

    -- The cheapest network of each coin.
    transfers as {{ once() }} (

        select
            {{ runs }}.run_id,
            transfer_fees.asset_code,
            min(transfer_fees.fee_quantity) as fee_quantity
        from {{ runs }}
        inner join {{ ref('transfer_fees') }} as transfer_fees
            on {{ holds_at('transfer_fees', runs ~ '.as_of') }}
        group by {{ runs }}.run_id, transfer_fees.asset_code

    ),

    quoted as {{ once() }} (

        select
            {{ runs }}.run_id,
            {{ runs }}.as_of,
            books.fiat_code,
            books.asset_code,
            books.side,
            quotes.snapshot_id,
            quotes.n_eligible,
            quotes.n_advertisers,
            quotes.confidence,
            quotes.reference_price,
            quotes.snapshot_at,
            {{ minutes_between('quotes.snapshot_at', runs ~ '.as_of') }} as age_minutes,
            quotes.n_eligible >= {{ rules }}.min_eligible_offers
            and quotes.confidence >= {{ rules }}.min_confidence as is_credible,
            {{ rules }}.fresh_cadences,
            {{ rules }}.most_beyond_reference_pct
        from {{ runs }}
        inner join {{ rules }} on {{ holds_at(rules, runs ~ '.as_of') }}
        cross join books
        {{ left_join_latest(
            ref('market_quotes'),
            'quotes',
            [
                'earlier.fiat_code = books.fiat_code',
                'earlier.asset_code = books.asset_code',
                'earlier.side = books.side',
                'earlier.snapshot_at <= ' ~ runs ~ '.as_of',
                'earlier.snapshot_at > ' ~ runs ~ ".as_of - interval '1 minute' * " ~ rules
                ~ '.leg_max_minutes',
                'not earlier.is_withheld',
            ],
            'snapshot_at',
        ) }}
        where quotes.n_eligible > 0

    ),

    -- The book's own habit: the middle one of its last nine gaps between readings.
    cadenced as (

        select
            quoted.run_id,
            quoted.snapshot_id,
            coalesce(
                percentile_disc(0.5) within group (order by latest.minutes_since_last),
                {{ var('cadence_minutes', 20) }}
            ) as cadence_minutes
        from quoted
        {{ left_join_latest(
            ref('fact_snapshots'),
            'latest',
            [
                'earlier.fiat_code = quoted.fiat_code',
                'earlier.asset_code = quoted.asset_code',
                'earlier.side = quoted.side',
                'earlier.started_at <= quoted.as_of',
                'earlier.minutes_since_last > 0',
            ],
            'started_at',
            9,
        ) }}
        group by quoted.run_id, quoted.snapshot_id

    ),

    charged as (

        select
            quoted.*,
            cadenced.cadence_minutes,
            quoted.age_minutes < quoted.fresh_cadences * cadenced.cadence_minutes as is_fresh,
            case quoted.side
                when 'BUY' then {{ fee_rate('taker', 'BUY', 'quoted', 'as_of') }}
                else {{ fee_rate('taker', 'SELL', 'quoted', 'as_of') }}
            end as fee,
            transfers.fee_quantity
        from quoted
        inner join cadenced
            on quoted.run_id = cadenced.run_id and quoted.snapshot_id = cadenced.snapshot_id
        left join transfers
            on quoted.run_id = transfers.run_id and quoted.asset_code = transfers.asset_code

    ),

    filled as (

        select
            charged.*,
            tickets.ticket_usd,
            case charged.side
                when 'BUY' then 1 - {{ executable_price('tickets') }} / charged.reference_price
                else {{ executable_price('tickets') }} / charged.reference_price - 1
            end as beyond_reference,
            case charged.side
                when 'BUY' then 1 / {{ executable_price('tickets') }}
                else {{ executable_price('tickets') }}
            end as rate,
            tickets.ticket_usd * capacity.usd_price / {{ executable_price('tickets') }} as quantity
        from charged
        {{ left_join_latest(
            ref('int_book_capacity'),
            'capacity',
            ['earlier.snapshot_id = charged.snapshot_id', 'earlier.usd_price is not null'],
            'snapshot_at',
        ) }}
        {{ executable_tickets('capacity', 'tickets') }}
        where {{ executable_price('tickets') }} is not null

    )

    select
        run_id,
        fiat_code,
        asset_code,
        side,
        ticket_usd,
        snapshot_id,
        rate,
        -- As a factor of the rate, which a fee of nought then leaves as it is to the last digit.
        rate * {{ kept }} as net_rate,
        -- Bought here to be sold elsewhere: less what it costs to send it there.
        case
            when side = 'BUY' and fee_quantity < quantity
                then rate * {{ kept }} * (1 - fee_quantity / quantity)
        end as moved_net_rate,
        quantity,
        max(ticket_usd) over (partition by run_id, snapshot_id) as capacity_usd,
        n_eligible,
        n_advertisers,
        confidence,
        age_minutes,
        is_fresh,
        -- The ads of makers who have left stay the best of their book, where nobody answers.
        is_credible
        and coalesce(beyond_reference * 100 <= most_beyond_reference_pct, true) as is_credible,
        snapshot_at
    from filled
{%- endmacro %}

{#-
    Returns a query of one row per cycle of `runs` and ordered pair of coins: what one fetched in
    the other by way of the coin that spot prices are in, which is one of them or costs two trades.
-#}
{% macro spot_legs(runs, rules) -%}
    {%- set quote = 'USDT' -%}
    with

    read_by_then as (

        select
            {{ runs }}.run_id,
            prices.asset_code,
            prices.bid,
            prices.ask,
            prices.read_at,
            {{ minutes_between('prices.read_at', runs ~ '.as_of') }} as age_minutes,
            {{ minutes_between('prices.read_at', runs ~ '.as_of') }}
            < {{ rules }}.fresh_cadences * {{ var('cadence_minutes', 20) }} as is_fresh,
            1 - {{ rules }}.spot_fee_pct / 100 as kept_share,
            row_number() over (
                partition by {{ runs }}.run_id, prices.asset_code
                order by prices.read_at desc, prices.bid asc, prices.ask desc
            ) as nth_latest
        from {{ runs }}
        inner join {{ rules }} on {{ holds_at(rules, runs ~ '.as_of') }}
        inner join {{ ref('stg_binance_spot__prices') }} as prices
            on
                prices.read_at <= {{ runs }}.as_of
                and prices.read_at
                > {{ runs }}.as_of - interval '1 minute' * {{ rules }}.leg_max_minutes
        where prices.quote_asset_code = '{{ quote }}' and prices.bid > 0 and prices.ask > 0

    ),

    coins as {{ once() }} (

        select
            run_id,
            asset_code,
            bid,
            ask,
            kept_share,
            age_minutes,
            is_fresh,
            read_at
        from read_by_then
        where nth_latest = 1

        union all

        select
            run_id,
            '{{ quote }}' as asset_code,
            1 as bid,
            1 as ask,
            1 as kept_share,
            null as age_minutes,
            true as is_fresh,
            null as read_at
        from {{ runs }}

    )

    select
        given.run_id,
        given.asset_code as from_asset,
        taken.asset_code as to_asset,
        given.bid / taken.ask as rate,
        given.bid / taken.ask * given.kept_share * taken.kept_share as net_rate,
        greatest(given.age_minutes, taken.age_minutes) as age_minutes,
        given.is_fresh and taken.is_fresh as is_fresh,
        least(given.read_at, taken.read_at) as read_at
    from coins as given
    inner join coins as taken
        on given.run_id = taken.run_id and given.asset_code != taken.asset_code
{%- endmacro %}
