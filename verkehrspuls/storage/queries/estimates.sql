-- Forecasts and imputed hours: what is read for them, and what replaces them.

-- name: estimated_towns
-- Municipalities that count something, with their clock and calendar; all or one. Those
-- of each audience by themselves: its channels, and all `seen` by all who see them.
with counting as (
    select m.municipality_id, m.state, m.time_zone, c.quantity, c.audience, c.channel_id,
           case when c.audience > 0 then 2 when c.audience < 0 then 1 else 0 end as rank
    from municipality m
    join site s using (municipality_id)
    join channel c using (site_id)
    where c.quantity = any(%(counted)s)
      and (%(municipality)s::text is null or m.key = %(municipality)s)
)
select o.municipality_id, o.state, o.time_zone, o.quantity,
       array_agg(o.channel_id) as channels,
       (select array_agg(n.channel_id)
        from counting n
        where n.municipality_id = o.municipality_id and n.quantity = o.quantity
          and n.rank <= o.rank) as seen
from counting o
group by o.municipality_id, o.state, o.time_zone, o.quantity, o.rank
order by o.municipality_id, o.quantity, o.rank;

-- name: try_estimate
-- True for one worker at a time and municipality, to the end of its transaction.
select pg_try_advisory_xact_lock(hashtext('estimate'), %(municipality_id)s) as mine;

-- name: volumes_of_town
-- Volumes of one length of channels, but for what a person excluded.
select v.channel_id, v.interval_s, v.time, v.observed_s, v.volume
from unnest(%(seen)s::integer[]) as c (channel_id)
cross join lateral (
    select * from volume v
    where v.channel_id = c.channel_id and v.interval_s = %(interval_s)s
      and v.time >= %(since)s and v.time < %(until)s
    offset 0
) v
where not {{> excluded_by_person}}

-- name: known_of_town
-- When the first and the last hour with volumes of channels begin.
select min(earliest.time) as since, max(latest.time) as until
from unnest(%(channels)s::integer[]) as c (channel_id)
cross join lateral (
    select v.time from volume v
    where v.channel_id = c.channel_id and v.interval_s = 3600
    order by v.time limit 1
) earliest
cross join lateral (
    select v.time from volume v
    where v.channel_id = c.channel_id and v.interval_s = 3600
    order by v.time desc limit 1
) latest;

-- name: installations_of_town
-- When sensors were attached to channels; open ends far away.
select i.channel_id, i.since, i.until,
       e.interval_s
from installed i
join sensor e using (sensor_id)
where i.channel_id = any(%(channels)s);

-- name: drop_forecasts
-- Remove what the forecasts of a run replace: of earlier runs only the kept leads stay.
delete from forecast f
where f.channel_id = any(%(channels)s)
  and f.interval_s = %(interval_s)s
  and (f.made_at >= %(made_at)s or f.lead_s <> all(%(kept)s::integer[]));

-- name: drop_old_forecasts
-- Forecasts that need no longer be compared with what came.
delete from forecast where made_at < %(cutoff)s;

-- name: put_forecasts
-- Columns of analytics.frames.FORECASTS.
insert into forecast (
    channel_id, interval_s, lead_s, time, made_at, volume, low, high, method)
select channel_id, interval_s, lead_s, time, made_at, volume, low, high, method
from json_populate_recordset(null::forecast, %(rows)s);

-- name: imputed_of_town
-- What is imputed for channels.
select i.channel_id, i.time, i.gap_h
from imputed_hour i
where i.channel_id = any(%(channels)s)
  and i.time >= %(since)s and i.time < %(until)s;

-- name: drop_imputed
-- Remove imputed hours of channels.
delete from imputed_hour i
using unnest(%(channels)s::integer[], %(hours)s::timestamptz[]) as gone (channel_id, hour)
where i.channel_id = gone.channel_id and i.time = gone.hour;

-- name: put_imputed
-- Columns of analytics.frames.IMPUTED_HOURS without the length, and when they were imputed.
insert into imputed_hour (channel_id, time, volume, method, low, high, gap_h, made_at)
select channel_id, time, volume, method, low, high, gap_h, made_at
from json_populate_recordset(null::imputed_hour, %(rows)s);

-- name: imputed_of_sites
-- Imputed hours of sites, as IMPUTED.
select i.channel_id, i.time, 3600 as interval_s, i.volume, i.method
from imputed_hour i
join channel c using (channel_id)
where c.site_id = any(%(sites)s) and i.time >= %(since)s and i.time < %(until)s;

