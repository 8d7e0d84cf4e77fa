-- What became of a message, and of a moment of a channel.

-- name: attached_at
-- The sensors that were attached to a channel at a moment.
select e.key as sensor, e.name, i.output, e.interval_s
from installed i
join sensor e using (sensor_id)
where i.channel_id = %(channel_id)s and i.since <= %(at)s and i.until > %(at)s;

-- name: readings_at
-- The readings of a channel that cover a moment, what they replaced, too; the newest
-- first.
select r.time, r.interval_s, e.key as sensor, r.received_at, r.revision, r.replaced_at
from (
    {{select c.time, c.interval_s, c.sensor_id, c.received_at, c.revision,
             null::timestamptz as replaced_at
      from $readings c
      where c.channel_id = %(channel_id)s
        and c.time <= %(at)s and c.time > %(at)s::timestamptz - interval '25 hours'
      union all
      select h.time, h.interval_s, h.sensor_id, h.received_at, h.revision, h.replaced_at
      from $readings_history h
      where h.channel_id = %(channel_id)s
        and h.time <= %(at)s and h.time > %(at)s::timestamptz - interval '25 hours'
      union all}}
) r
left join sensor e using (sensor_id)
where r.time + make_interval(secs => r.interval_s) > %(at)s
order by r.replaced_at is not null, r.received_at desc
limit 20;

-- name: beside_at
-- Readings of the same moment that the sensors of a channel stored on other channels:
-- messages of that time came, and were decoded.
select distinct c.key as channel, r.received_at
from (select distinct o.sensor_id, o.channel_id
      from installed i
      join installed o on o.sensor_id = i.sensor_id
      where i.channel_id = %(channel_id)s and i.since <= %(at)s and i.until > %(at)s
        and o.channel_id <> i.channel_id) i
join channel c using (channel_id)
cross join lateral (
    {{select o.received_at, o.sensor_id, o.time, o.interval_s
      from $readings o
      where o.channel_id = i.channel_id
        and o.time <= %(at)s and o.time > %(at)s::timestamptz - interval '25 hours'
      union all}}
) r
where r.sensor_id = i.sensor_id and r.time + make_interval(secs => r.interval_s) > %(at)s
order by c.key
limit 10;

-- name: figures_at
-- The figures of a channel in which a moment is, the shortest first.
select f.time, f.interval_s, f.observed_s, f.valid
from (
    select v.time, v.interval_s, v.observed_s, v.valid
    from volume v
    where v.channel_id = %(channel_id)s and v.interval_s in (900, 3600)
      and v.time <= %(at)s and v.time > %(at)s::timestamptz - interval '1 hour'
    union all
    select h.time, 3600, h.observed_s, null
    from environment_hour h
    where h.channel_id = %(channel_id)s
      and h.time <= %(at)s and h.time > %(at)s::timestamptz - interval '1 hour'
    union all
    select l.time, l.interval_s, l.interval_s, null
    from (select channel_id, time, interval_s from long_volume
          union all
          select channel_id, time, interval_s from long_environment) l
    where l.channel_id = %(channel_id)s
      and l.time <= %(at)s and l.time > %(at)s::timestamptz - interval '25 hours'
) f
where f.time + make_interval(secs => f.interval_s) > %(at)s
order by f.interval_s;

-- name: left_out_at
-- Why a moment of a channel is left out of figures: a person excluded it, or its values
-- are suspected to be a fault.
select 'excluded' as why
from exclusion e
where e.channel_id = %(channel_id)s and e.began <= %(at)s and e.ended > %(at)s
union all
select f.fault
from vp.suspected(array[%(channel_id)s::integer], %(at)s,
                  %(at)s::timestamptz + interval '1 second') f
where f.began <= %(at)s and f.ended > %(at)s;

-- name: readings_of_message
-- The readings that a sensor's messages of one moment stored, and whether something
-- else replaced them since.
select s.key as site, s.name as site_name, c.key as channel, r.time, r.interval_s,
       r.revision, r.replaced_at
from (select distinct i.channel_id from installation i
      where i.sensor_id = %(sensor_id)s) i
join channel c using (channel_id)
join site s using (site_id)
cross join lateral (
    {{select o.time, o.interval_s, o.revision, null::timestamptz as replaced_at
      from $readings o
      where o.channel_id = i.channel_id and o.sensor_id = %(sensor_id)s
        and o.received_at = %(at)s
        and o.time > %(at)s::timestamptz - interval '32 days'
        and o.time < %(at)s::timestamptz + interval '1 day'
      union all
      select h.time, h.interval_s, h.revision, h.replaced_at
      from $readings_history h
      where h.channel_id = i.channel_id and h.sensor_id = %(sensor_id)s
        and h.received_at = %(at)s
        and h.time > %(at)s::timestamptz - interval '32 days'
        and h.time < %(at)s::timestamptz + interval '1 day'
      union all}}
) r
order by r.time, s.key, c.key
limit 200;
