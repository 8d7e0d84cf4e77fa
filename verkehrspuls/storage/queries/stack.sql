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

-- name: stale_bucket_count
-- What analytics still has to compute.
select count(*) as buckets from stale_bucket;

-- name: backend_state
-- What a process of the server does for a client that waits for it.
select state from pg_stat_activity where pid = %(pid)s::integer;
