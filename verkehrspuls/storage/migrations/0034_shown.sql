-- What a viewer sees: views in the schema `shown`, each named as the table that it shows.
-- The web logs in as a role that may read these views and no table; see
-- docs/adr/0012-access.md.

-- For whom a site is, as one number: 0 everybody, -1 the towns of the cluster, else its
-- own municipality. A channel has that of its site, so that a reading is decided on with
-- one look.
alter table vp.site
    add column audience integer not null generated always as (
        case visibility when 'public' then 0 when 'cluster' then -1
                        else municipality_id end) stored,
    add unique (site_id, audience);
alter table vp.channel add column audience integer;
update vp.channel c set audience = s.audience from vp.site s where s.site_id = c.site_id;
alter table vp.channel
    alter column audience set not null,
    add foreign key (site_id, audience) references vp.site (site_id, audience)
        on update cascade;
comment on column vp.channel.audience is 'That of its site.';

create function vp.take_audience() returns trigger language plpgsql as $$
begin
    new.audience := (select s.audience from vp.site s where s.site_id = new.site_id);
    return new;
end $$;
create trigger take_audience before insert on vp.channel
    for each row execute function vp.take_audience();

create schema shown;
grant create, usage on schema shown to vp_shown;
grant usage on schema vp to vp_shown;
comment on schema shown is 'What a viewer sees of the tables of `vp`.';

-- The audiences that the viewer of this transaction belongs to. The setting `vp.viewer` is
-- the SHA-256 of a credential in hex: without the credential nobody can set the right one.
create function shown.audiences() returns integer[]
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
    viewer text := current_setting('vp.viewer', true);
begin
    if viewer is null or viewer !~ '^[0-9a-f]{64}$' then
        return '{0}';
    end if;
    return coalesce(
        (select array[0, -1, t.municipality_id]
         from vp.api_token t
         where t.sha256 = decode(viewer, 'hex')
           and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())),
        '{0}');
end $$;

-- Whether all sites of a corridor or junction are seen: asked with the rights of the owner,
-- because of a site that is not seen nothing else is known.
create function shown.sees_corridor(corridor integer) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select not exists (
        select from vp.corridor_station p
        join vp.site s using (site_id)
        where p.corridor_id = corridor and s.audience <> all(shown.audiences()))
$$;
create function shown.sees_junction(junction integer) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select not exists (
        select from vp.junction_arm p
        join vp.site s using (site_id)
        where p.junction_id = junction and s.audience <> all(shown.audiences()))
$$;

-- Which rows `t` of a table are shown, by what they are of. A rule that asks another table
-- asks for the rows of it that are shown; only that of a channel is for series as well.
create function vp.seen_by(what text) returns text language sql immutable as $$
    select replace(rule, 'mine', 'any((select shown.audiences())::integer[])')
    from (values
        ('everybody', 'true'),
        -- with a credential
        ('somebody', '0 <> mine'),
        ('audience', 't.audience = mine'),
        ('channel', 'exists (
            select from vp.channel c
            where c.channel_id = t.channel_id and c.audience = mine)'),
        ('site', 'exists (select from vp.site s where s.site_id = t.site_id)'),
        ('own town', 't.municipality_id = mine'),
        ('town', '(t.municipality_id = mine or exists (
            select from vp.site s where s.municipality_id = t.municipality_id))'),
        ('own sensor', 'exists (
            select from vp.sensor e
            where e.sensor_id = t.sensor_id and e.municipality_id = mine)'),
        ('sensor', 'exists (select from vp.sensor e where e.sensor_id = t.sensor_id)'),
        ('installation', '(t.municipality_id = mine or exists (
            select from vp.installation i where i.sensor_id = t.sensor_id))'),
        ('case', 'exists (
            select from vp.anomaly_case a where a.anomaly_case_id = t.anomaly_case_id)'),
        ('corridor', 'shown.sees_corridor(t.corridor_id)'),
        ('junction', 'shown.sees_junction(t.junction_id)')
    ) as known (of, rule)
    where of = what
$$;

