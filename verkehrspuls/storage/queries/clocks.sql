-- Clocks: that of the database, of ingest, and those of sensors.

-- name: clock
-- What time it is for the database.
select clock_timestamp() as now;

-- name: newest_receipt
select shown.newest_receipt() as received_at;

-- name: sensor_clocks
-- Of each sensor, or of one municipality or sensor, how long after the end of their
-- intervals its newest readings were received: the median, and the last one. Only
-- readings whose time is the device's. Those of the future are looked at besides
-- others, because a clock that was ahead may have been mended.
select m.key as municipality, e.key as sensor, e.name,
       count(*)::integer as readings, max(r.received_at) as received_at,
       percentile_cont(0.5) within group (order by r.late_s) as offset_s,
       (array_agg(r.late_s order by r.received_at desc, r.time desc))[1]
           as newest_offset_s
from sensor e
join municipality m using (municipality_id)
cross join lateral (
    select r.time, r.received_at,
           extract(epoch from r.received_at - r.time - make_interval(secs => r.interval_s))
               ::double precision as late_s
    from (select distinct i.channel_id from installation i
          where i.sensor_id = e.sensor_id) c
    cross join lateral (
        {{(select r.time, r.received_at, r.interval_s, r.sensor_id, r.time_origin
           from $readings r
           where r.channel_id = c.channel_id and r.time <= now()
           order by r.time desc limit %(most)s)
          union all
          (select r.time, r.received_at, r.interval_s, r.sensor_id, r.time_origin
           from $readings r
           where r.channel_id = c.channel_id and r.time > now()
           order by r.time desc limit %(most)s) union all}}
    ) r
    where r.sensor_id = e.sensor_id and r.time_origin = 0
    order by r.received_at desc, r.time desc
    limit %(most)s
) r
where {{> chosen_sensors}}
group by m.key, e.key, e.name
order by m.key, e.key;

-- name: passed_over
-- Times in messages of sensors that cannot be right, those that came last first.
select m.key as municipality, e.key as sensor, p.field, p.messages, p.said, p.taken,
       p.received_at
from passed_over p
join sensor e using (sensor_id)
join municipality m using (municipality_id)
where e.removed_at is null
  and {{> chosen_sensors}}
  and (%(since)s::timestamptz is null or p.received_at >= %(since)s)
order by p.received_at desc, m.key, e.key, p.field;
