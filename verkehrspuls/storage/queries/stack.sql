-- What the embedded PostgreSQL is asked by its supervisor, and `doctor` by anyone.

-- name: data_directory
-- Which data the server that answers has: proof that it is ours.
show data_directory;

-- name: role_exists
select exists (select from pg_roles where rolname = 'vp') as found;

-- name: create_role
-- The owner of the product's database; tests make databases of their own.
create role vp login createdb password %(password)s;

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
select count(*) as buckets from vp.stale_bucket;

-- name: backend_state
-- What a process of the server does for a client that waits for it.
select state from pg_stat_activity where pid = %(pid)s::integer;
