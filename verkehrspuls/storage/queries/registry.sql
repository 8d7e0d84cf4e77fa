-- Writing and reading the registry.

-- name: put_municipality
-- Insert or update a municipality; returns its id.
insert into municipality (key, name, state, time_zone, licence, simulated, imprint,
                          privacy, contact, latitude, longitude)
values (%(key)s, %(name)s, %(state)s, %(time_zone)s, %(licence)s, %(simulated)s,
        %(imprint)s, %(privacy)s, %(contact)s, %(latitude)s, %(longitude)s)
on conflict (key) do update set
    name = excluded.name, state = excluded.state, time_zone = excluded.time_zone,
    licence = excluded.licence, simulated = excluded.simulated,
    imprint = excluded.imprint, privacy = excluded.privacy, contact = excluded.contact,
    latitude = excluded.latitude, longitude = excluded.longitude, removed_at = null
returning municipality_id;

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

-- name: put_site
-- Insert or update a site; returns its id.
insert into site (municipality_id, key, name, road, place, latitude, longitude,
                  speed_limit_kmh, visibility)
values (%(municipality_id)s, %(key)s, %(name)s, %(road)s, %(place)s, %(latitude)s,
        %(longitude)s, %(speed_limit_kmh)s, %(visibility)s)
on conflict (municipality_id, key) do update set
    name = excluded.name, road = excluded.road, place = excluded.place,
    latitude = excluded.latitude, longitude = excluded.longitude,
    speed_limit_kmh = excluded.speed_limit_kmh, visibility = excluded.visibility
returning site_id;

-- name: keep_site
-- Insert a site; one that is registered stays as it is. Returns its id.
insert into site (municipality_id, key, name, road, place, latitude, longitude,
                  speed_limit_kmh, visibility)
values (%(municipality_id)s, %(key)s, %(name)s, %(road)s, %(place)s, %(latitude)s,
        %(longitude)s, %(speed_limit_kmh)s, %(visibility)s)
on conflict (municipality_id, key) do update set key = excluded.key
returning site_id;

-- name: put_channel
-- Insert or update a channel; returns its id. What it measures never changes.
insert into channel (site_id, key, name, quantity, direction, direction_name, lane,
                     thresholds)
values (%(site_id)s, %(key)s, %(name)s, %(quantity)s, %(direction)s,
        %(direction_name)s, %(lane)s, %(thresholds)s)
on conflict (site_id, key) do update set
    name = excluded.name, direction = excluded.direction,
    direction_name = excluded.direction_name, lane = excluded.lane,
    thresholds = excluded.thresholds
where channel.quantity = excluded.quantity
returning channel_id;

-- name: keep_channel
-- Insert a channel; one that is registered stays as it is. Returns its id.
insert into channel (site_id, key, name, quantity, direction, direction_name, lane,
                     thresholds)
values (%(site_id)s, %(key)s, %(name)s, %(quantity)s, %(direction)s,
        %(direction_name)s, %(lane)s, %(thresholds)s)
on conflict (site_id, key) do update set key = excluded.key
where channel.quantity = excluded.quantity
returning channel_id;

-- name: put_sensor
-- Insert or update a sensor; returns its id.
insert into sensor (municipality_id, key, name, model, payload_format, interval_s,
                    class_scheme, topic, profile)
values (%(municipality_id)s, %(key)s, %(name)s, %(model)s, %(payload_format)s,
        %(interval_s)s, %(class_scheme)s, %(topic)s, %(profile)s)
on conflict (municipality_id, key) do update set
    name = excluded.name, model = excluded.model,
    payload_format = excluded.payload_format, interval_s = excluded.interval_s,
    class_scheme = excluded.class_scheme, topic = excluded.topic,
    profile = excluded.profile, removed_at = null
returning sensor_id;

-- name: clear_installations
-- Forget the installations of a sensor but those that stay as they are.
delete from installation i
where i.sensor_id = %(sensor_id)s
  and not exists (
      select from unnest(%(channels)s::integer[], %(outputs)s::text[],
                         %(since)s::timestamptz[], %(until)s::timestamptz[],
                         %(mappings)s::jsonb[])
          as stays (channel_id, output, since, until, mapping)
      where (stays.channel_id, stays.output, tstzrange(stays.since, stays.until))
            = (i.channel_id, i.output, i.period)
        and stays.mapping is not distinct from i.mapping);

-- name: put_installation
-- Attach a sensor's output to a channel for a period, unless it is.
insert into installation (sensor_id, channel_id, output, period, mapping)
select %(sensor_id)s, %(channel_id)s, %(output)s, tstzrange(%(since)s, %(until)s),
       %(mapping)s::jsonb