-- Who works across towns is not concerned by row security; nor is the owner.
create function vp.guard(guarded text) returns void language plpgsql as $$
begin
    execute format('alter table vp.%I enable row level security', guarded);
    execute format('drop policy if exists working on vp.%I', guarded);
    execute format(
        'create policy working on vp.%I to vp_ingest, vp_analytics using (true)', guarded);
end $$;

-- Show a table's rows `t` for which a rule holds. Columns of `own` are null but in rows of
-- the viewer's own municipalities, by the second rule. Called again after a column was
-- added.
--
-- A table has row security, and its view belongs to the role whom that is for: the view
-- becomes part of the query, whose plan is that of the table. A series, which may be
-- compressed, has a view that is a barrier.
create function vp.show(
    shown text, rule text, own text[] default '{}', own_rule text default 'false')
returns void language plpgsql as $$
declare
    of_table boolean := exists (
        select from pg_class
        where oid = format('vp.%I', shown)::regclass and relkind = 'r'
    ) and not exists (select from vp.series s where s.series = shown);
    columns text := (
        select string_agg(
            case when a.attname = any(own)
                 then format('case when %s then t.%I end as %2$I', own_rule, a.attname)
                 else format('t.%I', a.attname) end, ', ' order by a.attnum)
        from pg_attribute a
        where a.attrelid = format('vp.%I', shown)::regclass and a.attnum > 0
          and not a.attisdropped);
begin
    if of_table then
        perform vp.guard(shown);
        execute format('drop policy if exists shown on vp.%I', shown);
        execute format(
            'create policy shown on vp.%I for select to vp_shown using (%s)',
            shown, replace(rule, 't.', quote_ident(shown) || '.'));
        execute format('grant select on vp.%I to vp_shown', shown);
        execute format(
            'create or replace view shown.%1$I as select %2$s from vp.%1$I t', shown, columns);
        execute format('alter view shown.%I owner to vp_shown', shown);
    else
        execute format(
            'create or replace view shown.%1$I with (security_barrier) as '
            'select %2$s from vp.%1$I t where %3$s', shown, columns, rule);
    end if;
    execute format('grant select on shown.%I to vp_reader, vp_actor', shown);
end $$;

-- Functions that queries of viewers call, too: they name tables without a schema, so that
-- the search path says whether tables are read or what is shown of them.
drop function vp.case_stands(vp.anomaly_case, timestamptz, integer);
drop function vp.is_open(vp.anomaly_case);

-- Whether a case is open: not withdrawn, and nobody explained or rejected it.
create function vp.is_open(withdrawn_at timestamptz, state text) returns boolean
language sql stable as $$
    select withdrawn_at is null and state in ('suspected', 'confirmed')
$$;

-- How a case stands at a time: `current` is to be looked at, because its cause lasts or
-- ended no more than `days` ago; `older` was, but nobody decided it; `history` never
-- was, because it had ended for longer than that when it was found, as in what is
-- imported; `closed` is what was withdrawn, explained or rejected.
create function vp.case_stands(
    withdrawn_at timestamptz, state text, ended timestamptz, opened_at timestamptz,
    at timestamptz, days integer)
returns text language sql stable as $$
    select case
        when not vp.is_open(withdrawn_at, state) then 'closed'
        when ended > at - make_interval(days => days) then 'current'
        when ended > opened_at - make_interval(days => days) then 'older'
        else 'history'
    end
$$;

-- What is suspected to be a fault of a sensor, and what persons say of it. A view of its
-- own: who sees a channel sees its faults, wherever the case begins that they are part of.
create view vp.fault as
select e.channel_id, e.began, e.ended, e.reason, a.state
from vp.case_member e
join vp.anomaly_case a using (anomaly_case_id)
where e.is_fault and e.withdrawn_at is null and a.withdrawn_at is null;
comment on view vp.fault is
    'Spans that are suspected to be a fault of a sensor, with the state of their case.';

-- As in 0033_ranks.sql.
create or replace function vp.suspected(
    of_channels integer[], since timestamptz, until timestamptz)
