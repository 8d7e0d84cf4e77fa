-- The ledger per sensor and hour of reception.

-- name: list_ledger
-- The ledger per sensor and hour of reception, over all worker slots; messages of no
-- known sensor have neither municipality nor sensor and are left out where one is asked
-- for. Expected are the readings of all outputs while they were installed, up to now;
-- `silent` asks for hours too in which nothing came. Only sensors that are
-- or were installed.
with chosen as (
    select e.sensor_id, m.key as municipality, e.key as sensor, e.interval_s
    from sensor e
    join municipality m using (municipality_id)
    where {{> chosen_sensors}}
      and exists (
          select from installation i
          join channel c using (channel_id)
          join site s using (site_id)
          where i.sensor_id = e.sensor_id)
), came as (
    select l.sensor_id, l.hour,
           max(l.last_received_at) as last_received_at,
           {{sum(l.$tally)::bigint as $tally}}
    from ledger l
    where l.hour >= %(start)s and l.hour < %(end)s
      and (l.sensor_id in (select sensor_id from chosen)
           or (l.sensor_id is null
               and %(municipality)s::text is null and %(sensor)s::text is null))
    group by l.sensor_id, l.hour
), rejects as (
    select sensor_id, hour, jsonb_object_agg(reason, messages order by reason) as reasons
    from (
        select r.sensor_id, r.hour, r.reason, sum(r.messages)::bigint as messages
        from ledger_reject r
        where r.hour >= %(start)s and r.hour < %(end)s
        group by r.sensor_id, r.hour, r.reason
        having sum(r.messages) > 0
    ) r
    group by sensor_id, hour
), left_out as (
    select sensor_id, hour,
           jsonb_object_agg(field || ':' || problem, fields) as dropped
    from (
        select f.sensor_id, f.hour, f.field, f.problem, sum(f.fields)::bigint as fields
        from ledger_field f
        where f.hour >= %(start)s and f.hour < %(end)s
        group by 1, 2, 3, 4
    ) f
    group by sensor_id, hour
), hours as (
    select sensor_id, hour from came
    union
    select chosen.sensor_id, hour
    from chosen, generate_series(
        date_trunc('hour', %(start)s::timestamptz, 'UTC'),
        least(%(end)s::timestamptz, now()) - interval '1 microsecond', '1 hour') hour
    where %(silent)s::boolean and hour >= %(start)s
), expected as (
    select hours.sensor_id, hours.hour,
           round(sum(extract(epoch from
               least(upper(i.period), hours.hour + interval '1 hour', now())
               - greatest(lower(i.period), hours.hour))
               / chosen.interval_s))::bigint as readings
    from hours
    join chosen using (sensor_id)
    join installation i using (sensor_id)
    where i.period && tstzrange(
        least(hours.hour, now()), least(hours.hour + interval '1 hour', now()))
    group by hours.sensor_id, hours.hour
)
select chosen.municipality, chosen.sensor, hours.hour, came.last_received_at,
       coalesce(expected.readings, 0) as readings_expected,
       {{coalesce(came.$tally, 0) as $tally}},
       coalesce(rejects.reasons, '{}') as rejects,
       coalesce(left_out.dropped, '{}') as fields_dropped
from hours
-- no sensor is 0: a join by `is not distinct from` would try each with each
left join came on came.hour = hours.hour
    and coalesce(came.sensor_id, 0) = coalesce(hours.sensor_id, 0)
left join chosen on chosen.sensor_id = hours.sensor_id
left join expected on expected.hour = hours.hour
    and expected.sensor_id = hours.sensor_id
left join rejects on rejects.hour = hours.hour
    and coalesce(rejects.sensor_id, 0) = coalesce(hours.sensor_id, 0)
left join left_out on left_out.hour = hours.hour
    and left_out.sensor_id = hours.sensor_id
where came.hour is not null or expected.readings > 0
order by hours.hour desc, chosen.municipality, chosen.sensor
limit %(limit)s
