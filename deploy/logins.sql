-- Who logs in, beside the owner: the worker, a member of the two roles that `p2p init` made to
-- write, and the analyst. Run by psql as the owner, again at each start; passwords come from files.
\set ON_ERROR_STOP on
\set QUIET on
\set worker_password `cat "$SECRETS"/worker_password`
\set analyst_password `cat "$SECRETS"/analyst_password`

-- A statement that is refused would go to the server's log with the password in it.
set log_min_error_statement = panic;
set log_statement = none;
set client_min_messages = warning;
set log_min_duration_statement = -1;

select not exists (select from pg_roles where rolname = 'worker') as is_new \gset
\if :is_new
    create role worker login;
\endif
alter role worker login nosuperuser nocreatedb nocreaterole password :'worker_password';
alter role analyst password :'analyst_password';
grant loader, transformer to worker;
grant connect on database :"DBNAME" to worker;
