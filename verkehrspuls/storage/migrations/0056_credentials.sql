-- Credentials of sensors at the broker. This table says who has one, and the broker is
-- brought to it; see docs/adr/0014-credentials.md.
create table vp.credential (
    credential_id integer primary key generated always as identity,
    -- NULL: of a network server or gateway, which publishes for many under `topics`
    municipality_id integer references vp.municipality,
    sensor_id integer references vp.sensor,
    user_name text not null check (length(user_name) <= 150),
    topics text[] not null default '{}',
    -- whoever asked opens `sealed` with the key that belongs to it
    public_key bytea check (length(public_key) = 32),
    sealed bytea,
    hash text,
    issued_at timestamptz not null default now(),
    issued_by text not null default '',
    applied_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    removed_at timestamptz,
    check ((sensor_id is null) = (municipality_id is null)),
    check ((sensor_id is null) = (topics <> '{}'))
);
create unique index on vp.credential (user_name) where removed_at is null;
create index on vp.credential (sensor_id);
create index on vp.credential (municipality_id);
comment on table vp.credential is
    'Credentials at the broker; passwords only as the hash that the broker compares.';
comment on column vp.credential.public_key is
    'X25519 key to which the password is sealed for whoever asked; NULL when collected.';
comment on column vp.credential.sealed is
    'The password, readable only by whoever asked; NULL when collected.';
comment on column vp.credential.applied_at is 'When the broker accepted it; NULL: due.';
comment on column vp.credential.expires_at is 'End of the overlap after a rotation.';
comment on column vp.credential.removed_at is 'When the broker was rid of it.';

-- The user name is the sensor's, with a number after it while others have it: old and
-- new are both valid in the overlap, also at brokers with one password for a user.
create function vp.before_credential() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    stem text;
begin
    if new.sensor_id is not null then
        select s.municipality_id, m.key || '/' || s.key
        into new.municipality_id, stem
        from vp.sensor s join vp.municipality m using (municipality_id)
        where s.sensor_id = new.sensor_id;
        perform pg_advisory_xact_lock(hashtext('credential'), new.sensor_id);
        select case when n = 1 then stem else stem || '/' || n end into new.user_name
        from generate_series(1, 1000) n
        where not exists (
            select from vp.credential c
            where c.removed_at is null
              and c.user_name = case when n = 1 then stem else stem || '/' || n end)
        order by n limit 1;
    end if;
    new.issued_by := (select a.name from vp.actor() a);
    return new;
end $$;
revoke execute on function vp.before_credential from public;
create trigger before_credential before insert on vp.credential
    for each row execute function vp.before_credential();

-- Who may `register` asks for credentials, opens them and ends them; only whoever
-- administrates the broker applies them.
select vp.guard('credential');
create policy reading on vp.credential for select to vp_reader, vp_actor
    using (municipality_id = any((select shown.may('register'))::integer[]));
create policy asking on vp.credential for insert to vp_actor
    with check (municipality_id = any((select shown.may('register'))::integer[]));
create policy ending on vp.credential for update to vp_actor
    using (municipality_id = any((select shown.may('register'))::integer[]));
grant select (
    credential_id, municipality_id, sensor_id, user_name, topics, public_key, sealed,
    issued_at, issued_by, applied_at, expires_at, revoked_at, removed_at)
    on vp.credential to vp_reader, vp_actor;
grant insert (sensor_id, public_key) on vp.credential to vp_actor;
grant update (sealed, public_key, expires_at, revoked_at) on vp.credential to vp_actor;
grant select, update (hash, sealed, applied_at, removed_at) on vp.credential to vp_ingest;

select vp.watch('credential', 'credential', $place$
    select (select m.key from municipality m
            where m.municipality_id = entry.municipality_id)::text,
           entry.user_name, '{}'::jsonb $place$,
    array['public_key', 'sealed', 'hash', 'issued_at', 'issued_by', 'applied_at',
          'removed_at']);
