-- Writing and reading the registry.

-- part: town_id
(select m.municipality_id from municipality m where m.key = %(municipality)s)

-- name: is_permitted_here
-- Whether the viewer has a permission in a municipality; no row: it is not there.
select shown.permits(%(permission)s, municipality_id) as here
from municipality where key = %(municipality)s and removed_at is null;

-- name: lock_registration
-- Let nobody else change what is registered of a municipality until this transaction ends.
select vp.lock_municipality({{> town_id}});

-- name: put_municipality
-- Insert or update a municipality.
insert into vp.municipality (key, name, state, time_zone, licence, simulated, imprint,
                          privacy, contact, latitude, longitude)
values (%(key)s, %(name)s, %(state)s, %(time_zone)s, %(licence)s, %(simulated)s,
        %(imprint)s, %(privacy)s, %(contact)s, %(latitude)s, %(longitude)s)
on conflict (key) do update set
    name = excluded.name, state = excluded.state, time_zone = excluded.time_zone,
    licence = excluded.licence, simulated = excluded.simulated,
    imprint = excluded.imprint, privacy = excluded.privacy, contact = excluded.contact,
    latitude = excluded.latitude, longitude = excluded.longitude, removed_at = null;

-- name: change_municipality
-- Change a municipality that is registered.
update vp.municipality m set
    name = %(name)s, state = %(state)s, time_zone = %(time_zone)s,
    licence = %(licence)s, simulated = %(simulated)s, imprint = %(imprint)s,
    privacy = %(privacy)s, contact = %(contact)s, latitude = %(latitude)s,
    longitude = %(longitude)s
where m.key = %(key)s;

-- name: origin_of_readings
-- Whether a municipality that has readings is simulated; no row where it has none.
select m.simulated from municipality m
where m.key = %(key)s
  and exists (
      select from site s
      join channel c using (site_id)
      join installation i using (channel_id)
      join ledger l on l.sensor_id = i.sensor_id and l.readings_stored > 0
      where s.municipality_id = m.municipality_id);

-- name: municipality
-- One municipality by its key.
select key, name, state, time_zone, licence, simulated, imprint, privacy, contact,
       latitude, longitude
from municipality where key = %(key)s and removed_at is null;

-- name: put_sites
-- Insert or update sites of a municipality.
insert into vp.site (municipality_id, key, name, road, place, latitude, longitude,
                     speed_limit_kmh, lanes, visibility, status)
select {{> town_id}}, e.key, e.name, e.road, e.place, e.latitude, e.longitude,
       e.speed_limit_kmh, e.lanes, e.visibility, e.status
from jsonb_populate_recordset(null::vp.site, %(rows)s) e
on conflict (municipality_id, key) do update set
    name = excluded.name, road = excluded.road, place = excluded.place,
    latitude = excluded.latitude, longitude = excluded.longitude,
    speed_limit_kmh = excluded.speed_limit_kmh, lanes = excluded.lanes,
    visibility = excluded.visibility, status = excluded.status;

-- name: put_channels
-- Insert or update channels of a municipality. What one measures never changes.
insert into vp.channel (site_id, key, name, quantity, direction, direction_name,
                        bearing_deg, lane, thresholds)
select s.site_id, e.key, e.name, e.quantity, e.direction, e.direction_name,
       e.bearing_deg, e.lane, e.thresholds
from jsonb_array_elements(%(rows)s) as given (entry)
cross join jsonb_populate_record(null::vp.channel, given.entry) e
join vp.site s on s.municipality_id = {{> town_id}}
              and s.key = given.entry ->> 'site'
on conflict (site_id, key) do update set
    name = excluded.name, direction = excluded.direction,
    direction_name = excluded.direction_name, bearing_deg = excluded.bearing_deg,
    lane = excluded.lane, thresholds = excluded.thresholds;

-- name: put_sensors
-- Insert or update sensors of a municipality.
insert into vp.sensor (municipality_id, key, name, model, owner, serial, firmware, power,
                       status, payload_format, interval_s, class_scheme, topic, profile)
select {{> town_id}}, e.key, e.name, e.model, e.owner, e.serial, e.firmware,
       e.power, e.status, e.payload_format, e.interval_s, e.class_scheme, e.topic,
       e.profile
from jsonb_populate_recordset(null::vp.sensor, %(rows)s) e
on conflict (municipality_id, key) do update set
    name = excluded.name, model = excluded.model, owner = excluded.owner,
    serial = excluded.serial, firmware = excluded.firmware, power = excluded.power,
    status = excluded.status, payload_format = excluded.payload_format,
    interval_s = excluded.interval_s, class_scheme = excluded.class_scheme,
    topic = excluded.topic, profile = excluded.profile, removed_at = null;

