{{
    config(
        pre_hook=[
            '{{ claim_loads(["arbitrage_cycles"]) }}',
            '{{ rewind_walks() }}',
            '{{ join_by_hash() }}',
        ],
    )
}}

with

rules as {{ once() }} (

    {{ rule_thresholds(ref('arbitrage_rules'), arbitrage_rule_names()) }}

),

runs as {{ once() }} (

    select
        run_id,
        min(started_at) as began_at,
        max(started_at) as as_of
    from {{ ref('fact_snapshots') }}
    {% if is_incremental() %}
        where {{ is_among('run_id', touched_walks()) }}
    {% endif %}
    group by run_id

),

legs as (

    {{ p2p_legs('runs', 'rules') }}

),

edges as (

    select
        run_id,
        count(distinct snapshot_id)::integer as n_books,
        count(*)::integer as n_edges,
        min(snapshot_at) as oldest_edge_at,
        max(snapshot_at) as newest_edge_at
    from legs
    group by run_id

),

cycles as (

    select
        run_id,
        count(*)::integer as n_cycles,
        count(*) filter (where is_credited)::integer as n_credited,
        count(*) filter (where is_credited and net_pct > 0)::integer as n_above_zero,
        max(net_pct) filter (where is_credited and not uses_official_fx) as best_net_pct
    from {{ ref('arbitrage_cycles') }}
    {% if is_incremental() %}
        where {{ is_among('run_id', touched_walks()) }}
    {% endif %}
    group by run_id

),

final as (

    select
        runs.run_id,
        coalesce(edges.n_books, 0) as n_books,
        coalesce(edges.n_edges, 0) as n_edges,
        coalesce(cycles.n_cycles, 0) as n_cycles,
        coalesce(cycles.n_credited, 0) as n_credited,
        coalesce(cycles.n_above_zero, 0) as n_above_zero,
        cycles.best_net_pct,
        trim_scale(extract(epoch from runs.as_of - runs.began_at)::numeric) as duration_seconds,
        edges.oldest_edge_at,
        edges.newest_edge_at,
        runs.as_of
    from runs
    left join edges on runs.run_id = edges.run_id
    left join cycles on runs.run_id = cycles.run_id

)

select * from final