returns table (channel_id integer, began timestamptz, ended timestamptz, fault text)
language sql stable as $$
    select f.channel_id, f.began, f.ended, f.reason
    from fault f
    where f.channel_id = any(of_channels) and f.state = 'suspected'
      and f.began < until and f.ended > since
    union all
    select h.channel_id, span.began, span.ended, h.verdict
    from channel_health h
    join channel c using (channel_id)
    join site s using (site_id)
    join municipality m using (municipality_id)
    cross join lateral (
        select h.day::timestamp at time zone m.time_zone as began,
               (h.day + 1)::timestamp at time zone m.time_zone as ended
    ) span
    where h.channel_id = any(of_channels) and h.is_fault
      and h.day >= (since at time zone m.time_zone)::date
      and h.day <= (until at time zone m.time_zone)::date
      and span.began < until and span.ended > since
      and not exists (
          -- a case contains the hours, or a person said what it is
          select from fault f
          where f.channel_id = h.channel_id
            and f.began < span.ended and f.ended > span.began)
$$;

-- As in 0025_case_standing.sql.
create or replace function vp.newest_reading(of_channel integer, before timestamptz)
returns timestamptz language sql stable as $$
    select coalesce(
        (select max(newest.time) from (
            (select r.time from count_reading r
             where r.channel_id = of_channel and r.time < before
             order by r.time desc limit 1)
            union all
            (select r.time from environment_reading r
             where r.channel_id = of_channel and r.time < before
             order by r.time desc limit 1)) newest),
        (select max(newest.time) from (
            (select v.time from volume v
             where v.channel_id = of_channel and v.interval_s = 3600 and v.time < before
             order by v.time desc limit 1)
            union all
            (select h.time from environment_hour h
             where h.channel_id = of_channel and h.time < before
             order by h.time desc limit 1)
            union all
            (select v.time from long_volume v
             where v.channel_id = of_channel and v.time < before
             order by v.time desc limit 1)
            union all
            (select e.time from long_environment e
             where e.channel_id = of_channel and e.time < before
             order by e.time desc limit 1)) newest))
$$;

-- As in 0029_newest_readings.sql.
create or replace function vp.newest_reading_since(of_channel integer, known timestamptz)
returns table (newest_reading_at timestamptz) language sql stable as $$
    select coalesce(max(newer.time), known)
    from (
        (select r.time from count_reading r
         where r.channel_id = of_channel and r.time < now()
           and r.time > coalesce(known, '-infinity')
         order by r.time desc limit 1)
        union all
        (select r.time from environment_reading r
         where r.channel_id = of_channel and r.time < now()
           and r.time > coalesce(known, '-infinity')
         order by r.time desc limit 1)) newer
$$;

-- As in 0032_shared_queries.sql.
create or replace function vp.last_heard(of_sensor integer, below_slot integer default null)
returns table (last_received_at timestamptz, slot smallint, used boolean, rejected boolean)
language sql stable as $$
    select l.last_received_at, l.slot,
           l.slot < 100 and l.readings_received > l.readings_rejected,
           l.slot < 100 and l.messages_rejected > 0
    from ledger l
    where l.sensor_id = of_sensor and l.hour <= now()
      and (below_slot is null or l.slot < below_slot)
    order by l.hour desc, l.last_received_at desc
    limit 1
$$;

select vp.show(of.shown, vp.seen_by(of.what))
from (values
    ('municipality', 'town'), ('site', 'audience'), ('channel', 'audience'),
    ('sensor_status', 'sensor'), ('corridor', 'corridor'), ('corridor_station', 'corridor'),
    ('junction', 'junction'), ('junction_arm', 'junction'),
    ('count_reading', 'channel'), ('count_reading_history', 'channel'),
    ('environment_reading', 'channel'), ('environment_reading_history', 'channel'),
    ('newest_reading', 'channel'), ('ambiguous', 'channel'),
    ('volume', 'channel'), ('long_volume', 'channel'), ('speed_histogram', 'channel'),
    ('environment_hour', 'channel'), ('long_environment', 'channel'),
    ('imputed_hour', 'channel'), ('forecast', 'channel'), ('daily_figure', 'site'),
    ('channel_health', 'channel'), ('exclusion', 'channel'), ('fault', 'channel'),
    ('anomaly_case', 'site'), ('case_member', 'channel'), ('case_event', 'case'),
    ('sparkplug_birth', 'somebody'),
    ('school_holiday', 'everybody'), ('time_zone', 'everybody'), ('change', 'everybody'),
    ('ledger_reject_sum', 'everybody')) as of (shown, what);