-- part: given_installations
jsonb_to_recordset(%(rows)s) as given (
    sensor text, site text, channel text, output text, since timestamptz,
    until timestamptz, mapping jsonb, calibrations jsonb)
join vp.sensor e on e.municipality_id = {{> town_id}} and e.key = given.sensor

-- name: remove_installations
-- Detach outputs of sensors, each by the start of its period.
delete from vp.installation i
using {{> given_installations}}
where i.sensor_id = e.sensor_id and i.output = given.output
  and greatest('1970-01-01', lower(i.period)) = given.since;

-- name: change_installations
-- Change the end, the mapping or the calibrations of installations.
update vp.installation i
set period = tstzrange(lower(i.period), given.until), mapping = given.mapping,
    calibrations = given.calibrations
from {{> given_installations}}
where i.sensor_id = e.sensor_id and i.output = given.output
  and greatest('1970-01-01', lower(i.period)) = given.since;

-- name: put_installations
-- Attach outputs of sensors to channels, each for a period.
insert into vp.installation (sensor_id, channel_id, output, period, mapping,
                             calibrations)
select e.sensor_id, c.channel_id, given.output, tstzrange(given.since, given.until),
       given.mapping, given.calibrations
from {{> given_installations}}
join vp.site s on s.municipality_id = {{> town_id}} and s.key = given.site
join vp.channel c on c.site_id = s.site_id and c.key = given.channel;

-- name: outputs
-- Every output of every sensor with the channel it feeds, for the ingest worker.
select m.key as municipality, s.key as sensor, s.sensor_id, s.payload_format,
       s.class_scheme, s.interval_s, s.topic, s.profile, i.output, i.channel_id,
       i.mapping, c.quantity,
       coalesce(i.since, '2200-01-01') as since,
       coalesce(i.until, '2200-01-01') as until
from sensor s
join municipality m using (municipality_id)
left join installed i using (sensor_id)
left join channel c using (channel_id)
where s.removed_at is null
order by s.sensor_id, i.output, since;

-- name: foreign_topics
-- The topics of foreign formats, of a municipality or of all.
select m.key || '/' || s.key as sensor, s.payload_format, s.topic
from sensor s
join municipality m using (municipality_id)
where s.topic is not null
  and (%(municipality)s::text is null or m.key = %(municipality)s)
order by sensor;

-- name: used_entries
-- Which of some entries have readings, messages or decided cases, and so can only end.
select given.kind, given.key
from jsonb_to_recordset(%(rows)s) as given (kind text, key text)
left join site s on s.municipality_id = {{> town_id}}
                and s.key = split_part(given.key, '/', 1)
left join channel c on c.site_id = s.site_id and given.kind = 'channel'
                   and c.key = split_part(given.key, '/', 2)
left join sensor e on e.municipality_id = {{> town_id}} and e.key = given.key
where given.kind = 'channel' and vp.newest_reading(c.channel_id, 'infinity') is not null
   or given.kind = 'sensor' and exists (
       select from ledger l where l.sensor_id = e.sensor_id);

-- name: remove_corridors
-- Remove corridors, with their stations.
delete from vp.corridor r
using jsonb_to_recordset(%(rows)s) as given (key text)
where r.municipality_id = {{> town_id}} and r.key = given.key;

-- name: remove_junctions
-- Remove junctions, with their arms.
delete from vp.junction j
using jsonb_to_recordset(%(rows)s) as given (key text)
where j.municipality_id = {{> town_id}} and j.key = given.key;

-- name: remove_channels
-- Remove channels that were never used.
delete from vp.channel c
using vp.site s, jsonb_to_recordset(%(rows)s) as given (site text, key text)
where c.site_id = s.site_id and s.municipality_id = {{> town_id}}
  and s.key = given.site and c.key = given.key;

-- name: remove_unused_sites
-- Remove sites without channels.
delete from vp.site s
using jsonb_to_recordset(%(rows)s) as given (key text)
where s.municipality_id = {{> town_id}} and s.key = given.key;

-- name: remove_sensors
-- Take sensors that were never used out of the registry.
update vp.sensor e set removed_at = now()
from jsonb_to_recordset(%(rows)s) as given (key text)
where e.municipality_id = {{> town_id}} and e.key = given.key;

-- name: mark_installations
-- Mark the hours from a time until now: what is expected of the channels has changed.
insert into vp.stale_bucket (channel_id, hour)
select distinct c.channel_id, hour
from jsonb_to_recordset(%(rows)s) as given (site text, channel text, at timestamptz)
join vp.site s on s.municipality_id = {{> town_id}} and s.key = given.site
join vp.channel c on c.site_id = s.site_id and c.key = given.channel
cross join generate_series(date_trunc('hour', given.at, 'UTC'), now(), '1 hour') hour;

