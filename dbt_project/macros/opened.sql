{#-
    Pages parsed once a run. Parsing is the most expensive step, and five models need what the pages
    hold. So the parsed pages of new loads are kept in tables that are rebuilt in every run; what
    else a model has to process it parses itself, by the view: late readings, loads that it lacks
    from a run that failed, a rebuild.
-#}

{#-
    Returns a condition: the row is of a reading in one of the loads that this run is the first to
    take in, or in thirty of them, which is more than a cycle lands: a rebuild of years is not
    written down twice. By the reading, since by that the views over pages are asked.
-#}
{% macro is_newly_landed() -%}
    {%- set readings = ref('stg_binance_p2p__snapshots') -%}
    {%- set loads = claimed_loads() ~ ' order by claimed.load_id desc limit 30' -%}
    {% if is_incremental() -%}
        {{ is_among(
            'snapshot_id',
            'select landed.snapshot_id from ' ~ readings ~ ' as landed'
            ~ ' where not landed.is_unchanged and ' ~ is_among('landed.load_id', loads)
        ) }}
    {%- else -%}
        false
    {%- endif %}
{%- endmacro %}

{#-
    Returns what the pages of `snapshots`, a query of their ids, hold, as a query: from the table
    `kept` where they are in it, and else from `view`. All that `view` has where the model is built
    from its beginning. It has the columns of `kept`, or those of its payment methods.
-#}
{% macro on_pages_of(snapshots, view, kept, of_methods=false) -%}
    {#- While dbt parses, both are named; a unit test knows only what it was given. -#}
    {%- if not execute or is_incremental() -%}
        {%- set table = ref(kept) -%}
    {%- endif -%}
    select * from {{ ref(view) }}
    {% if is_incremental() %}
        where {{ is_among(
            'snapshot_id', snapshots ~ ' except select held.snapshot_id from ' ~ table ~ ' as held'
        ) }}

        union all

        select * from
        {{ '(' ~ methods_of(table) ~ ') as methods' if of_methods else table }}
        where {{ is_among('snapshot_id', snapshots) }}
    {% endif %}
{%- endmacro %}

{#-
    Returns the payment methods that `offers`, a relation, lists, as a query: without those of
    another book's offers, which are no methods of this fiat.
-#}
{% macro methods_of(offers) -%}
    select
        offers.snapshot_id,
        offers.page_number,
        offers.position,
        method.position::integer as method_position,
        offers.adv_no,
        offers.fiat_code,
        coalesce(nullif(opened.identifier, ''), nullif(opened."payType", ''))::text as identifier,
        nullif(btrim(opened."tradeMethodName"), '')::text as name,
        offers.load_id
    from {{ offers }} as offers
    {{ unnest_json('offers.payment_methods::jsonb', 'method') }}
    {{ open_json('method.value', 'opened', ['identifier', 'payType', 'tradeMethodName']) }}
    where not offers.is_foreign
{%- endmacro %}

{#-
    Returns the advertisers of `offers`, a relation that holds them as JSON, as a query: one row per
    offer.
-#}
{% macro advertisers_of(offers) -%}
    select
        offers.snapshot_id,
        offers.page_number,
        offers.position,
        -- 0.13% of the user numbers lack their leading s; anything longer is nobody's.
        case
            when {{ is_made_of('opened."userNo"', '0-9A-Za-z', 64) }} then opened."userNo"
        end::text as user_no,
        -- Empty or null in 14% of the offers; spaces within and around are the advertiser's own.
        nullif(opened."nickName", '')::text as nickname,
        nullif(opened."userType", '')::text as user_type,
        nullif(opened."userIdentity", '')::text as user_identity,
        nullif(opened.badges, '[]')::text as badges,
        {{ to_integer('opened."userGrade"') }}::integer as user_grade,
        {{ to_integer('opened."vipLevel"') }}::integer as vip_level,
        {{ to_integer('opened."monthOrderCount"') }}::integer as month_order_count,
        {{ to_share('opened."monthFinishRate"') }}::numeric as month_finish_rate,
        {{ to_share('opened."positiveRate"') }}::numeric as positive_rate,
        {{ to_boolean('opened."merchantGroupMember"') }}::boolean as is_merchant_group_member,
        offers.load_id
    from {{ offers }} as offers
    {{ open_json(
        'offers.advertiser',
        'opened',
        [
            'userNo', 'nickName', 'userType', 'userIdentity', 'userGrade', 'vipLevel',
            'monthOrderCount', 'monthFinishRate', 'positiveRate', 'merchantGroupMember', 'badges',
        ]
    ) }}
{%- endmacro %}

{#-
    Returns what a snapshot says of each advertiser, of `advertisers`, which has a row per offer, as
    a query.
-#}
{% macro observations_of(advertisers) -%}
    select
        snapshot_id,
        user_no,
        {% for text in ['nickname', 'user_type', 'user_identity', 'badges'] %}
            max({{ text }}) filter (where nth_latest = 1) as {{ text }},
        {% endfor %}
        max(user_grade) filter (where nth_latest = 1) as user_grade,
        max(vip_level) filter (where nth_latest = 1) as vip_level,
        max(month_order_count) filter (where nth_latest = 1) as month_order_count,
        max(month_finish_rate) filter (where nth_latest = 1) as month_finish_rate,
        -- It differs between one user's ads in one reading: the median of them.
        (
            percentile_disc(0.5) within group (order by positive_rate)
            + percentile_disc(0.5) within group (order by positive_rate desc)
        ) / 2 as positive_rate,
        bool_or(is_merchant_group_member) filter (where nth_latest = 1)
            as is_merchant_group_member,
        max(load_id) as load_id
    from (
        select
            *,
            -- One user's ads stand on several pages, read at different moments: the last word
            -- counts.
            row_number() over (
                partition by snapshot_id, user_no
                order by page_number desc, position desc
            ) as nth_latest
        from {{ advertisers }}
        where user_no is not null
    ) as ranked
    group by snapshot_id, user_no
{%- endmacro %}
