-- Devices: the sensors of a town, as whoever looks after them sees them.

-- name: list_devices
-- Sensors with what they said of themselves, and the sites where they are attached at
-- `now`; of others the site of their last channel. What came from files only is no
-- sign that a sensor sends.
select e.sensor_id, m.key as municipality, e.key, e.name, e.model, e.owner, e.serial,
       e.power, e.status, e.payload_format, e.interval_s,
       coalesce(st.firmware, nullif(e.firmware, ''), '') as firmware,
       coalesce(st.state, 'unknown') as state, st.since as state_since,
       st.battery_pct, st.signal_dbm, st.temperature_c,
       heard.last_received_at, coalesce(heard.slot >= 100, false) as imported,
       coalesce(at.sites, '[]') as sites, at.latitude, at.longitude, at.attached,
       at.newest_reading_at, at.channel_id
from sensor e
join municipality m using (municipality_id)
left join sensor_status st using (sensor_id)
left join lateral vp.last_heard(e.sensor_id) heard on true
cross join lateral (
    select json_agg(distinct jsonb_build_object('key', s.key, 'name', s.name)) as sites,
           (array_agg(s.latitude order by s.key))[1] as latitude,
           (array_agg(s.longitude order by s.key))[1] as longitude,
           coalesce(bool_or(i.until > %(now)s), false) as attached,
           max(newest.newest_reading_at) as newest_reading_at,
           min(i.channel_id) filter (where i.until > %(now)s) as channel_id
    from (
        select i.channel_id, i.until,
               rank() over (order by least(i.until, %(now)s) desc) as place
        from installed i
        where i.sensor_id = e.sensor_id and i.since <= %(now)s
    ) i
    join channel c using (channel_id)
    join site s using (site_id)
    left join newest_reading known using (channel_id)
    left join lateral vp.newest_reading_since(c.channel_id, known.time) newest
      on i.until > %(now)s
    where i.place = 1
) at
where e.removed_at is null
  and {{> chosen_sensors}}
order by m.key, e.key;

-- name: observed_of_sensors
-- How many seconds of a period sensors were attached, summed over their channels, and
-- how many of these were observed: by whole hours, and by longer intervals. Those are
-- known only when they have ended, so the period of such a sensor is that much earlier.
with attached as (
    select i.sensor_id, i.channel_id,
           greatest(i.since, %(start)s::timestamptz - early.by) as since,
           least(i.until, %(end)s::timestamptz - early.by) as until
    from installed i
    join sensor e using (sensor_id)
    join municipality m using (municipality_id)
    cross join lateral (
        select case when e.interval_s > 3600 then make_interval(secs => e.interval_s)
                    else interval '0' end as by
    ) early
    where {{> chosen_sensors}}
      and e.removed_at is null
      and i.since < %(end)s::timestamptz - early.by and i.until > %(start)s::timestamptz - early.by
)
select a.sensor_id,
       sum(extract(epoch from a.until - a.since))::double precision as expected_s,
       sum(coalesce(seen.seconds, 0))::double precision as observed_s
from attached a
cross join lateral (
    select sum(o.seconds) as seconds
    from (
        select v.observed_s::double precision as seconds
        from volume v
        where v.channel_id = a.channel_id and v.interval_s = 3600
          and v.time >= date_trunc('hour', a.since, 'UTC') and v.time < a.until
        union all
        select h.observed_s
        from environment_hour h
        where h.channel_id = a.channel_id
          and h.time >= date_trunc('hour', a.since, 'UTC') and h.time < a.until
        union all
        select extract(epoch from
                   least(l.time + make_interval(secs => l.interval_s), a.until)
                   - greatest(l.time, a.since))
        from (select channel_id, time, interval_s from long_volume
              union all
              select channel_id, time, interval_s from long_environment) l
        where l.channel_id = a.channel_id
          and l.time > a.since - interval '25 hours' and l.time < a.until
          and l.time + make_interval(secs => l.interval_s) > a.since
    ) o
) seen
group by a.sensor_id;

-- name: battery_days
-- How full batteries were, day by day.
select d.sensor_id, array_agg(d.day order by d.day) as days,
       array_agg(d.battery_pct order by d.day) as levels
from status_day d
join sensor e using (sensor_id)
join municipality m using (municipality_id)
where {{> chosen_sensors}}
  and d.battery_pct is not null and d.day > %(since)s::date
group by d.sensor_id;

-- name: cases_of_sensors
-- Open cases to be looked at, by the sensors that are attached to their channels.
select i.sensor_id, count(distinct a.anomaly_case_id)::integer as cases
from installed i
join sensor e using (sensor_id)
join municipality m using (municipality_id)
join case_member f using (channel_id)
join anomaly_case a using (anomaly_case_id)
where {{> chosen_sensors}}
  and i.since <= %(now)s and i.until > %(now)s
  and f.withdrawn_at is null and f.ended > i.since
  and vp.case_stands(a.withdrawn_at, a.state, a.ended, a.opened_at, %(now)s,
                     %(current_days)s) = 'current'
group by i.sensor_id;
