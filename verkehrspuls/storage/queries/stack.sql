-- What the embedded PostgreSQL is asked by its supervisor, and `doctor` by anyone.

-- name: data_directory
-- Which data the server that answers has: proof that it is ours.
show data_directory;

-- name: write_password
-- The statement that sets a role's password.
select format('alter role %%I password %%L', %(role)s::text, %(password)s::text);

-- name: let_create_databases
-- Tests make databases of their own.
alter role vp createdb;

-- name: database_exists
select exists (select from pg_database where datname = 'vp') as found;

-- name: create_database
create database vp owner vp;

-- name: server_version
show server_version;

-- name: storage_edition
-- The edition that the migrations found, and the one that is there now.
select edition, vp.detect_edition() as detected from vp.storage;

-- name: logins_above
-- Parts that are connected as a role that may do what only the owner may.
select distinct part, a.usename as role
from pg_stat_activity a
join pg_roles r on r.oid = a.usesysid
join pg_namespace n on n.nspname = 'vp'
cross join lateral (
    select case when a.application_name ~ '^ingest [0-9]{1,2}$' then 'ingest'
                when a.application_name ~ '^verkehrspuls (analytics|alerts)$'
                    then 'analytics'
                when a.application_name = 'verkehrspuls api' then 'api' end as part
) named
where a.datname = current_database() and part is not null
  and (r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, n.nspowner, 'member'))
order by part, role;

-- name: stale_bucket_count
-- What analytics still has to compute.
select count(*) as buckets from stale_bucket;

-- name: backend_state
-- What a process of the server does for a client that waits for it.
select state from pg_stat_activity where pid = %(pid)s::integer;
