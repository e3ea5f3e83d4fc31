{#-
    The analysts' marts of the market: rebuilt from one horizon for all books, the earliest
    reading in the loads that are new to the model. Not a horizon a book: an advertiser's
    statistics come from every book that shows him, so a late reading of one can change who is
    eligible in another.
-#}

{#-
    Returns a condition: `column` lies at or after the horizon, less some seconds. Told as a range,
    since the planner takes `>=` of what it does not know yet for a third of the table, and reads
    all of it.
-#}
{% macro since_horizon(column, less_seconds=0) -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {{ column }} between (
        select min(readings.started_at) - interval '{{ less_seconds }} seconds'
        from {{ readings }} as readings
        where {{ is_among('readings.load_id', claimed_loads()) }}
    ) and 'infinity'
{%- endmacro %}

{#-
    Returns a condition: `column`, a day, is that of the horizon less some days, or a later one; or
    `column`, a time, lies in such a day.
-#}
{% macro since_day_of_horizon(column, is_time=false, less_days=0) -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {#- Days are taken off a date: off a time they would be those of the session's zone. -#}
    {%- set earliest = utc_day('min(readings.started_at)') ~ ' - ' ~ less_days -%}
    {{ column }} between (
        select {{ start_of_day('(' ~ earliest ~ ')') if is_time else earliest }}
        from {{ readings }} as readings
        where {{ is_among('readings.load_id', claimed_loads()) }}
    ) and 'infinity'
{%- endmacro %}

{#- Runs the undoing of a mart of days from the day of the horizon on. -#}
{% macro rewind_days(column='day') %}
    {%- set told = since_day_of_horizon(column) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ told }}
    {% endif %}
{% endmacro %}

{#- Runs the undoing of a mart of the market from the horizon on. -#}
{% macro rewind_market(column, less_seconds=0) %}
    {%- set told = since_horizon(column, less_seconds) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ told }}
    {% endif %}
{% endmacro %}

{#-
    Returns an aggregate: the value at a share of the way through `count` values, of which each row
    is the `nth` (from 1), with linear interpolation between neighbours: what `percentile_cont`
    gives, but in exact decimals where that one rounds to a double. `condition`: over the rows that
    meet it, which are numbered and counted apart from the others.
-#}
{% macro interpolated(value, nth, count, share, condition='true') -%}
    trim_scale(
        sum({{ value }} * greatest(0, 1 - abs({{ nth }} - 1 - {{ share }} * ({{ count }} - 1))))
        {% if condition != 'true' %}filter (where {{ condition }}){% endif %}
    )
{%- endmacro %}

{#- Returns the names of the rules of `offer_flag_rules` by which a reference price is made. -#}
{% macro competitive_rules() -%}
    {{ return(['competitive_min_offers', 'competitive_share', 'competitive_min_advertisers']) }}
{%- endmacro %}

{#-
    Returns over how many of so many eligible offers, best first, the competitive median is taken: a
    share of them, a few at least. For a query of rows that carry `competitive_rules`.
-#}
{% macro competitive_count(n_eligible) -%}
    least(
        {{ n_eligible }},
        greatest(competitive_min_offers, floor(competitive_share * {{ n_eligible }}))
    )
{%- endmacro %}

{#-
    Returns an aggregate: too few of the offers that meet a condition, or of their advertisers, to
    make a market price of them. For a query of rows that carry `competitive_rules`.
-#}
{% macro is_thin_market(condition) -%}
    count(*) filter (where {{ condition }}) < min(competitive_min_offers)
    or count(distinct advertiser) filter (where {{ condition }}) < min(competitive_min_advertisers)
{%- endmacro %}

{#-
    Returns an aggregate: the commonest value among the rows that meet a condition; where several
    are as common, the first in order.
-#}
{% macro commonest(value, condition) -%}
    {{ return(adapter.dispatch('commonest', 'p2p')(value, condition)) }}
{%- endmacro %}

{% macro default__commonest(value, condition) -%}
    mode() within group (order by {{ value }}) filter (where {{ condition }})
{%- endmacro %}

{#-
    Returns the fee of a role on a page, as a fraction, from `fees` for the fiat of a row (`of`) at
    one of its times (`at`): what is said of one fiat goes before what is said of all.
-#}
{% macro fee_rate(role, side, of='paired', at='buy_snapshot_at') -%}
    (
        select fees.fee_pct / 100
        from fees
        where
            fees.role = '{{ role }}'
            and fees.side = '{{ side }}'
            and fees.fiat_code in ({{ of }}.fiat_code, '*')
            and fees.valid_from <= {{ of }}.{{ at }}
        order by (fees.fiat_code = '*') asc, fees.valid_from desc
        limit 1
    )
{%- endmacro %}

{#- Returns the names of the price notions of `market_quotes` that have candles, in order. -#}
{% macro price_notions() -%}
    {{ return([
        'best_raw', 'best_eligible', 'median', 'vwap', 'vwap_eligible', 'naive', 'ref_q25',
        'top10_median', 'conservative_5th', 'reference_price',
    ]) }}
{%- endmacro %}

{#-
    Returns a query of the books with a reading at or after the horizon, and since when to tell
    their hours: from the hour of the trusted reading before, as its price holds until the next.
-#}
{% macro price_hour_starts() -%}
    {%- set quotes = ref('market_quotes') -%}
    {%- set is_new = since_horizon('quotes.snapshot_at') -%}
    select
        touched.fiat_code,
        touched.asset_code,
        touched.side,
        {{ start_of('hour', 'coalesce(previous.snapshot_at, touched.first_at)') }} as starts_at
    from (
        select
            quotes.fiat_code,
            quotes.asset_code,
            quotes.side,
            min(quotes.snapshot_at) as first_at
        from {{ quotes }} as quotes
        {% if is_incremental() %}
            where {{ is_new }}
        {% endif %}
        group by quotes.fiat_code, quotes.asset_code, quotes.side
    ) as touched
    {{ left_join_latest(
        quotes,
        'previous',
        [
            'earlier.fiat_code = touched.fiat_code',
            'earlier.asset_code = touched.asset_code',
            'earlier.side = touched.side',
            'earlier.snapshot_at < touched.first_at',
            'not earlier.is_withheld',
        ],
        'snapshot_at',
    ) }}
{%- endmacro %}

{#- Runs the undoing of the hours that are rebuilt. -#}
{% macro rewind_price_hours() %}
    {%- set starts = price_hour_starts() -%}
    {% if is_incremental() %}
        with starts as ({{ starts }})

        {{ delete_rows_since(
            this, 'starts', ['fiat_code', 'asset_code', 'side'], 'bucket_start', 'starts_at'
        ) }}
    {% endif %}
{% endmacro %}

{#-
    Returns a query of one row: since when a mart that adds up days tells its readings
    (`starts_at`), and whether it tells the day of that moment from its beginning (`is_late`), as
    what was read behind the horizon stands in its sums already, or what it claims does.
-#}
{% macro day_horizon() -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {%- set snapshots = ref('fact_snapshots') -%}
    select
        horizon.is_late,
        case
            when horizon.is_late then {{ start_of('day', 'horizon.starts_at') }}
            else horizon.starts_at
        end as starts_at
    from (
        select
            min(readings.started_at) as starts_at,
            exists (
                select 1
                from {{ snapshots }} as told
                where
                    told.started_at between min(readings.started_at) and 'infinity'
                    and not ({{ is_among('told.load_id', claimed_loads()) }})
            )
            or {{ are_retold(claimed_loads()) }} as is_late
        from {{ readings }} as readings
        where {{ is_among('readings.load_id', claimed_loads()) }}
    ) as horizon
{%- endmacro %}

{#-
    Runs the taking out of the days that go on, into `held_days` for the model to add to; of those
    that are told from their beginning nothing is held.
-#}
{% macro take_out_days(column='day') %}
    {%- set horizon = day_horizon() -%}
    {% if is_incremental() %}
        {{ hold_rows(
            'held_days',
            this,
            column ~ " between (select " ~ utc_day('horizon.starts_at') ~ " from ("
            ~ horizon ~ ") as horizon) and 'infinity'",
            "(select not horizon.is_late from (" ~ horizon ~ ") as horizon)",
        ) }}
    {% endif %}
{% endmacro %}
