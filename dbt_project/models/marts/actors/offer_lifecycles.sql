{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['fiat_code', 'asset_code', 'side', 'adv_no'],
        incremental_predicates=['DBT_INTERNAL_DEST.gone_at is null'],
        on_schema_change='fail',
        meta={'tested_by': ['gone_at']},
        indexes=[
            {'columns': ['gone_at']},
        ],
        pre_hook=[
            '{{ claim_loads(["fact_snapshots", "fact_offers"]) }}',
            '{{ rewind_lifecycles() }}',
        ],
        post_hook=[
            '{{ keep_room(50) }}',
            '{{ refresh_advertiser_keys("last_seen_at", ends="gone_at") }}',
        ],
    )
}}

{%- set book = ['fiat_code', 'asset_code', 'side'] -%}
{%- set offer = (book + ['adv_no']) | join(', ') -%}
{%- set snapshots = ref('fact_snapshots') -%}
{%- set offers = ref('fact_offers') -%}
{%- set kept = [
    'user_no', 'end_state', 'seen', 'missed', 're_prices', 'refills', 'total_decrease',
    'last_price', 'last_quantity', 'is_left_censored', 'missing_at', 'first_seen_at',
    'last_seen_at', 'delisted_at',
] %}

with

rules as (

    {{ rule_thresholds(ref('actor_rules'), ['appearance_gap', 'book_unread']) }}

),

pairs as (

    select * from {{ ref('dim_trading_pairs') }}

),

newest as (

    select max(started_at) as read_at
    from {{ snapshots }}

),

horizons as (

    {{ book_horizons(changed_only=false) }}

),

known as {{ once() }} (

    {% if is_incremental() %}
        select
            {{ offer }},
            {{ kept | join(', ') }}
        from {{ this }}
        where gone_at is null
    {% else %}
        select
            {{ offer }},
            user_no,
            '' as end_state,
            {% for count in ['seen', 'missed', 're_prices', 'refills'] %}
                0 as {{ count }},
            {% endfor %}
            {% for amount in ['total_decrease', 'last_price', 'last_quantity'] %}
                price as {{ amount }},
            {% endfor %}
            false as is_left_censored,
            {% for moment in ['missing_at', 'first_seen_at', 'last_seen_at', 'delisted_at'] %}
                valid_from as {{ moment }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ offers }}
        where false
    {% endif %}

),

-- Not only those of the claimed loads: an offer of a book that this run did not read can end by the
-- catalogue or by time, and is no more active for another book's sake.
books as {{ once() }} (

    select
        touched.fiat_code,
        touched.asset_code,
        touched.side,
        touched.starts_at,
        latest.started_at as read_at,
        case touched.side when 'BUY' then pairs.buy_listed_to else pairs.sell_listed_to end
            as listed_to
    from (
        select
            fiat_code,
            asset_code,
            side,
            max(starts_at) as starts_at
        from (
            select
                fiat_code,
                asset_code,
                side,
                starts_at
            from horizons

            union all

            select
                fiat_code,
                asset_code,
                side,
                null as starts_at
            from known
        ) as named
        group by fiat_code, asset_code, side
    ) as touched
    {{ left_join_reading(snapshots, 'latest', 'touched', 'before', "'infinity'", trusted=false) }}
    left join pairs on touched.fiat_code = pairs.fiat_code and touched.asset_code = pairs.asset_code

),

-- Before it is joined: how many there are is a guess, and a bad one has `known` read for each book.
since as {{ once() }} (

    select
        versions.fiat_code,
        versions.asset_code,
        versions.side,
        versions.adv_no,
        versions.user_no,
        versions.price,
        versions.tradable_quantity,
        versions.valid_from,
        versions.valid_to,
        horizons.starts_at
    from horizons
    {{ join_versions_since(offers, 'versions', 'horizons', book, 'horizons.starts_at') }}

),

recent as {{ once() }} (

    select
        since.*,
        known.last_price as known_price,
        known.last_quantity as known_quantity,
        known.adv_no is not null as is_known
    from since
    left join known
        on
            since.fiat_code = known.fiat_code
            and since.asset_code = known.asset_code
            and since.side = known.side
            and since.adv_no = known.adv_no

),

stretches as (

    select
        {{ offer }},
        user_no,
        price,
        tradable_quantity as quantity,
        known_price,
        known_quantity,
        case when is_known then greatest(valid_from, starts_at) else valid_from end as counted_from,
        coalesce(valid_to, 'infinity') as counted_to
    from recent

    union all

    -- Of an offer that is new here, or to be rebuilt, all that went before as well.
    select
        older.fiat_code,
        older.asset_code,
        older.side,
        older.adv_no,
        older.user_no,
        older.price,
        older.tradable_quantity as quantity,
        null as known_price,
        null as known_quantity,
        older.valid_from as counted_from,
        older.valid_to as counted_to
    from {{ offers }} as older
    inner join horizons
        on
            older.fiat_code = horizons.fiat_code
            and older.asset_code = horizons.asset_code
            and older.side = horizons.side
            and older.valid_to < horizons.starts_at
    where {{ is_among(
        'older.adv_no', 'select recent.adv_no from recent where not recent.is_known'
    ) }}

),

sighted as (

    select
        stretches.*,
        sightings.readings,
        sightings.first_at,
        sightings.last_at
    from stretches
    {{ join_readings_between(
        snapshots, 'sightings', 'stretches', 'stretches.counted_from', 'stretches.counted_to'
    ) }}
    where sightings.readings > 0

),

