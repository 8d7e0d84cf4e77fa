-- Which migrations were applied.

-- name: lock_migrations
-- One program migrates at a time; until the connection ends.
select pg_advisory_lock(hashtext('vp.migrate'));

-- name: make_migration_table
-- The schema may belong to somebody who made it for this role.
do $$
begin
    if to_regnamespace('vp') is null then
        create schema vp;
    end if;
    create table vp.migration (
        number integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now()
    );
    comment on table vp.migration is
        'The migrations that were applied, each with the SHA-256 of its file.';
end $$;

-- name: migration_tables
-- Alembic kept the number of the newest migration in a table of its own.
select to_regclass('vp.migration') is not null as own,
       to_regclass('vp.alembic_version') is not null as alembic,
       to_regclass('vp.role_permission') is not null as permissions;

-- name: applied_migrations
select number, checksum from migration;

-- name: alembic_revision
select max(version_num) as revision from vp.alembic_version;

-- name: note_alembic_revision
-- A program with Alembic then names a newer revision than its own, not none at all.
update vp.alembic_version set version_num = %(revision)s
where version_num <> %(revision)s;

-- name: note_migration
insert into vp.migration (number, name, checksum)
values (%(number)s, %(name)s, %(checksum)s);

-- name: put_permissions
-- What each role permits, as the program says.
with wanted as (
    select * from unnest(%(roles)s::text[], %(permissions)s::text[]) w(role, permission)
), gone as (
    delete from vp.role_permission p
    where (p.role, p.permission) not in (select w.role, w.permission from wanted w)
)
insert into vp.role_permission (role, permission)
select w.role, w.permission from wanted w
on conflict do nothing;