-- so that the web can say that some are missing; there is no such table where Alembic was
select vp.show('migration', vp.seen_by('everybody'))
where to_regclass('vp.migration') is not null;
select vp.show(shown, 't.sensor_id is null or ' || vp.seen_by('sensor'))
from unnest(array['ledger', 'ledger_reject', 'ledger_field']) as shown;
select vp.show('ledger_sum', 't.municipality_id is null or ' || vp.seen_by('town'));
select vp.show('local_event', vp.seen_by('town') || ' and (t.site_id is null or '
                              || vp.seen_by('site') || ')');
select vp.show('sensor', vp.seen_by('installation'), '{topic,profile}', vp.seen_by('own town'));
select vp.show('installation', vp.seen_by('channel'), '{mapping}',
               vp.seen_by('own sensor'));
-- as in 0032_shared_queries.sql
create view shown.installed as
select i.installation_id, i.sensor_id, i.channel_id, i.output, i.period, i.mapping,
       greatest('1970-01-01', least('2200-01-01', lower(i.period))) as since,
       greatest('1970-01-01', least('2200-01-01', upper(i.period))) as until
from shown.installation i;
alter view shown.installed owner to vp_shown;
grant select on shown.installed to vp_reader, vp_actor;

-- Numbers about the whole installation, which everybody may see.

-- What is left to compute, and how long ago the newest committed message came from a
-- broker: what is imported or replayed is no sign of one that still sends.
create function shown.work()
returns table (
    stale_buckets bigint, since_last_commit_s double precision,
    certificate_ends timestamptz)
language sql stable security definer set search_path = vp, pg_catalog as $$
    select (select count(*) from stale_bucket),
           (select extract(epoch from now() - max(newest.last_received_at))
            from (
                (select l.last_received_at
                 from sensor e
                 cross join lateral last_heard(e.sensor_id, 100) l)
                union all
                (select l.last_received_at
                 from ledger l
                 where l.sensor_id is null and l.hour <= now() and l.slot < 100
                 order by l.hour desc, l.last_received_at desc
                 limit 1)
            ) newest)::double precision,
           (select min(certificate_ends) from ingest_session)
$$;

-- When ingest received the last message of any sensor, by its clock.
create function shown.newest_receipt() returns timestamptz
language sql stable security definer set search_path = vp, pg_catalog as $$
    select max(newest.last_received_at)
    from sensor e
    cross join lateral (
        select l.last_received_at from ledger l
        where l.sensor_id = e.sensor_id
        order by l.hour desc, l.last_received_at desc
        limit 1
    ) newest
$$;

-- Messages that failed more than once or that nobody sends, how long the oldest of them
-- has waited, and those of the last two days that were given up.
create function shown.alerts_held_up()
returns table (waiting bigint, oldest_s double precision, given_up bigint)
language sql stable security definer set search_path = vp, pg_catalog as $$
    select count(*) filter (where waits),
           extract(epoch from now() - min(created_at) filter (where waits))::float8,
           count(*) filter (where not waits)
    from (
        select created_at, given_up is null as waits
        from alert
        where sent_at is null
          and (given_up is null
                   and (attempts > 1 or due_at < now() - interval '5 minutes')
               or created_at > now() - interval '2 days'
                  and given_up not in ('withdrawn before it was told', 'no address is set'))
    ) held_up
$$;

-- Whether messages of the last day belong to no sensor, or an installed sensor with a
-- topic of its own never sent.
create function shown.senders_missing() returns boolean
language sql stable security definer set search_path = vp, pg_catalog as $$
    select exists (
               select from ledger_reject
               where hour > now() - interval '1 day' and sensor_id is null
                 and reason in ('unknown-sensor', 'unknown-topic')
           ) or exists (
               select from sensor e
               where e.topic is not null
                 and exists (select from installation i
                             where i.sensor_id = e.sensor_id and i.period @> now())
                 and not exists (select from ledger l where l.sensor_id = e.sensor_id))
