{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        meta={'tested_by': ['started_at']},
        indexes=[
            {'columns': ['fiat_code', 'asset_code', 'side', 'started_at']},
            {'columns': ['started_at']},
            {'columns': ['run_id']},
        ],
        pre_hook=[
            '{{ require_pages() }}',
            '{{ claim_loads() }}',
            '{{ rewind_books(begins="started_at", changed_only=false) }}',
        ],
    )
}}

{%- set book = ['fiat_code', 'asset_code', 'side'] | join(', ') -%}
{%- set minutes_unchanged = minutes_between('unchanged.unchanged_since', 'seen.started_at') -%}
{%- set of_earlier = [
    'earlier.fiat_code = horizons.fiat_code',
    'earlier.asset_code = horizons.asset_code',
    'earlier.side = horizons.side',
    'earlier.started_at < horizons.starts_at',
] %}
{#- The last reading, the last complete one, and those to compare a price with. -#}
{%- set preceding = [
    ([], 1),
    (['earlier.is_complete'], 1),
    (['earlier.is_complete', 'earlier.faults is null'], 2),
] -%}

with

rules as (

    {{ rule_thresholds(
        ref('snapshot_quality_rules'),
        [
            'many_duplicates', 'rejected_offers', 'foreign_offers', 'maker_side_mismatch',
            'more_than_announced', 'announces_more', 'frozen_offers', 'frozen_minutes',
            'frozen_offer_minutes', 'price_leap', 'price_leap_offers', 'collapsed',
            'collapsed_offers', 'preceding_minutes',
        ],
    ) }}

),

horizons as (

    {{ book_horizons(changed_only=false) }}

),

readings as (

    {{ readings_since('horizons', changed_only=false) }}

),

offers as (

    {{ on_pages_of(
        'select readings.snapshot_id from readings', 'stg_binance_p2p__offers', 'int_opened_offers'
    ) }}

),

examined as (

    {{ examined_readings('readings', 'offers', 'rules') }}

    {% if is_incremental() %}
        union all

        select
            snapshot_id,
            offers_rejected,
            offers_foreign,
            offers_of_wrong_side,
            middle_price,
            faults
        from {{ this }}
        where
            {{ is_among(
                'snapshot_id',
                'select readings.same_as_snapshot_id from readings where readings.is_unchanged',
            ) }}
    {% endif %}

),

-- An unchanged reading landed no pages: it is judged as the one that it repeats.
seen as (

    select
        readings.*,
        coalesce(examined.offers_rejected, 0) as offers_rejected,
        coalesce(examined.offers_foreign, 0) as offers_foreign,
        coalesce(examined.offers_of_wrong_side, 0) as offers_of_wrong_side,
        examined.middle_price,
        case
            when examined.snapshot_id is null then 'repeats_nothing' else examined.faults
        end as faults
    from readings
    left join examined
        on
            case
                when readings.is_unchanged then readings.same_as_snapshot_id
                else readings.snapshot_id
            end
            = examined.snapshot_id

),

{% if is_incremental() %}
    previous as (

        {% for conditions, count in preceding %}
            select
                horizons.*,
                told.fingerprint,
                told.faults,
                told.offers_distinct,
                told.middle_price,
                told.is_complete,
                told.started_at,
                told.unchanged_since
            from horizons
            {{ left_join_latest(this, 'told', of_earlier + conditions, 'started_at', count) }}
            where told.started_at is not null

            {% if not loop.last %}
                union
            {% endif %}

        {% endfor %}

    ),
{% endif %}

timeline as (

    select
        snapshot_id,
        fiat_code,
        asset_code,
        side,
        fingerprint,
        faults,
        offers_distinct,
        middle_price,
        is_complete,
        is_unchanged,
        started_at,
        null::timestamptz as unchanged_since
    from seen

    {% if is_incremental() %}
        union all

        select
            null as snapshot_id,
            fiat_code,
            asset_code,
            side,
            fingerprint,
            faults,
            offers_distinct,
            middle_price,
            is_complete,
            null as is_unchanged,
            started_at,
            unchanged_since
        from previous
    {% endif %}

),

followed as (

    select
        snapshot_id,
        lag(started_at) over (partition by {{ book }} order by started_at) as previous_started_at
    from timeline

),

-- Readings of one fingerprint show one book, whether the loader knew it or had lost its state.
whole as (

    select
        *,
        coalesce(
            is_unchanged
            or fingerprint
            = lag(fingerprint) over (partition by {{ book }} order by started_at),
            false
        ) as is_as_before
    from timeline
    where is_complete

),

numbered as (

    select
        *,
        count(*) filter (where not is_as_before) over (
            partition by {{ book }} order by started_at
        ) as state
    from whole

),

unchanged as (

    select
        snapshot_id,
        coalesce(
            min(unchanged_since) over (partition by {{ book }}, state),
            min(started_at) over (partition by {{ book }}, state)
        ) as unchanged_since
    from numbered

),

-- Against the two sound readings before it: what comes twice is believed, and what came once does
-- not make the return from it suspect.
neighbours as (

    {% for nth in [1, 2] %}
        select
            snapshot_id,
            offers_distinct,
            middle_price,
            started_at,
            lag(offers_distinct, {{ nth }}) over sound_readings as previous_offers,
            lag(middle_price, {{ nth }}) over sound_readings as previous_price,
            lag(started_at, {{ nth }}) over sound_readings as previous_started_at
        from timeline
        where is_complete and faults is null
        window sound_readings as (partition by {{ book }} order by started_at)

        {% if not loop.last %}
            union all
        {% endif %}

    {% endfor %}

),

compared as (

    select
        neighbours.snapshot_id,
        max(neighbours.previous_offers) as previous_offers,
        min(
            neighbours.previous_offers::numeric / nullif(neighbours.offers_distinct, 0)
        ) as times_fewer,
        min(
            greatest(
                neighbours.middle_price / neighbours.previous_price,
                neighbours.previous_price / neighbours.middle_price
            )
        ) as times_the_price
    from neighbours
    inner join rules
        on
            neighbours.started_at >= rules.valid_from
            and (neighbours.started_at < rules.valid_to or rules.valid_to is null)
    where
        {{ minutes_between('neighbours.previous_started_at', 'neighbours.started_at') }}
        <= rules.preceding_minutes
    group by neighbours.snapshot_id

),

judged as (

    select
        seen.*,
        unchanged.unchanged_since,
        round(
            {{ minutes_between('followed.previous_started_at', 'seen.started_at') }}, 3
        ) as minutes_since_last,
        case
            when
                seen.offers_distinct >= rules.frozen_offers
                and {{ minutes_unchanged }} >= rules.frozen_minutes
                and seen.offers_distinct * {{ minutes_unchanged }} >= rules.frozen_offer_minutes
                then 'frozen'
        end as frozen_reason,
        case when compared.times_the_price > rules.price_leap then 'price_leap' end as leap_reason,
        case
            when
                compared.previous_offers >= rules.collapsed_offers
                and compared.times_fewer > rules.collapsed
                then 'collapsed'
        end as collapse_reason,
        -- Of the smallest total that its pages announced.
        case
            when
                seen.is_complete
                and seen.offers_missing > floor(
                    rules.announces_more
                    * (seen.offers_distinct + seen.offers_unnumbered + seen.offers_missing)
                )
                then 'announces_more'
        end as note
    from seen
    inner join followed on seen.snapshot_id = followed.snapshot_id
    left join unchanged on seen.snapshot_id = unchanged.snapshot_id
    left join compared on seen.snapshot_id = compared.snapshot_id
    inner join rules
        on
            seen.started_at >= rules.valid_from
            and (seen.started_at < rules.valid_to or rules.valid_to is null)

),

final as (

    select
        snapshot_id,
        run_id,
        fiat_code,
        asset_code,
        side,
        fiat_code || '/' || asset_code as trading_pair,
        incomplete_reason,
        case
            when not is_complete then 'incomplete'
            when coalesce(faults, frozen_reason, leap_reason, collapse_reason) is not null
                then 'suspect'
            else 'trusted'
        end as quality_verdict,
        nullif(
            concat_ws(
                ', ', incomplete_reason, faults, frozen_reason, leap_reason, collapse_reason, note
            ),
            ''
        ) as quality_reasons,
        faults,
        same_as_snapshot_id,
        fingerprint,
        announced_total,
        offers_seen,
        offers_distinct,
        offers_unnumbered,
        offers_missing,
        offers_foreign::integer as offers_foreign,
        offers_rejected::integer as offers_rejected,
        offers_of_wrong_side::integer as offers_of_wrong_side,
        duplicates,
        pages,
        requests,
        cleaned_characters,
        minutes_since_last,
        middle_price,
        is_complete,
        is_unchanged,
        started_at,
        finished_at,
        unchanged_since,
        load_id
    from judged

)

select * from final
