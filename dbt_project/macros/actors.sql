{#-
    Runs the rewinding of `offer_lifecycles` to the horizon of each book that the claimed loads
    read: who was seen at or after it is told from his first version again; who was found missing
    there, or came back since, stands open again.
-#}
{% macro rewind_lifecycles() %}
    {%- set horizons = book_horizons(changed_only=false) -%}
    {% if is_incremental() %}
        {%- set of_book -%}
            told.fiat_code = horizons.fiat_code
            and told.asset_code = horizons.asset_code
            and told.side = horizons.side
        {%- endset %}
        {%- set earliest = '(select min(earliest.starts_at) from horizons as earliest)' %}
        with horizons as ({{ horizons }})

        delete from {{ this }} as told
        using horizons
        where
            {{ of_book }}
            and told.last_seen_at >= horizons.starts_at
            and (told.gone_at is null or told.gone_at between {{ earliest }} and 'infinity');

        with horizons as ({{ horizons }})

        update {{ this }} as told
        set gone_at = null
        from horizons
        where
            {{ of_book }}
            and told.gone_at >= horizons.starts_at
            and told.gone_at between {{ earliest }} and 'infinity';

        with horizons as ({{ horizons }}),

        standing as (

            select versions.adv_no
            from horizons
            {{ left_join_reading(
                ref('fact_snapshots'), 'preceding', 'horizons', 'before', 'horizons.starts_at'
            ) }}
            {{ join_versions_since(
                ref('fact_offers'), 'versions', 'horizons', ['fiat_code', 'asset_code', 'side'],
                'horizons.starts_at',
            ) }}
            where versions.valid_from > coalesce(preceding.started_at, '-infinity')

        )

        update {{ this }} as told
        set gone_at = null
        from horizons
        where
            {{ of_book }}
            and told.gone_at is not null
            and {{ is_among('told.adv_no', 'select standing.adv_no from standing') }}
    {% endif %}
{% endmacro %}

{#-
    Runs the undoing of `advertiser_days` where a reading came late: from its day on, if anybody was
    counted there at its time or later. Otherwise what is new comes after all that was counted, and
    is added to it.
-#}
{% macro rewind_advertiser_days() %}
    {%- set retold_days = since_day_of_horizon('day') -%}
    {%- set told_days = since_day_of_horizon('told.day') -%}
    {%- set counted_later = since_horizon('told.last_seen_at') -%}
    {% if is_incremental() %}
        delete from {{ this }}
        where
            {{ retold_days }}
            and exists (
                select 1
                from {{ this }} as told
                where
                    {{ told_days }}
                    and {{ counted_later }}
            )
    {% endif %}
{% endmacro %}

{#- Returns a condition: `column` lies after all that `advertiser_days` has counted. -#}
{% macro not_yet_counted(column) -%}
    {{ column }} between (
        select coalesce(max(told.last_seen_at) + interval '1 microsecond', '-infinity')
        from {{ this }} as told
        where told.day = (select max(latest.day) from {{ this }} as latest)
    ) and 'infinity'
{%- endmacro %}

{#-
    Returns a query of the days and books before the day of the horizon in which an offer vanished
    that the claimed loads show again: it is known now how much of it came back.
-#}
{% macro days_of_the_returned() -%}
    {%- set snapshots = ref('fact_snapshots') -%}
    {%- set offers = ref('fact_offers') -%}
    {%- set retold = since_day_of_horizon('gone.started_at', is_time=true) -%}
    with horizons as ({{ book_horizons(changed_only=false) }})

    select distinct
        {{ utc_day('gone.started_at') }} as day,
        versions.fiat_code,
        versions.asset_code,
        versions.side
    from horizons
    {{ left_join_reading(snapshots, 'preceding', 'horizons', 'before', 'horizons.starts_at') }}
    {{ join_versions_since(
        offers, 'versions', 'horizons', ['fiat_code', 'asset_code', 'side'], 'horizons.starts_at'
    ) }}
    {{ left_join_sighting(
        offers, snapshots, 'seen', 'versions', 'before', 'versions.valid_from'
    ) }}
    {{ left_join_reading(
        snapshots, 'gone', 'versions', 'after', "seen.valid_to - interval '1 microsecond'"
    ) }}
    where
        versions.valid_from > coalesce(preceding.started_at, '-infinity')
        and not ({{ retold }})
{%- endmacro %}

{#-
    Runs the undoing of `turnover_days` from the day of the horizon on, and of the days and books of
    `days_of_the_returned`, which stay in a table `returned_days` for the model.
-#}
{% macro rewind_turnover() %}
    {%- set returned = days_of_the_returned() -%}
    {%- set retold = since_day_of_horizon('day') -%}
    {% if is_incremental() %}
        {{ hold_query('returned_days', returned) }};

        delete from {{ this }} where {{ retold }};

        delete from {{ this }} as turnover
        using returned_days as returned
        where
            turnover.day = returned.day
            and turnover.fiat_code = returned.fiat_code
            and turnover.asset_code = returned.asset_code
            and turnover.side = returned.side
    {% endif %}
{% endmacro %}