where not exists (
    select from installation i
    where (i.sensor_id, i.channel_id, i.output, i.period)
          = (%(sensor_id)s, %(channel_id)s, %(output)s,
             tstzrange(%(since)s, %(until)s)));

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

-- name: put_corridor
-- Insert or update a corridor; returns its id.
insert into corridor (municipality_id, key, name)
values (%(municipality_id)s, %(key)s, %(name)s)
on conflict (municipality_id, key) do update set name = excluded.name
returning corridor_id;

-- name: clear_corridor
-- Remove a corridor's stations beyond the first `stations`.
delete from corridor_station
where corridor_id = %(corridor_id)s and station >= %(stations)s;

-- name: put_corridor_station
-- Insert or update a station of a corridor.
insert into corridor_station (corridor_id, station, site_id, direction, chainage_m)
values (%(corridor_id)s, %(station)s, %(site_id)s, %(direction)s, %(chainage_m)s)
on conflict (corridor_id, station) do update set
    site_id = excluded.site_id, direction = excluded.direction,
    chainage_m = excluded.chainage_m;

-- name: put_junction
-- Insert or update a junction; returns its id.
insert into junction (municipality_id, key, name)
values (%(municipality_id)s, %(key)s, %(name)s)
on conflict (municipality_id, key) do update set name = excluded.name
returning junction_id;

-- name: clear_junction
-- Remove a junction's arms but those that stay.
delete from junction_arm
where junction_id = %(junction_id)s
  and (site_id, direction, leads) not in (
      select * from unnest(%(sites)s::integer[], %(directions)s::text[],
                           %(leads)s::text[]));

-- name: put_junction_arm
-- Insert an arm of a junction, unless it is there.
insert into junction_arm (junction_id, site_id, direction, leads)
values (%(junction_id)s, %(site_id)s, %(direction)s, %(leads)s)
on conflict do nothing;

-- name: registrations
-- What is registered, each municipality in the form of a registration file.
select m.key, m.notice, jsonb_build_object(
    'key', m.key, 'name', m.name, 'state', m.state, 'time_zone', m.time_zone,
    'licence', m.licence, 'simulated', m.simulated, 'imprint', m.imprint,
    'privacy', m.privacy, 'contact', m.contact,
    'latitude', m.latitude, 'longitude', m.longitude,
    'sites', coalesce((
        select jsonb_agg(jsonb_build_object(
            'key', s.key, 'name', s.name, 'latitude', s.latitude,
            'longitude', s.longitude, 'road', s.road, 'place', s.place,
            'speed_limit_kmh', s.speed_limit_kmh, 'visibility', s.visibility,
            'channels', coalesce((
                select jsonb_agg(jsonb_build_object(
                    'key', c.key, 'name', c.name, 'quantity', c.quantity,
                    'direction', c.direction, 'direction_name', c.direction_name,
                    'lane', c.lane, 'thresholds', c.thresholds) order by c.key)
                from channel c where c.site_id = s.site_id), '[]')) order by s.key)
        from site s where s.municipality_id = m.municipality_id), '[]'),
    'sensors', coalesce((
        select jsonb_agg(jsonb_build_object(
            'key', e.key, 'name', e.name, 'model', e.model,
            'payload_format', e.payload_format, 'topic', e.topic,
            'profile', e.profile, 'interval_s', e.interval_s,
            'class_scheme', e.class_scheme,
            'installations', coalesce((
                select jsonb_agg(jsonb_build_object(
                    'site', s.key, 'channel', c.key, 'output', i.output,
                    'since', greatest('1970-01-01',
                                      least('2199-01-01', lower(i.period))),
                    'until', case when upper(i.period) < '2199-01-01'
                                  then greatest('1970-01-02', upper(i.period)) end,
                    'mapping', i.mapping) order by i.output, lower(i.period))
                from installation i
                join channel c using (channel_id)
                join site s using (site_id)
                where i.sensor_id = e.sensor_id), '[]')) order by e.key)
        from sensor e where e.municipality_id = m.municipality_id), '[]')) as town
from municipality m
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

-- name: taken_channel
-- The first of some installations at whose channel a sensor is at the time that is none
-- of theirs.
select wanted.number, e.key as sensor
from unnest(%(channels)s::integer[], %(since)s::timestamptz[], %(until)s::timestamptz[])
     with ordinality as wanted (channel_id, since, until, number)
join installation i on i.channel_id = wanted.channel_id
                   and i.period && tstzrange(wanted.since, wanted.until)
                   and i.sensor_id <> all(%(sensors)s::integer[])
join sensor e using (sensor_id)
order by wanted.number
limit 1;
