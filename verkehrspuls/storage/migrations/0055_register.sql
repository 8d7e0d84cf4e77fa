-- What engineers register over the web, and more of what they register.

alter table vp.site drop constraint site_status_check;
update vp.site set status = 'dismantled' where status = 'retired';
alter table vp.site
    add column lanes smallint check (lanes between 1 and 20),
    add constraint site_status_check
        check (status in ('planned', 'active', 'out-of-service', 'dismantled'));
alter table vp.channel
    add column bearing_deg smallint check (bearing_deg between 0 and 359);
comment on column vp.channel.bearing_deg is
    'Direction of travel in degrees, clockwise from north.';
alter table vp.sensor
    add column owner vp.words not null default '',
    add column serial vp.words not null default '',
    add column firmware vp.words not null default '',
    add column power text not null default ''
        check (power in ('', 'mains', 'battery', 'solar')),
    add column status text not null default 'active'
        check (status in ('planned', 'active', 'out-of-service', 'dismantled'));
comment on column vp.sensor.serial is 'Serial number, or DevEUI.';

select vp.show('site', vp.seen_by('audience'));
select vp.show('channel', vp.seen_by('audience'));
select vp.show('sensor', vp.seen_by('installation'),
               '{topic,profile,owner,serial,firmware,power}', vp.seen_by('own town'));

-- Who may `register` in a municipality changes what is registered of it, and who may
-- `settings` the municipality itself.
do $$
declare
    registers constant text := $rule$
        municipality_id = any((select shown.may('register'))::integer[]) $rule$;
begin
    perform vp.let_act('municipality', $rule$
        municipality_id = any((select shown.may('settings'))::integer[]) $rule$);
    perform vp.let_act('site', registers);
    perform vp.let_act('sensor', registers);
    perform vp.let_act('corridor', registers);
    perform vp.let_act('junction', registers);
    perform vp.let_act('local_event', registers);
    perform vp.let_act('channel', $rule$
        exists (select from vp.site s where s.site_id = channel.site_id) $rule$);
    perform vp.let_act('installation', $rule$
        exists (select from vp.sensor e where e.sensor_id = installation.sensor_id)
        and exists (select from vp.channel c
                    where c.channel_id = installation.channel_id) $rule$);
    perform vp.let_act('corridor_station', $rule$
        exists (select from vp.corridor r
                where r.corridor_id = corridor_station.corridor_id)
        and exists (select from vp.site s where s.site_id = corridor_station.site_id)
        $rule$);
    perform vp.let_act('junction_arm', $rule$
        exists (select from vp.junction j where j.junction_id = junction_arm.junction_id)
        and exists (select from vp.site s where s.site_id = junction_arm.site_id) $rule$);
end $$;
grant select, update on vp.municipality to vp_actor;
grant select, insert, update on vp.sensor to vp_actor;
grant select, insert, update, delete
    on vp.site, vp.channel, vp.installation, vp.corridor, vp.corridor_station,
       vp.junction, vp.junction_arm, vp.local_event
    to vp_actor;

-- Whether the viewer changes what is registered of a municipality; a command of the
-- operator does.
create function shown.registers(town integer) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(session_user, current_user, 'usage')
        or town = any(shown.may('register'))
$$;
revoke execute on function shown.registers from public;
grant execute on function shown.registers to vp_reader, vp_actor;

-- A token may have the permission, too.
do $$
declare
    known text := (
        select conname from pg_constraint
        where conrelid = 'vp.api_token'::regclass and contype = 'c'
          and pg_get_constraintdef(oid) like '%readings,installation%');
begin
    execute format('alter table vp.api_token drop constraint %I', known);
end $$;
alter table vp.api_token
    add constraint api_token_permissions_known
        check (permissions <@ '{view,cases,register,readings,installation}'
               and permissions <> '{}');