$$;

-- Whether sensors of another municipality than this one listen to a topic.
create function shown.is_heard_elsewhere(topic text, municipality text) returns boolean
language sql stable security definer set search_path = vp, pg_catalog as $$
    select exists (
        select from municipality m
        where m.key <> is_heard_elsewhere.municipality
          and vp.shared_by(is_heard_elsewhere.topic, m.key, null))
$$;

-- Worker slots of the last day: when they last wrote, and whether a worker serves them.
create function shown.slots()
returns table (
    slot smallint, committed_at timestamptz, drained boolean, sessions_lost integer,
    session_lost_at timestamptz, certificate_ends timestamptz, guessable boolean,
    served boolean)
language sql stable security definer set search_path = vp, pg_catalog as $$
    select slot, committed_at, drained_at is not null, sessions_lost,
           session_lost_at, certificate_ends,
           coalesce(client_id = 'verkehrspuls-ingest-' || slot, false),
           exists (
               select from pg_locks
               where locktype = 'advisory' and granted and objsubid = 2
                 and database = (select oid from pg_database
                                 where datname = current_database())
                 and classid::bigint = hashtext('vp.ingest.slot')::bigint & 4294967295
                 and objid::bigint = slot)
    from ingest_slot left join ingest_session using (slot)
    where slot < 100 and committed_at > now() - interval '1 day'
    order by slot
$$;

grant usage on schema vp, shown to vp_reader, vp_actor;

-- Where the viewer of this transaction may do something, as municipalities.
create function shown.may(what text) returns integer[]
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(array_agg(t.municipality_id), '{}')
    from vp.api_token t
    where t.sha256 = decode(current_setting('vp.viewer', true), 'hex')
      and t.purpose = what
      and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
$$;

revoke execute on all functions in schema shown from public;
grant execute on all functions in schema shown to vp_shown, vp_reader, vp_actor;

-- What is changed over the web, by the credential.
create function vp.let_act(guarded text, rule text) returns void language plpgsql as $$
begin
    perform vp.guard(guarded);
    execute format(
        'create policy acting on vp.%I to vp_actor using (%s)', guarded, rule);
end $$;

do $$
declare
    own_token constant text := $rule$
        sha256 = decode(current_setting('vp.viewer', true), 'hex') $rule$;
    own_request constant text := $rule$
        api_token_id in (select t.api_token_id from vp.api_token t) $rule$;
    -- at a site of a municipality whose cases the viewer may decide
    decided constant text := $rule$
        exists (select from shown.site s
                where s.site_id = anomaly_case.site_id
                  and s.municipality_id = any((select shown.may('cases'))::integer[])) $rule$;
    of_decided constant text := $rule$
        exists (select from vp.anomaly_case a
                where a.anomaly_case_id = case_event.anomaly_case_id) $rule$;
begin
    perform vp.let_act('api_token', own_token);
    perform vp.let_act('idempotent_request', own_request);
    perform vp.let_act('anomaly_case', decided);
    perform vp.let_act('case_event', of_decided);
end $$;

grant select, update (last_used_at) on vp.api_token to vp_actor;
grant select, insert, update, delete on vp.idempotent_request to vp_actor;
grant select, update (state, effect, updated_at) on vp.anomaly_case to vp_actor;
grant select, insert on vp.case_event to vp_actor;
grant insert on vp.stale_bucket to vp_actor;

-- Whoever changes what pages show has no right to what notes it.
alter function vp.note_change() security definer set search_path = pg_catalog;

-- One after the other changes the cases of a municipality: analytics, and each person.
create function vp.lock_municipality(locked integer) returns void
language sql security definer set search_path = pg_catalog as $$
    select from vp.municipality m where m.municipality_id = locked for no key update
$$;
revoke execute on function vp.lock_municipality(integer) from public;
grant execute on function vp.lock_municipality(integer) to vp_actor, vp_analytics;