-- name: read_imputed
-- What is imputed of a site and quantity per hour and direction, summed over lanes;
-- direction 'all' sums over everything, null gives each one. Of an hour that was
-- observed to less than half, only the rest is imputed; what was counted after all, not
-- at all; of what a person excluded, the whole hour (`in_place`: share of what had been
-- observed of it). The bounds of a sum are the sums of the bounds, as if all lanes went together.
with counted as (
    select c.channel_id,
           case when %(direction)s::text = 'all' then 'all' else c.direction end
               as direction
    from {{> at_site}}
      and (%(direction)s::text is null or %(direction)s::text = 'all'
           or c.direction = %(direction)s)
), left_out as materialized (
    select e.channel_id, e.began, e.ended
    from exclusion e
    join counted on counted.channel_id = e.channel_id
    where e.began < %(end)s + interval '1 hour' and e.ended > %(start)s
)
select h.time, counted.direction,
       round((sum(rest.part) / installed.channels)::numeric, 4)::double precision
           as imputed,
       round((sum(rest.in_place) / installed.channels)::numeric, 4)::double precision
           as in_place,
       round(sum(h.volume * rest.part)::numeric, 1)::double precision
           as volume_imputed,
       round(sum(h.low * rest.part)::numeric, 1)::double precision as imputed_low,
       round(sum(h.high * rest.part)::numeric, 1)::double precision as imputed_high,
       string_agg(distinct h.method, ', ' order by h.method) as imputed_by
from imputed_hour h
join counted using (channel_id)
left join volume v
  on v.channel_id = h.channel_id and v.interval_s = 3600 and v.time = h.time
cross join lateral (
    -- asked once (offset 0), and not by each column that it decides on
    select coalesce(v.observed_s, 0) / 3600::double precision as share,
           {{> hour_left_out}} as excluded
    offset 0
) observed
cross join lateral (
    select case when excluded then 1 else 1 - share end as part,
           case when excluded then share else 0 end as in_place
) rest
cross join lateral (
    select count(distinct x.channel_id) as channels
    from counted x
    join installation i using (channel_id)
    where x.direction = counted.direction
      and i.period && tstzrange(h.time, h.time + interval '1 hour')
) installed
where h.time >= %(start)s and h.time < %(end)s
  and rest.part > 0.5 and installed.channels > 0
group by h.time, counted.direction, installed.channels
order by h.time, counted.direction

-- name: read_forecast
-- The newest forecasts of a site and quantity, one direction or 'all', summed over lanes;
-- none where a lane with a sensor has none. The bounds of a sum are the sums of the
-- bounds.
with counted as (
    select c.channel_id
    from {{> at_site_in_direction}}
), newest as (
    select f.interval_s, max(f.made_at) as made_at
    from forecast f
    join counted using (channel_id)
    group by f.interval_s
)
select f.interval_s, f.time, f.lead_s, f.made_at,
       round(sum(f.volume)::numeric, 1)::double precision as volume,
       round(sum(f.low)::numeric, 1)::double precision as low,
       round(sum(f.high)::numeric, 1)::double precision as high,
       min(f.method) as method
from forecast f
join counted using (channel_id)
join newest using (interval_s, made_at)
group by f.interval_s, f.time, f.lead_s, f.made_at
having count(*) >= (
    select count(distinct i.channel_id)
    from installation i
    join counted using (channel_id)
    where i.period @> f.made_at)
order by f.interval_s, f.time

-- name: read_forecast_errors
-- What the kept forecasts of a site and quantity missed by, channel by channel: sum of
-- what they missed over the sum of what came, and the share that lay in the interval.
-- Compared is what was observed at least to half, and what no person excluded, scaled
-- to a whole interval.
with counted as (
    select c.channel_id
    from {{> at_site_in_direction}}
), came as (
    select f.*, v.volume * (v.interval_s::double precision / v.observed_s) as counted
    from forecast f
    join counted using (channel_id)
    join volume v using (channel_id, interval_s, time)
    where v.observed_s >= v.interval_s / 2
      and not {{> excluded_by_person}}
      and f.time + make_interval(secs => f.interval_s) <= (
          select max(made_at) from forecast join counted using (channel_id))
)
select interval_s, lead_s, min(time) as since, count(*) as compared,
       round((sum(abs(volume - counted)) / nullif(sum(counted), 0))::numeric, 4)
           ::double precision as wape,
       round(avg((counted between low and high)::integer), 4)::double precision
           as coverage
from came
group by interval_s, lead_s
order by lead_s