-- name: put_corridors
-- Insert or update corridors of a municipality.
insert into vp.corridor (municipality_id, key, name)
select {{> town_id}}, e.key, e.name
from jsonb_populate_recordset(null::vp.corridor, %(rows)s) e
on conflict (municipality_id, key) do update set name = excluded.name;

-- name: clear_stations
-- Remove stations beyond the last one of each corridor.
delete from vp.corridor_station t
using vp.corridor r, jsonb_array_elements(%(rows)s) as given (entry)
where t.corridor_id = r.corridor_id and r.municipality_id = {{> town_id}}
  and r.key = given.entry ->> 'key'
  and t.station >= jsonb_array_length(given.entry -> 'stations');

-- name: put_stations
-- Insert or update the stations of corridors, in their order.
insert into vp.corridor_station (corridor_id, station, site_id, direction, chainage_m)
select r.corridor_id, station.number - 1, s.site_id, station.entry ->> 'direction',
       (station.entry ->> 'chainage_m')::double precision
from jsonb_array_elements(%(rows)s) as given (entry)
cross join jsonb_array_elements(given.entry -> 'stations')
     with ordinality as station (entry, number)
join vp.corridor r on r.municipality_id = {{> town_id}}
                  and r.key = given.entry ->> 'key'
join vp.site s on s.municipality_id = {{> town_id}}
              and s.key = station.entry ->> 'site'
on conflict (corridor_id, station) do update set
    site_id = excluded.site_id, direction = excluded.direction,
    chainage_m = excluded.chainage_m;

-- name: put_junctions
-- Insert or update junctions of a municipality.
insert into vp.junction (municipality_id, key, name)
select {{> town_id}}, e.key, e.name
from jsonb_populate_recordset(null::vp.junction, %(rows)s) e
on conflict (municipality_id, key) do update set name = excluded.name;

-- part: given_arms
jsonb_array_elements(%(rows)s) as given (entry)
cross join jsonb_to_recordset(given.entry -> 'arms')
     as arm (site text, direction text, leads text)
join vp.junction j on j.municipality_id = {{> town_id}}
                  and j.key = given.entry ->> 'key'
join vp.site s on s.municipality_id = {{> town_id}} and s.key = arm.site

-- name: clear_arms
-- Remove the arms of junctions but those that stay.
delete from vp.junction_arm a
using vp.junction k, jsonb_array_elements(%(rows)s) as of (entry)
where a.junction_id = k.junction_id and k.municipality_id = {{> town_id}}
  and k.key = of.entry ->> 'key'
  and (a.junction_id, a.site_id, a.direction, a.leads) not in (
      select j.junction_id, s.site_id, arm.direction, arm.leads
      from {{> given_arms}});

-- name: put_arms
-- Insert the arms of junctions, unless they are there.
insert into vp.junction_arm (junction_id, site_id, direction, leads)
select j.junction_id, s.site_id, arm.direction, arm.leads
from {{> given_arms}}
on conflict do nothing;

-- name: registrations
-- What is registered, of a municipality or of all, each in the form of a registration
-- file. Columns that are no fields of it are left out.
select m.key, m.notice,
       to_jsonb(m) - array['municipality_id', 'notice', 'removed_at']
       || jsonb_build_object(
    'sites', coalesce((
        select jsonb_agg(
            to_jsonb(s) - array['site_id', 'municipality_id', 'since', 'until', 'audience']
            || jsonb_build_object('channels', coalesce((
                select jsonb_agg(
                    to_jsonb(c) - array['channel_id', 'site_id', 'audience']
                    order by c.key)
                from channel c where c.site_id = s.site_id), '[]')) order by s.key)
        from site s where s.municipality_id = m.municipality_id), '[]'),
    'sensors', coalesce((
        select jsonb_agg(
            to_jsonb(e) - array['sensor_id', 'municipality_id', 'removed_at']
            || jsonb_build_object('installations', coalesce((
                select jsonb_agg(jsonb_build_object(
                    'site', s.key, 'channel', c.key, 'output', i.output,
                    'since', greatest('1970-01-01',
                                      least('2199-01-01', lower(i.period))),
                    'until', case when upper(i.period) < '2199-01-01'
                                  then greatest('1970-01-02', upper(i.period)) end,
                    'mapping', i.mapping, 'calibrations', i.calibrations) order by i.output, lower(i.period))
                from installation i
                join channel c using (channel_id)
                join site s using (site_id)
                where i.sensor_id = e.sensor_id), '[]')) order by e.key)
        from sensor e
        where e.municipality_id = m.municipality_id and e.removed_at is null), '[]'),
    'corridors', coalesce((
        select jsonb_agg(jsonb_build_object(
            'key', r.key, 'name', r.name,
            'stations', (
                select jsonb_agg(jsonb_build_object(
                    'site', s.key, 'direction', t.direction, 'chainage_m', t.chainage_m)
                    order by t.station)
                from corridor_station t join site s using (site_id)
                where t.corridor_id = r.corridor_id)) order by r.key)
        from corridor r where r.municipality_id = m.municipality_id), '[]'),
    'junctions', coalesce((
        select jsonb_agg(jsonb_build_object(
            'key', j.key, 'name', j.name,
            'arms', (
                select jsonb_agg(jsonb_build_object(
                    'site', s.key, 'direction', a.direction, 'leads', a.leads)
                    order by s.key, a.direction, a.leads)
                from junction_arm a join site s using (site_id)
                where a.junction_id = j.junction_id)) order by j.key)
        from junction j where j.municipality_id = m.municipality_id), '[]')) as town
