-- Idempotent, since warehouses from before there were migrations have a part of it.
create table if not exists ops.runs (
    run_id text primary key,
    state text not null check (state in ('running', 'success', 'failed', 'stopped')),
    error text,
    breaker_state text,
    recovered text,
    books_listed integer,
    books_planned integer,
    books_read integer,
    books_complete integer,
    books_unchanged integer,
    books_cut_short integer,
    requests integer,
    retries integer,
    throttled integer,
    offers integer,
    pages integer,
    pages_landed integer,
    bytes bigint,
    cleaned_characters bigint,
    models_built integer,
    tests_failed integer,
    checks_failed integer,
    checks_warned integer,
    is_resumed boolean,
    seconds_by_step jsonb not null default '{}',
    incomplete_reasons jsonb not null default '{}',
    new_fields text[] not null default '{}',
    started_at timestamptz not null,
    finished_at timestamptz
);
alter table ops.runs add column if not exists blocked_seconds double precision;
alter table ops.runs add column if not exists breaker_opened integer;
alter table ops.runs add column if not exists requests_per_second double precision;
alter table ops.runs add column if not exists models_failed integer;
alter table ops.runs add column if not exists waited_seconds double precision;
alter table ops.runs add column if not exists requests_by_outcome jsonb not null default '{}';
alter table ops.runs add column if not exists request_seconds jsonb not null default '{}';
alter table ops.runs add column if not exists flow_run_id text;
alter table ops.runs add column if not exists is_simulated boolean;
comment on column ops.runs.is_simulated is
    'Whether what it landed came from a simulated exchange; null if it landed nothing.';
comment on table ops.runs is 'One row per cycle of the flow.';
comment on column ops.runs.flow_run_id is 'Prefect''s run, if the cycle was one.';
create index if not exists runs_started on ops.runs (started_at);
create table if not exists ops.catalogue_runs (
    run_id text primary key,
    state text not null check (state in ('running', 'success', 'failed', 'stopped')),
    error text,
    breaker_state text,
    breaker_opened integer,
    readings integer,
    requests integer,
    retries integer,
    throttled integer,
    bytes bigint,
    requests_per_second double precision,
    blocked_seconds double precision,
    waited_seconds double precision,
    requests_by_outcome jsonb not null default '{}',
    request_seconds jsonb not null default '{}',
    started_at timestamptz not null,
    finished_at timestamptz
);
alter table ops.catalogue_runs add column if not exists is_simulated boolean;
comment on table ops.catalogue_runs is
    'One row per run of the flow catalogue, which asks the exchange beside the cycles.';
create index if not exists catalogue_runs_started on ops.catalogue_runs (started_at);
create table if not exists ops.check_results (
    run_id text not null references ops.runs,
    suite text not null,
    name text not null,
    table_name text not null,
    severity text not null,
    success boolean not null,
    observed text,
    checked_at timestamptz not null default now(),
    primary key (run_id, suite, name)
);
comment on table ops.check_results is 'One row per cycle and expectation.';
create table if not exists ops.quarantined_loads (
    load_id text primary key,
    run_id text,
    reason text not null,
    quarantined_at timestamptz not null default now()
);
comment on table ops.quarantined_loads is
    'Loads that a check refused: kept in staging, never transformed.';
create table if not exists ops.drift (
    run_id text,
    kind text not null check (kind in ('new_key', 'gone_key', 'changed_type')),
    path text not null,
    what text not null,
    example text,
    snapshot_id text,
    first_seen_at timestamptz not null,
    primary key (run_id, kind, path)
);
comment on table ops.drift is
    'One row per key of an offer that came, went or changed its type, with the cycle that saw it.';
create index if not exists drift_first_seen on ops.drift (first_seen_at);
create table if not exists ops.project (
    is_only boolean primary key default true check (is_only),
    project_digest text not null,
    standing_digest text not null,
    built_at timestamptz not null default now()
);
comment on table ops.project is
    'The version of the dbt project that stands here, and what its views and seeds are.';
