-- Channel health: what is judged, and what is read of it.

-- name: mark_days
-- Mark local days of sites whose health has to be judged anew.
insert into stale_day (site_id, day)
select * from unnest(%(sites)s::integer[], %(days)s::date[])
on conflict do nothing;

-- name: mark_running_days
-- Mark each site's running day, and days that nobody judged since they ended: of a
-- silent sensor nothing else does. After a long rest of the workers, 31 days of them. A
-- day of sensors that report less than hourly is judged a day after it ended. Where all
-- was imported from files, nobody expects that anything comes today.
insert into stale_day (site_id, day)
select s.site_id, each.day::date
from site s
join municipality m using (municipality_id)
cross join lateral (
    select (%(now)s::timestamptz at time zone m.time_zone)::date as today
) clock
cross join lateral (
    select max(h.day) as day
    from channel_health h
    join channel c using (channel_id)
    where c.site_id = s.site_id and h.complete and h.day >= clock.today - 31
) judged
-- one that was judged by a clock that was ahead is judged again
cross join lateral (
    select exists (
        select from channel c
        join installation i using (channel_id)
        join sensor e using (sensor_id)
        where c.site_id = s.site_id and e.interval_s > 3600) as there
) longer
cross join generate_series(least(judged.day + 1, clock.today - 2 * longer.there::integer),
                           clock.today,
                           interval '1 day') each (day)
where s.site_id = any(%(sites)s)
  and exists (
      select from channel c
      join installation i using (channel_id)
      where c.site_id = s.site_id
        and (exists (select from ledger l
                     where l.sensor_id = i.sensor_id and l.slot < 100)
             or not exists (select from ledger l where l.sensor_id = i.sensor_id)))
on conflict do nothing;

-- name: claim_days
-- Take the marks of the oldest week of locked sites.
delete from stale_day d
using (select min(day) as day from stale_day where site_id = any(%(sites)s)) oldest
where d.day < oldest.day + 7 and d.site_id = any(%(sites)s)
returning d.site_id, d.day;

-- name: days_left
-- Whether there are marks of these sites.
select exists (select from stale_day where site_id = any(%(sites)s)) as left;

-- name: health_channels
-- All channels that were ever heard of, one row for each installation.
select c.channel_id, s.municipality_id, c.audience, c.site_id, i.sensor_id, s.road, s.latitude,
       s.longitude, c.quantity, c.direction, m.time_zone, e.interval_s,
       i.since, i.until,
       heard.time as heard
from channel c
join site s using (site_id)
join municipality m using (municipality_id)
join installed i using (channel_id)
join sensor e using (sensor_id)
cross join lateral (
    select min(known.time) as time from (
        (select v.time from volume v
         where v.channel_id = c.channel_id and v.interval_s = 3600
         order by v.time limit 1)
        union all
        (select h.time from environment_hour h
         where h.channel_id = c.channel_id order by h.time limit 1)
        union all
        -- its middle: that is of the day that it belongs to
        (select l.time + make_interval(secs => l.interval_s / 2) from long_volume l
         where l.channel_id = c.channel_id order by l.time limit 1)
        union all
        (select l.time + make_interval(secs => l.interval_s / 2)
         from long_environment l
         where l.channel_id = c.channel_id order by l.time limit 1)
    ) known
) heard
where heard.time is not null;

-- name: long_intervals
-- Intervals above an hour that began in a span of each channel: counts and values.
select l.channel_id, l.time, l.interval_s, l.volume, l.value
from {{> spans}}
cross join lateral (
    (select r.channel_id, r.time, r.interval_s, r.volume, null::double precision as value
     from long_volume r where {{> in_span}} offset 0)
    union all
    (select r.channel_id, r.time, r.interval_s, null, r.value
     from long_environment r where {{> in_span}} offset 0)
) l;

-- name: health_counts
-- Count readings in a span of each channel, with occupancy and whose clock it was.
select r.channel_id, r.time, r.interval_s, {{r.$count}}, r.speed_kmh, r.occupancy,
       r.time_origin
from {{> spans}}
cross join lateral (
    select * from count_reading r where {{> in_span}} offset 0
) r

-- name: put_health
-- Write verdicts; what stood there is replaced.
insert into channel_health (
    channel_id, day, verdict, value, threshold, level, complete, is_fault, method,
    judged_at)
select *, %(method)s, %(now)s
from unnest(%(channels)s::integer[], %(days)s::date[], %(verdicts)s::text[],
            %(values)s::double precision[], %(thresholds)s::double precision[],
            %(levels)s::text[], %(complete)s::boolean[], %(is_fault)s::boolean[])
on conflict (channel_id, day) do update set
    verdict = excluded.verdict, value = excluded.value,
    threshold = excluded.threshold, level = excluded.level,
    complete = excluded.complete, is_fault = excluded.is_fault,
    method = excluded.method, judged_at = excluded.judged_at;

-- name: list_health
-- Health of channels by local day, from `first` to `last`, both included; keys that
-- are null select all.
select h.day, m.key as municipality, s.key as site, c.key as channel, c.quantity,
       c.direction, h.verdict, h.value, h.threshold, h.level, h.complete, h.method,
       h.judged_at
from channel_health h
join channel c using (channel_id)
join site s using (site_id)
join municipality m using (municipality_id)
where {{> chosen_sites}}
  and h.day >= %(first)s and h.day <= %(last)s
  and (not %(bad_only)s::boolean or h.verdict <> 'good')
order by h.day, m.key, s.key, c.key;

-- name: count_health
-- Channels by what was found of their newest day: today so far, as a rule.
select m.key as municipality, newest.verdict, count(*) as channels
from channel c
join site s using (site_id)
join municipality m using (municipality_id)
cross join lateral (
    select h.verdict from channel_health h
    where h.channel_id = c.channel_id order by h.day desc limit 1
) newest
group by m.key, newest.verdict
order by m.key, newest.verdict;