from municipality m
where m.removed_at is null
  and (%(municipality)s::text is null or m.key = %(municipality)s)
order by m.key;

-- name: unlike_intervals
-- Sensors whose newest reading of the last two days has another interval than they are
-- registered with.
select m.key as municipality, e.key as sensor, e.interval_s as registered_s,
       min(newest.interval_s) as sent_s
from sensor e
join municipality m using (municipality_id)
join installation i using (sensor_id)
cross join lateral (
    (select r.interval_s, r.sensor_id from count_reading r
     where r.channel_id = i.channel_id and r.time > now() - interval '2 days'
     order by r.time desc limit 1)
    union all
    (select r.interval_s, r.sensor_id from environment_reading r
     where r.channel_id = i.channel_id and r.time > now() - interval '2 days'
     order by r.time desc limit 1)
) newest
where newest.sensor_id = e.sensor_id and newest.interval_s <> e.interval_s
group by m.key, e.key, e.interval_s
order by m.key, e.key;

-- name: rename_site
-- Give a site another key; the old one leads to it.
with renamed as (
    update vp.site s set key = %(new)s
    where s.municipality_id = {{> town_id}} and s.key = %(site)s
    returning s.municipality_id, s.site_id
), freed as (
    delete from vp.site_redirect r
    where r.municipality_id = {{> town_id}} and r.key = %(new)s
)
insert into vp.site_redirect (municipality_id, key, site_id)
select municipality_id, %(site)s, site_id from renamed
on conflict (municipality_id, key) do update set site_id = excluded.site_id;

-- name: move_channels
-- Move channels of a site, by their keys, to another site of the municipality.
select shown.move_channels(array_agg(c.channel_id), (
    select t.site_id from site t
    where t.municipality_id = {{> town_id}} and t.key = %(into)s))
from channel c
join site s using (site_id)
where s.municipality_id = {{> town_id}} and s.key = %(site)s
  and c.key = any(%(channels)s)
having count(*) > 0;

-- name: lead_to_site
-- Let what named a site name another one: stations, arms, events, the maintenance log
-- and earlier keys.
with stations as (
    update vp.corridor_station t set site_id = {{> into_id}}
    where t.site_id = {{> from_id}}
), arms as (
    update vp.junction_arm a set site_id = {{> into_id}}
    where a.site_id = {{> from_id}}
), events as (
    update vp.local_event e set site_id = {{> into_id}}
    where e.site_id = {{> from_id}}
), counts as (
    update vp.manual_count n set site_id = {{> into_id}}
    where n.site_id = {{> from_id}}
), log as (
    update vp.maintenance n set site_id = {{> into_id}}
    where n.site_id = {{> from_id}}
), earlier as (
    update vp.site_redirect r set site_id = {{> into_id}}
    where r.site_id = {{> from_id}}
)
insert into vp.site_redirect (municipality_id, key, site_id)
select {{> town_id}}, %(site)s, {{> into_id}}
on conflict (municipality_id, key) do update set site_id = excluded.site_id;

-- part: from_id
(select f.site_id from site f
 where f.municipality_id = {{> town_id}} and f.key = %(site)s)

-- part: into_id
(select t.site_id from site t
 where t.municipality_id = {{> town_id}} and t.key = %(into)s)

-- name: led_to
-- The key of the site to which an earlier key leads.
select s.key
from site_redirect r
join municipality m using (municipality_id)
join site s using (site_id)
where m.key = %(municipality)s and r.key = %(site)s;
