{#-
    Which loads a model has taken in: the watermark is a set of load ids, never a time, so that
    late, replayed and clock-shifted loads are met like any other.

    `ops.quarantined_loads` loads that a check refused; the flow writes it
    `ops.admitted_loads`    loads that the transform may read: finished, and not quarantined
    `ops.transformed_loads` model x load: what each incremental model has taken in
    `ops.retold_loads`      loads whose claims `p2p rebuild --from` took back, until a whole build
                            was green: what they bring stands in sums already

    A model claims its loads in a pre-hook, inside the transaction that writes its rows: killed in
    between, both are undone. Claims never outrun those of the models it looks things up in.
-#}

{#- Runs the statements that make the tables of the ledger, where they are missing. -#}
{% macro prepare_ledger() %}
    {# To ask for a schema that is there takes a right to make it, which a role need not have. #}
    {% if not execute or not adapter.check_schema_exists(target.database, 'ops') %}
        create schema if not exists ops;
    {% endif %}
    create table if not exists ops.admitted_loads (
        load_id text primary key,
        admitted_at timestamptz not null default now()
    );
    create table if not exists ops.transformed_loads (
        model text not null,
        load_id text not null,
        invocation_id text not null,
        transformed_at timestamptz not null default now(),
        primary key (model, load_id)
    );
    create index if not exists transformed_loads_by_invocation
    on ops.transformed_loads (invocation_id, model);
    create table if not exists ops.loads_under_test (load_id text primary key);
    create table if not exists ops.retold_loads (load_id text primary key)
{% endmacro %}

{#-
    Runs the statement that admits every finished load, once a run, so that all models see the same
    ones. A load that brings a reading of a day whose raw pages were dropped stays out: to tell it,
    its book would have to be told again from pages that are gone.
-#}
{% macro admit_loads() %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% set loads = source('binance_p2p', '_dlt_loads') %}
        {% if not adapter.get_relation(loads.database, loads.schema, loads.identifier) %}
            {{ exceptions.raise_compiler_error(
                'Nothing has landed yet: run `p2p run` or `p2p demo` first.'
            ) }}
        {% endif %}
        {% set snapshots = graph.sources['source.p2p.binance_p2p.snapshots'].relation_name %}
        {% set dropped = adapter.get_relation(loads.database, loads.schema, 'page_partitions') %}
        {% set quarantined = adapter.get_relation(loads.database, 'ops', 'quarantined_loads') %}
        with

        admitted as (

            insert into ops.admitted_loads (load_id)
            select loads.load_id
            from {{ loads }} as loads
            where
                loads.status = 0
                {% if quarantined %}
                    and not exists (
                        select 1
                        from {{ quarantined }} as refused
                        where refused.load_id = loads.load_id
                    )
                {% endif %}
                {% if dropped %}
                    and not exists (
                        select 1
                        from {{ snapshots }} as readings
                        where
                            readings._dlt_load_id = loads.load_id
                            and readings.started_at < (
                                select {{ start_of_day('max(gone.to_day)') }}
                                from {{ dropped }} as gone
                                where gone.dropped_at is not null
                            )
                    )
                {% endif %}
            on conflict (load_id) do nothing
            returning load_id

        )

        insert into ops.loads_under_test (load_id)
        select admitted.load_id
        from admitted
        on conflict (load_id) do nothing
    {% endif %}
{% endmacro %}

{#-
    Runs the claim of every admitted load that the model has not taken in, and all of `after` have.
-#}
{% macro claim_loads(after=[]) %}
    {% if is_incremental() %}
        {# Two builds at once would append the same versions: the second waits and finds nothing. #}
        lock table {{ this }} in share row exclusive mode;
    {% else %}
        delete from ops.transformed_loads where model = '{{ this.identifier }}';
    {% endif %}
    insert into ops.transformed_loads (model, load_id, invocation_id)
    select
        '{{ this.identifier }}',
        admitted.load_id,
        '{{ invocation_id }}'
    from ops.admitted_loads as admitted
    where
        not exists (
            select 1
            from ops.transformed_loads as taken
            where taken.model = '{{ this.identifier }}' and taken.load_id = admitted.load_id
        )
        {% for model in after %}
            and exists (
                select 1
                from ops.transformed_loads as taken
                where taken.model = '{{ model }}' and taken.load_id = admitted.load_id
            )
        {% endfor %}
    on conflict (model, load_id) do nothing
{% endmacro %}

{#- Returns a query of the load ids that this model claimed in this run. -#}
{% macro claimed_loads() -%}
    select claimed.load_id
    from ops.transformed_loads as claimed
    where claimed.model = '{{ this.identifier }}' and claimed.invocation_id = '{{ invocation_id }}'
{%- endmacro %}
