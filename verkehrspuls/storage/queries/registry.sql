-- Writing and reading the registry.

-- name: put_municipality
-- Insert or update a municipality; returns its id.
insert into municipality (key, name, state, time_zone, licence, latitude, longitude)
values (%(key)s, %(name)s, %(state)s, %(time_zone)s, %(licence)s, %(latitude)s,
        %(longitude)s)
on conflict (key) do update set
    name = excluded.name, state = excluded.state, time_zone = excluded.time_zone,
    licence = excluded.licence, latitude = excluded.latitude,
    longitude = excluded.longitude
returning municipality_id;

-- name: municipality
-- One municipality by its key.
select key, name, state, time_zone, licence, latitude, longitude
from municipality where key = %(key)s;

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
    profile = excluded.profile
returning sensor_id;

-- name: clear_installations
-- Forget a sensor's installations, before they are registered again.
delete from installation where sensor_id = %(sensor_id)s;

-- name: put_installation
-- Attach a sensor's output to a channel for a period.
insert into installation (sensor_id, channel_id, output, period, mapping)
values (%(sensor_id)s, %(channel_id)s, %(output)s, tstzrange(%(since)s, %(until)s),
        %(mapping)s);

-- name: outputs
-- Every output of every sensor with the channel it feeds, for the ingest worker.
select m.key as municipality, s.key as sensor, s.sensor_id, s.payload_format,
       s.class_scheme, s.interval_s, s.topic, s.profile, i.output, i.channel_id,
       i.mapping, c.quantity, lower(i.period) as since, upper(i.period) as until
from sensor s
join municipality m using (municipality_id)
left join installation i using (sensor_id)
left join channel c using (channel_id)
order by s.sensor_id, i.output, since;

-- name: put_corridor
-- Insert or update a corridor; returns its id.
insert into corridor (municipality_id, key, name)
values (%(municipality_id)s, %(key)s, %(name)s)
on conflict (municipality_id, key) do update set name = excluded.name
returning corridor_id;

-- name: clear_corridor
-- Remove a corridor's stations, to be put anew.
delete from corridor_station where corridor_id = %(corridor_id)s;

-- name: put_corridor_station
-- Insert a station of a corridor.
insert into corridor_station (corridor_id, station, site_id, direction, chainage_m)
values (%(corridor_id)s, %(station)s, %(site_id)s, %(direction)s, %(chainage_m)s);

-- name: put_junction
-- Insert or update a junction; returns its id.
insert into junction (municipality_id, key, name)
values (%(municipality_id)s, %(key)s, %(name)s)
on conflict (municipality_id, key) do update set name = excluded.name
returning junction_id;

-- name: clear_junction
-- Remove a junction's arms, to be put anew.
delete from junction_arm where junction_id = %(junction_id)s;

-- name: put_junction_arm
-- Insert an arm of a junction.
insert into junction_arm (junction_id, site_id, direction, leads)
values (%(junction_id)s, %(site_id)s, %(direction)s, %(leads)s);
