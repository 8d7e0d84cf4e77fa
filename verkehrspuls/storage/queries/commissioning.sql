-- What is known of one sensor, for whoever brings it into service.

-- name: sensor_facts
-- A sensor with its status, and what the ledger says of all its time.
select e.sensor_id, m.key as municipality, e.key, e.name, e.model, e.payload_format,
       e.topic, e.profile, e.interval_s, e.class_scheme,
       coalesce(st.state, 'unknown') as state, st.since as state_since, st.battery_pct,
       st.signal_dbm, st.temperature_c, st.firmware, l.*
from sensor e
join municipality m using (municipality_id)
left join sensor_status st using (sensor_id)
cross join lateral (
    select max(last_received_at) as last_received_at,
           coalesce(sum(messages_received), 0)::bigint as messages_received,
           coalesce(sum(messages_accepted), 0)::bigint as messages_accepted,
           coalesce(sum(messages_partly_accepted), 0)::bigint
               as messages_partly_accepted,
           coalesce(sum(messages_rejected), 0)::bigint as messages_rejected,
           coalesce(sum(readings_received), 0)::bigint as readings_received,
           coalesce(sum(readings_stored), 0)::bigint as readings_stored,
           coalesce(sum(readings_duplicate), 0)::bigint as readings_duplicate,
           coalesce(sum(readings_corrected), 0)::bigint as readings_corrected,
           coalesce(sum(readings_rejected), 0)::bigint as readings_rejected,
           coalesce(sum(sequence_lost), 0)::bigint as sequence_lost
    from ledger
    where sensor_id = e.sensor_id
) l
where m.key = %(municipality)s and e.key = %(sensor)s and e.removed_at is null;

-- name: sensor_installations
-- What a sensor's outputs are attached to, with the newest reading of each channel,
-- whichever sensor it is from.
select i.output, s.key as site, c.key as channel, c.quantity,
       case when isfinite(lower(i.period)) then lower(i.period) end as since,
       case when isfinite(upper(i.period)) then upper(i.period) end as until,
       i.mapping, r.time as last_time, r.last
from installation i
join channel c using (channel_id)
join site s using (site_id)
left join lateral (
    (select r.time, jsonb_strip_nulls(to_jsonb(r)) - array[
                'channel_id', 'time', 'sensor_id', 'time_origin', 'revision'] as last
     from count_reading r
     where r.channel_id = c.channel_id order by r.time desc limit 1)
    union all
    (select r.time, to_jsonb(r) - array[
                'channel_id', 'time', 'sensor_id', 'time_origin', 'revision']
     from environment_reading r
     where r.channel_id = c.channel_id order by r.time desc limit 1)
) r on true
where i.sensor_id = %(sensor_id)s
order by i.output, lower(i.period);

-- name: sensor_ambiguous
-- Readings of a sensor whose wall clock showed their time twice, by channel and hour
-- (UTC), while nothing tells which of the two is meant.
select s.key as site, c.key as channel, date_trunc('hour', a.time, 'UTC') as hour,
       count(*) as readings, string_agg(distinct a.why, ' ') as why
from (select distinct channel_id from installation
      where sensor_id = %(sensor_id)s) i
join ambiguous a using (channel_id)
join channel c using (channel_id)
join site s using (site_id)
where {{exists (
        select from $readings r
        where r.channel_id = a.channel_id and r.time = a.time
          and r.sensor_id = %(sensor_id)s) or}}
group by s.key, c.key, hour
order by hour desc, s.key, c.key;

-- name: sensor_newest_messages
-- The newest messages of a sensor, by the slot that received them.
select slot, unnest(messages) as message
from newest_message
where sensor_id = %(sensor_id)s;

-- name: sensor_readings
-- The newest readings of a sensor, with the receipt of their messages.
select n.time, n.received_at, n.interval_s, n.site, n.channel, n.quantity, n.found
from (
    {{(select r.time, r.received_at, r.interval_s, s.key as site, c.key as channel,
             c.quantity,
             jsonb_strip_nulls(to_jsonb(r)) - array[
                 'channel_id', 'time', 'sensor_id', 'time_origin', 'revision',
                 'received_at', 'interval_s'] as found
      from (select distinct channel_id from installation
            where sensor_id = %(sensor_id)s) i
      join channel c using (channel_id)
      join site s using (site_id)
      cross join lateral (
          select * from $readings r
          where r.channel_id = i.channel_id and r.sensor_id = %(sensor_id)s
          order by r.time desc limit %(limit)s) r) union all}}
) n
order by n.received_at desc, n.time desc, n.channel
limit %(limit)s;

-- name: sensor_course
-- Of each channel that a sensor feeds now: its readings of the day before `now`, by hour.
-- Steps are the seconds from one reading to the next.
select s.key as site, c.key as channel, c.name, c.quantity, c.direction, c.direction_name,
       m.time_zone, i.output,
       (select min(r.time) from (
            {{(select r.time from $readings r
              where r.channel_id = c.channel_id and r.sensor_id = i.sensor_id
              order by r.time limit 1) union all}}) r) as first_at,
       d.readings, d.covered_s, d.step_s, d.hours
from installation i
join channel c using (channel_id)
join site s using (site_id)
join municipality m using (municipality_id)
cross join lateral (
    select coalesce(sum(h.readings), 0)::integer as readings,
           coalesce(sum(h.covered_s), 0)::integer as covered_s,
           percentile_cont(0.5) within group (order by h.step_s) as step_s,
           coalesce(jsonb_agg(
               jsonb_build_array(h.hour, h.covered_s, h.volume) order by h.hour),
               '[]') as hours
    from (
        select date_trunc('hour', t.time, 'UTC') as hour, count(*) as readings,
               sum(t.interval_s) as covered_s, sum(t.volume) as volume,
               percentile_cont(0.5) within group (order by t.step_s) as step_s
        from (
            select r.time, r.interval_s, r.volume,
                   extract(epoch from r.time - lag(r.time) over (order by r.time))
                       as step_s
            from (
                select r.time, r.interval_s,
                       (select sum(n) from unnest(array[{{r.$count}}]) n) as volume
                from count_reading r
                where r.channel_id = c.channel_id and r.sensor_id = i.sensor_id
                  and r.time >= %(now)s::timestamptz - interval '1 day' and r.time < %(now)s
                union all
                select r.time, r.interval_s, null
                from environment_reading r
                where r.channel_id = c.channel_id and r.sensor_id = i.sensor_id
                  and r.time >= %(now)s::timestamptz - interval '1 day' and r.time < %(now)s
            ) r
        ) t
        group by 1
    ) h
) d
where i.sensor_id = %(sensor_id)s and i.period @> %(now)s::timestamptz
order by s.key, c.key;

-- name: neighbours_of_sensor
-- Sites along the same road that count in a direction in which the sensor does.
select distinct s.name
from installation i
join channel c using (channel_id)
join site h using (site_id)
join site s on s.municipality_id = h.municipality_id and s.road = h.road
    and s.site_id <> h.site_id
join channel o on o.site_id = s.site_id and o.quantity = c.quantity
    and o.direction = c.direction
where i.sensor_id = %(sensor_id)s and i.period @> %(now)s::timestamptz
  and h.road <> '' and c.direction <> ''
order by 1;
