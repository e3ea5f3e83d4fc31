{#-
    Returns a query of the rows of a landed table that the transform may read, one row a key: dlt
    loads a file twice when it is killed between the database's commit and its own marker. The load
    is in the key, so that a condition on it reaches the table's index through the view.

    `snapshots` is the landed table of readings, for a table whose rows belong to one: a reading
    that two loads brought counts once, with the pages of the first of them by its id.
-#}
{% macro admitted_rows(relation, key, snapshots=none) -%}
    {{ return(adapter.dispatch('admitted_rows', 'p2p')(relation, key, snapshots)) }}
{%- endmacro %}

{% macro default__admitted_rows(relation, key, snapshots) -%}
    select distinct on (landed._dlt_load_id, landed.{{ key | join(', landed.') }}) landed.*
    from {{ relation }} as landed
    where
        landed._dlt_load_id in (select admitted.load_id from ops.admitted_loads as admitted)
        {% if snapshots %}
            -- Asked for each row, by index: as a join it would read all readings for any few. And
            -- not by `=`, of which the planner expects one row in two hundred.
            and landed._dlt_load_id <= (
                select min(same._dlt_load_id)
                from {{ snapshots }} as same
                where
                    same.snapshot_id = landed.snapshot_id
                    and same._dlt_load_id in (
                        select admitted.load_id from ops.admitted_loads as admitted
                    )
            )
        {% endif %}
    order by landed._dlt_load_id, landed.{{ key | join(', landed.') }}
{%- endmacro %}

{#-
    Returns the word that has a common table expression worked out once. Opening pages is the
    dearest step, and a planner that expects one row of it may do it again for each row of another
    table.
-#}
{% macro once() -%}
    {{ return(adapter.dispatch('once', 'p2p')()) }}
{%- endmacro %}

{% macro default__once() -%}
    materialized
{%- endmacro %}

{#-
    Runs the refusal of a model that would be told from its beginning out of raw pages that are not
    all there any more: `p2p maintain` drops old days. Those that are there stay until it is built.
-#}
{% macro require_pages() -%}
    {{ return(adapter.dispatch('require_pages', 'p2p')()) }}
{%- endmacro %}

{% macro default__require_pages() %}
    {% if not is_incremental() %}
        lock table staging.pages in access share mode;
        do $check$
        declare
            first_day date;
        begin
            if to_regclass('staging.page_partitions') is not null then
                select max(to_day) into first_day
                from staging.page_partitions
                where dropped_at is not null;
            end if;
            if first_day is not null then
                raise exception
                    'The raw pages of before % were dropped, so {{ this.identifier }} cannot be '
                    'rebuilt from them: give the archive by P2P_ARCHIVE_URL and run p2p rebuild, '
                    'or tell what is there again by p2p rebuild --from %.',
                    first_day, first_day;
            end if;
        end
        $check$
    {% endif %}
{% endmacro %}