compared as (

    select
        *,
        lag(price, 1, known_price) over offer_in_time as previous_price,
        lag(quantity, 1, known_quantity) over offer_in_time as previous_quantity,
        lead(first_at) over offer_in_time is null as is_last
    from sighted
    window offer_in_time as (partition by {{ offer }} order by first_at)

),

added as {{ once() }} (

    select
        {{ offer }},
        max(user_no) filter (where is_last) as user_no,
        sum(readings)::integer as seen,
        count(*) filter (where price != previous_price)::integer as re_prices,
        count(*) filter (where quantity > previous_quantity)::integer as refills,
        coalesce(sum(previous_quantity - quantity) filter (where quantity < previous_quantity), 0)
            as total_decrease,
        max(price) filter (where is_last) as last_price,
        max(quantity) filter (where is_last) as last_quantity,
        min(first_at) as first_at,
        max(last_at) as last_at
    from compared
    group by {{ offer }}

),

combined as (

    select
        coalesce(known.fiat_code, added.fiat_code) as fiat_code,
        coalesce(known.asset_code, added.asset_code) as asset_code,
        coalesce(known.side, added.side) as side,
        coalesce(known.adv_no, added.adv_no) as adv_no,
        known.end_state as known_state,
        known.delisted_at as known_delisted_at,
        coalesce(known.seen, 0) + coalesce(added.seen, 0) as seen,
        -- Those in which it was first seen, or all that were counted before.
        coalesce(known.seen + known.missed, 1) as counted,
        coalesce(known.last_seen_at, added.first_at) as counted_until,
        {% for sum in ['re_prices', 'refills', 'total_decrease'] %}
            coalesce(known.{{ sum }}, 0) + coalesce(added.{{ sum }}, 0) as {{ sum }},
        {% endfor %}
        {% for last in ['last_price', 'last_quantity', 'user_no'] %}
            case when added.adv_no is null then known.{{ last }} else added.{{ last }} end
                as {{ last }},
        {% endfor %}
        known.is_left_censored,
        known.missing_at,
        case when known.adv_no is null then added.first_at end as appeared_at,
        coalesce(known.first_seen_at, added.first_at) as first_seen_at,
        coalesce(added.last_at, known.last_seen_at) as last_seen_at
    from known
    full outer join added
        on
            known.fiat_code = added.fiat_code
            and known.asset_code = added.asset_code
            and known.side = added.side
            and known.adv_no = added.adv_no

),

bounded as (

    select
        combined.*,
        combined.counted + between_sightings.readings as readings,
        coalesce(combined.missing_at, preceding.started_at) as missing_before_at,
        following.started_at as gone_at
    from combined
    {{ join_readings_between(
        snapshots, 'between_sightings', 'combined', 'combined.counted_until',
        'combined.last_seen_at'
    ) }}
    {{ left_join_reading(snapshots, 'preceding', 'combined', 'before', 'combined.appeared_at') }}
    {{ left_join_reading(snapshots, 'following', 'combined', 'after', 'combined.last_seen_at') }}

),

judged as (

    select
        bounded.*,
        books.starts_at is not null as is_read,
        case
            when bounded.gone_at is null and books.listed_to > bounded.last_seen_at
                then books.listed_to
        end as delisted_at,
        case
            when bounded.last_quantity = 0 then 'exhausted'
            when bounded.gone_at is not null then 'withdrawn'
            when books.listed_to > bounded.last_seen_at then 'delisted'
            -- Read since, and never whole; or not read while others were.
            when books.read_at > bounded.last_seen_at then 'unknown'
            when
                {{ minutes_between('bounded.last_seen_at', 'newest.read_at') }} > rules.book_unread
                then 'unknown'
            else 'active'
        end as end_state,
        coalesce(
            bounded.is_left_censored,
            bounded.missing_before_at is null
            or {{ minutes_between('bounded.missing_before_at', 'bounded.first_seen_at') }}
            > rules.appearance_gap
        ) as is_censored
    from bounded
    cross join newest
    inner join rules
        on
            bounded.first_seen_at >= rules.valid_from
            and (bounded.first_seen_at < rules.valid_to or rules.valid_to is null)
    inner join books
        on
            bounded.fiat_code = books.fiat_code
            and bounded.asset_code = books.asset_code
            and bounded.side = books.side

),

final as (

    select
        advertisers.advertiser_key,
        judged.adv_no,
        judged.fiat_code,
        judged.asset_code,
        judged.side,
        judged.fiat_code || '/' || judged.asset_code as trading_pair,
        judged.user_no,
        judged.end_state,
        judged.seen,
        judged.readings - judged.seen as missed,
        judged.re_prices,
        judged.refills,
        trim_scale(judged.total_decrease) as total_decrease,
        judged.last_price,
        judged.last_quantity,
        trim_scale(round(
            {{ minutes_between('judged.first_seen_at', 'judged.last_seen_at') }}, 3
        )) as lifetime_least_minutes,
        trim_scale(round(
            {{ minutes_between(
                'judged.missing_before_at', 'coalesce(judged.gone_at, judged.delisted_at)'
            ) }},
            3
        )) as lifetime_most_minutes,
        judged.is_censored as is_left_censored,
        judged.gone_at is null and judged.delisted_at is null as is_right_censored,
        judged.missing_before_at as missing_at,
        judged.first_seen_at,
        judged.last_seen_at,
        judged.gone_at,
        judged.delisted_at
    from judged
    {{ left_join_version_at(
        ref('dim_advertisers'), 'advertisers', 'judged', 'user_no', 'judged.last_seen_at'
    ) }}
    where
        judged.is_read
        or judged.end_state != judged.known_state
        or judged.delisted_at is distinct from judged.known_delisted_at

)

select * from final
