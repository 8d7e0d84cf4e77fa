-- What engineers do at sites and with sensors, with photographs.

create table vp.maintenance (
    maintenance_id integer primary key generated always as identity,
    municipality_id integer not null references vp.municipality,
    site_id integer references vp.site on delete cascade,
    sensor_id integer references vp.sensor on delete cascade,
    done_at timestamptz not null
        check (done_at >= '1970-01-01' and done_at < '2200-01-01'),
    kind text not null check (kind in ('inspection', 'cleaning', 'repair', 'alignment',
                                       'battery', 'firmware', 'other')),
    note text not null check (length(note) <= 2000),
    due_on date check (due_on >= '1970-01-01' and due_on < '2200-01-01'),
    noted_at timestamptz not null default now(),
    noted_by text not null default '',
    check (num_nonnulls(site_id, sensor_id) = 1)
);
create index on vp.maintenance (site_id, done_at);
create index on vp.maintenance (sensor_id, done_at);
create index on vp.maintenance (municipality_id);
comment on table vp.maintenance is 'Maintenance log: what was done at a site or with a sensor.';
comment on column vp.maintenance.due_on is
    'Day of the next maintenance; that of the newest entry holds.';

-- Photographs stand in the database, so that they are backed up and seen as their entry.
create table vp.photograph (
    photograph_id integer primary key generated always as identity,
    maintenance_id integer not null references vp.maintenance on delete cascade,
    -- JPEG, written anew without metadata
    image bytea not null check (length(image) between 100 and 4194304),
    width integer not null check (width > 0),
    height integer not null check (height > 0),
    added_at timestamptz not null default now()
);
create index on vp.photograph (maintenance_id);
alter table vp.photograph alter column image set storage external;
comment on table vp.photograph is 'Photographs of entries of the maintenance log.';

-- An entry is of the municipality of its site or sensor, and by whoever makes it.
create function vp.before_maintenance() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.municipality_id := coalesce(
        (select s.municipality_id from vp.site s where s.site_id = new.site_id),
        (select e.municipality_id from vp.sensor e where e.sensor_id = new.sensor_id));
    if tg_op = 'INSERT' then
        new.noted_by := (select a.name from vp.actor() a);
    end if;
    return new;
end $$;
revoke execute on function vp.before_maintenance from public;
create trigger before_maintenance before insert or update on vp.maintenance
    for each row execute function vp.before_maintenance();

-- Those who have a role in the municipality see it; who may `register` changes it.
select vp.show('maintenance', vp.seen_by('own town'));
select vp.show('photograph', $rule$
    exists (select from vp.maintenance n where n.maintenance_id = t.maintenance_id) $rule$);
do $$
begin
    perform vp.let_act('maintenance', $rule$
        municipality_id = any((select shown.may('register'))::integer[]) $rule$);
    perform vp.let_act('photograph', $rule$
        exists (select from vp.maintenance n
                where n.maintenance_id = photograph.maintenance_id) $rule$);
    perform vp.watch('maintenance', 'maintenance', $place$
        select m.key::text, m.key || '/' || coalesce(
                   (select s.key from site s where s.site_id = entry.site_id),
                   (select e.key from sensor e where e.sensor_id = entry.sensor_id), ''),
               '{}'::jsonb
        from municipality m where m.municipality_id = entry.municipality_id $place$,
        array['noted_at', 'noted_by']);
    perform vp.watch('photograph', 'photograph', $place$
        select m.key::text, m.key || '/' || entry.photograph_id, '{}'::jsonb
        from maintenance n join municipality m using (municipality_id)
        where n.maintenance_id = entry.maintenance_id $place$,
        array['image', 'added_at']);
end $$;
grant select, insert, update, delete on vp.maintenance to vp_actor;
grant select, insert, delete on vp.photograph to vp_actor;

-- Whether the viewer has a permission in a municipality; a command of the operator does.
create function shown.permits(what text, town integer) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(session_user, current_user, 'usage')
        or town = any(shown.may(what))
$$;
revoke execute on function shown.permits from public;
grant execute on function shown.permits to vp_reader, vp_actor;
