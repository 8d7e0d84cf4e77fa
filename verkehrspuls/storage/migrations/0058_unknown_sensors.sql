-- Engineers see the messages that no sensor of theirs took, and let them be replayed.

alter table vp.rejected_message add column municipality_id integer;
comment on column vp.rejected_message.municipality_id is
    'Whose sensor sent it; of an unknown one: under whose topics. NULL: nobody knows.';
update vp.rejected_message r
set municipality_id = coalesce(
    (select e.municipality_id from vp.sensor e where e.sensor_id = r.sensor_id),
    (select m.municipality_id from vp.municipality m
     where r.topic like 'vp/v1/%' and m.key = split_part(r.topic, '/', 3)));

-- What engineers see of the sensors of their towns, to bring them into service.
do $$
declare
    here constant text := 't.municipality_id = any((select shown.may(''register''))::integer[])';
    own_sensor constant text := $rule$
        exists (select from vp.sensor e
                where e.sensor_id = t.sensor_id
                  and e.municipality_id = any((select shown.may('register'))::integer[]))
        $rule$;
begin
    perform vp.show('rejected_message', here);
    perform vp.show('newest_message', own_sensor);
    perform vp.show('passed_over', own_sensor);
end $$;

-- Ingest replays, and says what it came to; of a message it changes nothing else.
create function vp.mark_replayed(
    ids bigint[], received timestamptz[], reasons text[], details text[], given_values jsonb[])
returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    marked integer;
begin
    update vp.rejected_message r
    set replayed_at = case when given.reason is null then now() end,
        attempts = r.attempts + 1, last_reason = given.reason, last_detail = given.detail,
        last_detail_values = given.detail_values
    from unnest(ids, received, reasons, details, given_values)
        as given (id, received_at, reason, detail, detail_values)
    where r.rejected_message_id = given.id and r.received_at = given.received_at
      and r.replayed_at is null;
    get diagnostics marked = row_count;
    return marked;
end $$;
revoke execute on function vp.mark_replayed from public;
grant execute on function vp.mark_replayed to vp_ingest;

create table vp.replay (
    replay_id integer primary key generated always as identity,
    municipality_id integer not null references vp.municipality on delete cascade,
    sensor_id integer not null references vp.sensor on delete cascade,
    asked_at timestamptz not null default now(),
    done_at timestamptz,
    messages integer not null default 0,
    used integer not null default 0,
    rejected integer not null default 0,
    cut integer not null default 0,
    failed text not null default ''
);
comment on table vp.replay is
    'Replays of the rejected messages of a sensor that engineers ask for; ingest does them.';
create unique index on vp.replay (sensor_id) where done_at is null;
create index on vp.replay (municipality_id);

create function vp.before_replay() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.municipality_id := (
        select e.municipality_id from vp.sensor e where e.sensor_id = new.sensor_id);
    return new;
end $$;
revoke execute on function vp.before_replay from public;
create trigger before_replay before insert on vp.replay
    for each row execute function vp.before_replay();

do $$
declare
    registers constant text := $rule$
        municipality_id = any((select shown.may('register'))::integer[]) $rule$;
begin
    perform vp.show('replay', registers);
    perform vp.let_act('replay', registers);
    perform vp.watch('replay', 'reject', $place$
        select m.key::text, m.key || '/' || e.key, '{}'::jsonb
        from sensor e join municipality m using (municipality_id)
        where e.sensor_id = entry.sensor_id $place$,
        array['asked_at', 'done_at', 'messages', 'used', 'rejected', 'cut', 'failed'],
        'insert', verb => 'replay');
end $$;
grant select, insert (sensor_id) on vp.replay to vp_actor;
grant select, update (done_at, messages, used, rejected, cut, failed)
    on vp.replay to vp_ingest;

-- As in 0030_ledger.sql; tables without a schema, because queries of viewers call it, too.
create or replace function vp.shared_by(topic text, municipality text, sensor text)
returns boolean
language sql stable parallel safe
as $$
    select exists (
        select from sensor s
        join municipality m using (municipality_id)
        where s.topic is not null and s.removed_at is null
          and m.key = shared_by.municipality
          and (shared_by.sensor is null or s.key = shared_by.sensor)
          and shared_by.topic ~ ('^' || replace(replace(replace(
              regexp_replace(s.topic, '([][\\.*?(){}|^$])', '\\\1', 'g'),
              '/#', '(/.*)?'), '#', '.*'), '+', '[^/]*') || '$'))
$$;
