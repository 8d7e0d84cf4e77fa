-- What the simulator asks before it publishes history.

-- name: newest_of_sensors
-- For each sensor the newest interval that all of its channels have; none where a
-- channel has no reading yet. One look into the index per channel and partition.
select m.key as municipality, s.key as sensor,
       case when count(newest.time) = count(*) then min(newest.time) end as newest
from municipality m
join sensor s using (municipality_id)
join installation i using (sensor_id)
cross join lateral (
    select greatest(
        (select max(r.time) from count_reading r where r.channel_id = i.channel_id),
        (select max(r.time) from environment_reading r
         where r.channel_id = i.channel_id)
    ) as time
) newest
where i.period @> now()
group by m.key, s.key;

-- name: blocks_of_sensors
-- For each sensor the blocks, given by their start in s since 1970, in which each of its
-- channels of then has a reading.
select m.key as municipality, s.key as sensor, block
from municipality m
join sensor s using (municipality_id)
cross join unnest(%(blocks)s::bigint[]) block
cross join lateral (
    select tstzrange(to_timestamp(block), to_timestamp(block + %(block_s)s)) as span
) b
where s.removed_at is null
  and exists (select from installation i
              where i.sensor_id = s.sensor_id and i.period && b.span)
  and not exists (
      select from installation i
      where i.sensor_id = s.sensor_id and i.period && b.span
        and not exists (
            select from count_reading r
            where r.channel_id = i.channel_id
              and r.time >= lower(b.span) and r.time < upper(b.span))
        and not exists (
            select from environment_reading r
            where r.channel_id = i.channel_id
              and r.time >= lower(b.span) and r.time < upper(b.span)));
