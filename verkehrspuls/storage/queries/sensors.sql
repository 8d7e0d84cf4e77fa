-- Sensors and installations.

-- name: list_sensors
-- Sensors by municipality, site or key (null selects all), one row per installation. One
-- that is installed nowhere is shown to who may see everything.
select e.sensor_id, e.key, e.name, e.model, e.payload_format, e.interval_s,
       e.class_scheme, coalesce(st.state, 'unknown') as state,
       m.key as municipality, s.key as site, s.name as site_name,
       i.output, c.key as channel,
       case when lower(i.period) between '1970-01-01' and '2200-01-01'
            then lower(i.period) end as since,
       case when upper(i.period) between '1970-01-01' and '2200-01-01'
            then upper(i.period) end as until,
       newest.last_received_at, measured.newest_reading_at
from sensor e
join municipality m using (municipality_id)
left join installation i using (sensor_id)
left join channel c using (channel_id)
left join site s using (site_id)
left join sensor_status st using (sensor_id)
left join lateral vp.last_heard(e.sensor_id) newest on true
left join newest_reading known on known.channel_id = i.channel_id
left join lateral vp.newest_reading_since(i.channel_id, known.time) newest_of_channel
  on true
left join lateral (
    -- looked for only where another sensor has taken over since
    select case when newest_of_channel.newest_reading_at
                         < coalesce(upper(i.period), 'infinity')
                then newest_of_channel.newest_reading_at
                else vp.newest_reading(i.channel_id, upper(i.period)) end as at
) read on true
left join lateral (
    select case when read.at >= coalesce(lower(i.period), '-infinity')
                then read.at end as newest_reading_at
) measured on true
where e.removed_at is null
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(site)s::text is null
       or s.key = %(site)s and e.sensor_id = any(array(
           select o.sensor_id
           from site p
           join channel q using (site_id)
           join installation o using (channel_id)
           where p.key = %(site)s)))
  and (%(sensor)s::text is null or e.key = %(sensor)s)
order by m.key, e.key, i.output, lower(i.period)

-- name: count_sensors
-- How many sensors there are at sites, by municipality or key; null is all.
select count(distinct e.sensor_id) as sensors
from sensor e
join municipality m using (municipality_id)
join installation i using (sensor_id)
join channel c using (channel_id)
join site s using (site_id)
where {{> chosen_sensors}}

-- name: read_installed
-- When sensors were attached to the channels of a site; open ends far away.
select i.channel_id, i.since, i.until,
       e.interval_s, e.class_scheme
from installed i
join sensor e using (sensor_id)
join channel c using (channel_id)
join site s using (site_id)
where c.site_id = %(site_id)s

-- name: is_heard_elsewhere
-- Whether sensors of another municipality listen to a topic.
select shown.is_heard_elsewhere(%(topic)s, %(municipality)s) as heard
