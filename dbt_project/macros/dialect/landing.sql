{#-
    Returns a query of the rows of a landed table that the transform may read, one row a key: dlt
    loads a file twice when it is killed between the database's commit and its own marker. The load
    stands in the key, so that a condition on it reaches the table's index through the view.
-#}
{% macro admitted_rows(relation, key) -%}
    {{ return(adapter.dispatch('admitted_rows', 'p2p')(relation, key)) }}
{%- endmacro %}

{% macro default__admitted_rows(relation, key) -%}
    select distinct on (_dlt_load_id, {{ key | join(', ') }}) *
    from {{ relation }}
    where _dlt_load_id in (select admitted.load_id from ops.admitted_loads as admitted)
    order by _dlt_load_id, {{ key | join(', ') }}
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
