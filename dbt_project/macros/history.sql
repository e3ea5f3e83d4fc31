{#-
    History by book and by advertiser: what an incremental run has to rebuild, and the undoing of
    it.

    A load may bring a reading that lies before what is already processed (a late or replayed page).
    So each run first takes every book it touches back to its horizon, the earliest reading that is
    new to the model, and processes it again from there: the result is that of a rebuild, whatever
    the order of loads. In the ordinary case the horizon is this cycle, with nothing to undo.
-#}

{#- Returns a query of the books that the claimed loads read, each with its horizon `starts_at`. -#}
{% macro book_horizons(changed_only=true) -%}
    select
        snapshots.fiat_code,
        snapshots.asset_code,
        snapshots.side,
        min(snapshots.started_at) as starts_at
    from {{ ref('stg_binance_p2p__snapshots') }} as snapshots
    where
        {{ 'not snapshots.is_unchanged' if changed_only else 'true' }}
        {% if is_incremental() %}
            and {{ is_among('snapshots.load_id', claimed_loads()) }}
        {% endif %}
    group by snapshots.fiat_code, snapshots.asset_code, snapshots.side
{%- endmacro %}

{#-
    Returns a query of the readings to tell: those of the books of `horizons`, from each horizon on.
-#}
{% macro readings_since(horizons, changed_only=true) -%}
    select snapshots.*
    from {{ ref('stg_binance_p2p__snapshots') }} as snapshots
    {% if is_incremental() %}
        inner join {{ horizons }} as horizons
            on
                snapshots.fiat_code = horizons.fiat_code
                and snapshots.asset_code = horizons.asset_code
                and snapshots.side = horizons.side
                and snapshots.started_at >= horizons.starts_at
    {% endif %}
    where
        {{ 'not snapshots.is_unchanged' if changed_only else 'true' }}
        {% if is_incremental() %}
            and snapshots.started_at >= (
                select min(earliest.starts_at) from {{ horizons }} as earliest
            )
        {% endif %}
{%- endmacro %}

{#-
    Runs the undoing of a table of book history: what began at or after the horizon goes, what ended
    there stands again.
-#}
{% macro rewind_books(begins='valid_from', ends=none, changed_only=true) %}
    {% if is_incremental() %}
        with horizons as ({{ book_horizons(changed_only) }})

        delete from {{ this }} as told
        using horizons
        where
            told.fiat_code = horizons.fiat_code
            and told.asset_code = horizons.asset_code
            and told.side = horizons.side
            and told.{{ begins }} >= horizons.starts_at
            and told.{{ begins }} >= (select min(earliest.starts_at) from horizons as earliest)
        {% if ends %}
            ;
            with horizons as ({{ book_horizons(changed_only) }})

            update {{ this }} as told
            set {{ ends }} = null
            from horizons
            where
                told.fiat_code = horizons.fiat_code
                and told.asset_code = horizons.asset_code
                and told.side = horizons.side
                and told.{{ ends }} >= horizons.starts_at
                and told.{{ ends }} >= (select min(earliest.starts_at) from horizons as earliest)
        {% endif %}
    {% endif %}
{% endmacro %}

{#-
    Returns a query of one time: the earliest reading with pages in the claimed loads, or the
    earliest of all. An advertiser shows up in many books, so advertisers are rebuilt from one
    horizon for all.
-#}
{% macro horizon(changed_only=true) -%}
    select min(snapshots.started_at) as starts_at
    from {{ ref('stg_binance_p2p__snapshots') }} as snapshots
    where
        {{ 'not snapshots.is_unchanged' if changed_only else 'true' }}
        {% if is_incremental() %}
            and {{ is_among('snapshots.load_id', claimed_loads()) }}
        {% endif %}
{%- endmacro %}

{#- Runs the undoing of a table of advertisers' versions from the horizon on. -#}
{% macro rewind_advertisers(changed_only=true) %}
    {%- set starts_at = horizon(changed_only) -%}
    {% if is_incremental() %}
        delete from {{ this }} where valid_from >= ({{ starts_at }});
        update {{ this }} set valid_to = null where valid_to >= ({{ starts_at }})
    {% endif %}
{% endmacro %}

{#- Returns a query of the readings from the horizon on: those with pages, or all. -#}
{% macro readings_since_horizon(changed_only=true) -%}
    select snapshots.*
    from {{ ref('stg_binance_p2p__snapshots') }} as snapshots
    where
        {{ 'not snapshots.is_unchanged' if changed_only else 'true' }}
        {% if is_incremental() %}
            and snapshots.started_at >= ({{ horizon(changed_only) }})
        {% endif %}
{%- endmacro %}

{#- Returns a condition: some of `loads`, a query, were told before (`p2p rebuild --from`). -#}
{% macro are_retold(loads) -%}
    exists (
        select 1
        from ops.retold_loads as retold
        where {{ is_among('retold.load_id', loads) }}
    )
{%- endmacro %}
