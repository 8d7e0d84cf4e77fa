-- Device profiles that a municipality keeps, beside those that come with the program.

create table vp.device_profile (
    municipality_id integer not null references vp.municipality on delete cascade,
    key text not null check (key ~ '^[a-z0-9-]{1,64}$'),
    document text not null check (length(document) between 1 and 100000),
    saved_at timestamptz not null default now(),
    saved_by vp.words not null default '',
    primary key (municipality_id, key)
);
comment on table vp.device_profile is 'Device profiles that a municipality keeps itself.';
comment on column vp.device_profile.document is 'The profile in TOML, as it was saved.';

-- It is saved now, and by whoever saves it.
create function vp.before_device_profile() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.saved_at := now();
    new.saved_by := left((select a.name from vp.actor() a), 200);
    return new;
end $$;
revoke execute on function vp.before_device_profile from public;
create trigger before_device_profile before insert or update on vp.device_profile
    for each row execute function vp.before_device_profile();

-- Who may `register` in the municipality sees and changes them. Nobody else does.
do $$
declare
    registers constant text := $rule$
        municipality_id = any((select shown.may('register'))::integer[]) $rule$;
begin
    perform vp.show('device_profile', registers);
    perform vp.let_act('device_profile', registers);
    perform vp.watch('device_profile', 'device_profile', $place$
        select m.key::text, m.key || '/' || entry.key, '{}'::jsonb
        from municipality m where m.municipality_id = entry.municipality_id $place$,
        array['saved_at', 'saved_by']);
end $$;
grant select, insert, update (document), delete on vp.device_profile to vp_actor;
