-- What pages, API and exports read. Every query that tells of sites takes `visible`,
-- the visibilities that the reader may see; here is the only place where that is
-- decided. The last four give sums over everything, for the operator. Nothing is read
-- that lies in the future: that is of a clock that is, or was, ahead.

-- name: count_changes
-- How many transactions changed what pages show; no public text, so without `visible`.
select coalesce(sum(changes), 0)::bigint as changes from vp.change

-- name: list_municipalities
-- Municipalities with a visible site, and how many of those they have.
select m.municipality_id, m.key, m.name, m.state, m.time_zone, m.licence, m.simulated,
       m.imprint, m.privacy, m.contact, m.latitude, m.longitude,
       count(*)::integer as sites
from vp.municipality m
join vp.site s using (municipality_id)
where s.visibility = any(%(visible)s::text[])
group by m.municipality_id
order by m.name, m.key

-- name: list_sites
-- Sites with their channels. Where it is asked for (`heard`): when a sensor of theirs was
-- last heard of, and when the newest of their readings was measured. What came in its
-- last hour was used, rejected, or imported from a file; the shortest and longest
-- interval of those heard of. A key that is null selects all.
select s.site_id, s.key, s.name, s.road, s.place, s.latitude, s.longitude,
       s.speed_limit_kmh, s.visibility, s.status,
       m.key as municipality, m.name as municipality_name, m.state, m.time_zone,
       m.licence, m.simulated, m.imprint, m.privacy, m.contact,
       m.latitude as town_latitude, m.longitude as town_longitude,
       coalesce(measuring.channels, '[]') as channels,
       heard.last_received_at, heard.last_messages, heard.shortest_s,
       heard.longest_s, measuring.newest_reading_at
from vp.site s
join vp.municipality m using (municipality_id)
left join lateral (
    select json_agg(json_build_object(
               'channel_id', c.channel_id, 'key', c.key, 'name', c.name,
               'quantity', c.quantity, 'direction', c.direction,
               'direction_name', c.direction_name, 'lane', c.lane,
               'thresholds', c.thresholds)
               order by c.quantity, c.direction, c.lane, c.key) as channels,
           max(newest.newest_reading_at) as newest_reading_at
    from vp.channel c
    left join vp.newest_reading known using (channel_id)
    left join lateral vp.newest_reading_since(c.channel_id, known.time) newest
      on %(heard)s::boolean
    where c.site_id = s.site_id
) measuring on true
left join lateral (
    select max(newest.last_received_at) as last_received_at,
           min(e.interval_s) as shortest_s, max(e.interval_s) as longest_s,
           case when bool_or(newest.used) then 'used'
                when bool_or(newest.rejected) then 'rejected'
                when bool_and(newest.slot >= 100) then 'imported'
                else 'used'
           end as last_messages
    from vp.channel c
    join vp.installation i using (channel_id)
    join vp.sensor e using (sensor_id)
    cross join lateral (
        select l.last_received_at, l.slot,
               l.slot < 100 and l.readings_received > l.readings_rejected as used,
               l.slot < 100 and l.messages_rejected > 0 as rejected
        from vp.ledger l
        where l.sensor_id = e.sensor_id and l.hour <= now()
        order by l.hour desc, l.last_received_at desc
        limit 1
    ) newest
    where c.site_id = s.site_id and %(heard)s::boolean
) heard on true
where s.visibility = any(%(visible)s::text[])
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(site)s::text is null or s.key = %(site)s)
order by m.name, s.name, s.key

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
from vp.sensor e
join vp.municipality m using (municipality_id)
left join vp.installation i using (sensor_id)
left join vp.channel c using (channel_id)
left join vp.site s using (site_id)
left join vp.sensor_status st using (sensor_id)
left join lateral (
    select l.last_received_at
    from vp.ledger l
    where l.sensor_id = e.sensor_id and l.hour <= now()
    order by l.hour desc, l.last_received_at desc
    limit 1
) newest on true
left join vp.newest_reading known on known.channel_id = i.channel_id
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
where coalesce(s.visibility, 'private') = any(%(visible)s::text[])
  and e.removed_at is null
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(site)s::text is null
       or s.key = %(site)s and e.sensor_id = any(array(
           select o.sensor_id
           from vp.site p
           join vp.channel q using (site_id)
           join vp.installation o using (channel_id)
           where p.key = %(site)s)))
  and (%(sensor)s::text is null or e.key = %(sensor)s)
order by m.key, e.key, i.output, lower(i.period)

-- name: count_sensors
-- How many sensors there are at visible sites, by municipality or key; null is all.
select count(distinct e.sensor_id) as sensors
from vp.sensor e
join vp.municipality m using (municipality_id)
join vp.installation i using (sensor_id)
join vp.channel c using (channel_id)
join vp.site s using (site_id)
where s.visibility = any(%(visible)s::text[])
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(sensor)s::text is null or e.key = %(sensor)s)

-- name: read_volumes
-- Volumes of a site and quantity per interval and direction, summed over lanes;
-- direction 'all' sums over everything, null gives each one, and with `together` the
-- sum over everything beside them, as direction 'all'.
-- A class is unknown where it is unknown for one of the lanes. A channel is expected
-- from its first installation to the end of its last one; what an expected channel did
-- not deliver is not observed. The spread of a sum is that of independent lanes.
-- What a person excluded counts for nothing but its share. Normalised is what is missing
-- of a lane's bin that was observed at least to half: as in
-- analytics/quality/completeness.py. Nothing is imputed here.
with counted as (
    select c.channel_id,
           case when %(direction)s::text = 'all' then 'all' else c.direction end
               as direction,
           min(coalesce(lower(i.period), '-infinity')) as since,
           max(coalesce(upper(i.period), 'infinity')) as until
    from vp.channel c
    join vp.site s using (site_id)
    left join vp.installation i using (channel_id)
    where c.site_id = %(site_id)s
      and s.visibility = any(%(visible)s::text[])
      and c.quantity = %(quantity)s
      and (%(direction)s::text is null or %(direction)s::text = 'all'
           or c.direction = %(direction)s)
    group by c.channel_id
), lanes as materialized (
    select sums.direction, count(*) as channels,
           bool_and(since <= %(start)s and until >= %(end)s
                    + make_interval(secs => %(interval_s)s)) as always
    from counted
    cross join lateral unnest(
        case when %(together)s::boolean then array[direction, 'all']
             else array[direction] end) as sums (direction)
    group by sums.direction
), left_out as materialized (
    -- as one value for each channel: to search in it costs little for each bin
    select channel_id, range_agg(tstzrange(began, greatest(began, ended))) as spans
    from (
        select e.channel_id, e.began, e.ended
        from vp.case_member e
        join vp.anomaly_case a using (anomaly_case_id)
        join counted on counted.channel_id = e.channel_id
        where e.withdrawn_at is null
          and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
          and e.began < %(end)s + make_interval(secs => %(interval_s)s)
          and e.ended > %(start)s
        union all
        select f.channel_id, f.began, f.ended
        from vp.suspected(
            array(select channel_id from counted), %(start)s, %(end)s + make_interval(secs => %(interval_s)s),
            %(faults)s::text[], %(verdicts)s::text[]) f
        where %(trusted)s::boolean
    ) f
    group by channel_id
), bins as (
    -- a bin that is excluded knows nothing
    select v.time, counted.direction, v.observed_s as seen_s, excluded.is_so,
           case when not excluded.is_so then v.observed_s end as observed_s,
           case when not excluded.is_so then v.volume end as volume,
           case when not excluded.is_so then v.total end as total,
           case when not excluded.is_so then v.unclassified end as unclassified,
           case when not excluded.is_so then v.motorcycle end as motorcycle,
           case when not excluded.is_so then v.car end as car,
           case when not excluded.is_so then v.van end as van,
           case when not excluded.is_so then v.car_trailer end as car_trailer,
           case when not excluded.is_so then v.truck end as truck,
           case when not excluded.is_so then v.truck_trailer end as truck_trailer,
           case when not excluded.is_so then v.articulated end as articulated,
           case when not excluded.is_so then v.bus end as bus,
           case when not excluded.is_so then v.bicycle end as bicycle,
           case when not excluded.is_so then v.pedestrian end as pedestrian,
           case when not excluded.is_so then v.speed_kmh end as speed_kmh,
           case when not excluded.is_so then v.usual end as usual,
           case when not excluded.is_so then v.usual_spread end as usual_spread,
           case when not excluded.is_so then v.valid end as valid
    from vp.volume v
    join counted using (channel_id)
    left join left_out x using (channel_id)
    cross join lateral (
        -- once (offset 0): else each column that it decides on would ask again
        select coalesce(x.spans && tstzrange(
            v.time, v.time + make_interval(secs => v.interval_s)), false) as is_so
        offset 0
    ) excluded
    where v.interval_s = %(interval_s)s
      and v.time >= %(start)s and v.time < %(end)s and v.time <= now()
), summed as (
    select v.time,
           case when grouping(v.direction) = 1 then 'all' else v.direction end
               as direction,
           count(*) as channels,
           coalesce(sum(v.observed_s), 0) as observed_s,
           coalesce(sum(v.seen_s) filter (where v.is_so), 0) as excluded_s,
           coalesce(sum(%(interval_s)s - v.observed_s)
                    filter (where v.observed_s >= %(interval_s)s / 2), 0)
               as normalised_s,
           case when bool_or(v.is_so) then false
                when count(v.valid) = count(*) then bool_and(v.valid)
           end as valid,
           sum(v.volume) as volume,
           sum(case when v.observed_s >= %(interval_s)s / 2
                    then v.volume
                         * (%(interval_s)s::double precision / v.observed_s)
                    else v.volume end) as volume_normalised,
           case when count(v.observed_s) = count(v.total)
               then sum(v.total) end as total,
           case when count(v.observed_s) = count(v.unclassified)
               then sum(v.unclassified) end as unclassified,
           case when count(v.observed_s) = count(v.motorcycle)
               then sum(v.motorcycle) end as motorcycle,
           case when count(v.observed_s) = count(v.car)
               then sum(v.car) end as car,
           case when count(v.observed_s) = count(v.van)
               then sum(v.van) end as van,
           case when count(v.observed_s) = count(v.car_trailer)
               then sum(v.car_trailer) end as car_trailer,
           case when count(v.observed_s) = count(v.truck)
               then sum(v.truck) end as truck,
           case when count(v.observed_s) = count(v.truck_trailer)
               then sum(v.truck_trailer) end as truck_trailer,
           case when count(v.observed_s) = count(v.articulated)
               then sum(v.articulated) end as articulated,
           case when count(v.observed_s) = count(v.bus)
               then sum(v.bus) end as bus,
           case when count(v.observed_s) = count(v.bicycle)
               then sum(v.bicycle) end as bicycle,
           case when count(v.observed_s) = count(v.pedestrian)
               then sum(v.pedestrian) end as pedestrian,
           sum(v.speed_kmh::double precision * v.volume)
               / nullif(sum(v.volume)
                        filter (where v.speed_kmh is not null), 0)
               as speed_kmh,
           case when count(v.observed_s) = count(v.usual)
               then sum(v.usual::double precision) end as usual,
           case when count(v.observed_s) = count(v.usual_spread)
               then sqrt(sum(v.usual_spread::double precision ^ 2)) end
               as usual_spread
    from bins v
    group by grouping sets ((v.time, v.direction), (v.time))
    having grouping(v.direction) = 0 or %(together)s::boolean
)
-- rounded half up as doubles: numeric takes as long as all the rest
select summed.time, summed.direction,
       floor(greatest(installed.attached_s, summed.observed_s + summed.excluded_s)
             / whole.length_s * 10000 + 0.5) / 10000 as expected,
       floor(summed.observed_s / whole.length_s * 10000 + 0.5) / 10000 as observed,
       floor(summed.normalised_s / whole.length_s * 10000 + 0.5) / 10000
           as normalised,
       0::double precision as imputed,
       floor(summed.excluded_s / whole.length_s * 10000 + 0.5) / 10000 as excluded,
       summed.valid and summed.channels * %(interval_s)s = whole.length_s as valid,
       summed.volume,
       floor(summed.volume_normalised * 10 + 0.5) / 10 as volume_normalised,
       summed.total, summed.unclassified, summed.motorcycle, summed.car,
       summed.van, summed.car_trailer, summed.truck, summed.truck_trailer,
       summed.articulated, summed.bus, summed.bicycle, summed.pedestrian,
       floor(summed.speed_kmh * 10 + 0.5) / 10 as speed_kmh,
       floor(summed.usual * 10 + 0.5) / 10 as usual,
       floor(summed.usual_spread * 10 + 0.5) / 10 as usual_spread
from summed
join lanes using (direction)
-- looked up for each bin only where a channel was not attached all the time
cross join lateral (
    select count(*) as channels,
           coalesce(sum(extract(epoch from
               least(counted.until, summed.time + make_interval(secs => %(interval_s)s))
               - greatest(counted.since, summed.time))), 0)::double precision
               as attached_s
    from counted
    where not lanes.always
      and summed.direction in (counted.direction, 'all')
      and counted.since < summed.time + make_interval(secs => %(interval_s)s)
      and counted.until > summed.time
) part
cross join lateral (
    select case when lanes.always then lanes.channels else part.channels end
               as channels,
           case when lanes.always then lanes.channels * %(interval_s)s
                else part.attached_s end as attached_s
) installed
cross join lateral (
    select (%(interval_s)s * greatest(summed.channels, installed.channels))
               ::double precision as length_s
) whole
order by summed.time, summed.direction

-- name: read_days
-- Local days of sites and a quantity, per direction and for all of them.
select d.site_id, d.day, d.direction, d.volume,
       round(d.volume_normalised::numeric, 1)::double precision as volume_normalised,
       round(d.volume_estimated::numeric, 1)::double precision as volume_estimated,
       d.heavy, round(d.speed_kmh::numeric, 1)::double precision as speed_kmh,
       d.peak_hour, d.peak_volume,
       round(d.expected::numeric, 4)::double precision as expected,
       round(d.observed::numeric, 4)::double precision as observed,
       round(d.normalised::numeric, 4)::double precision as normalised,
       round(d.imputed::numeric, 4)::double precision as imputed,
       round(d.excluded::numeric, 4)::double precision as excluded,
       d.valid, d.method
from vp.daily_figure d
join vp.site s using (site_id)
join vp.municipality m using (municipality_id)
where d.site_id = any(%(site_ids)s::integer[])
  and d.day <= (now() at time zone m.time_zone)::date
  and s.visibility = any(%(visible)s::text[])
  and d.quantity = %(quantity)s
  and (%(direction)s::text is null or d.direction = %(direction)s)
  and d.day >= %(first)s::date and d.day <= %(last)s::date
order by d.site_id, d.day, d.direction

-- name: count_valid_days
-- How many valid local days sites have.
select d.site_id, count(*) as days
from vp.daily_figure d
join vp.site s using (site_id)
where d.site_id = any(%(site_ids)s::integer[])
  and s.visibility = any(%(visible)s::text[])
  and d.quantity = %(quantity)s and d.direction = 'all' and d.valid
  and d.day >= %(first)s::date and d.day <= %(last)s::date
group by d.site_id

-- name: read_suspected
-- When values of channels of sites are suspected to be of a sensor's fault, and nobody has
-- decided: see vp.suspected. Direction 'all' is all, and so is a quantity that is null.
with counted as (
    select c.site_id, c.channel_id, c.key, c.quantity, c.direction
    from vp.channel c
    join vp.site s using (site_id)
    where c.site_id = any(%(site_ids)s::integer[])
      and s.visibility = any(%(visible)s::text[])
      and (%(quantity)s::text is null or c.quantity = %(quantity)s)
      and (%(direction)s::text = 'all' or c.direction = %(direction)s)
)
select counted.site_id, f.channel_id, counted.key as channel, counted.quantity,
       counted.direction, f.began as since, f.ended as until, f.fault
from vp.suspected(
    array(select channel_id from counted), %(start)s, %(end)s, %(faults)s::text[],
    %(verdicts)s::text[]) f
join counted using (channel_id)
where f.began < least(%(end)s, now())
order by f.channel_id, f.began

-- name: read_channel_volumes
-- Quarter-hours and hours of the channels of a site and quantity in spans, as computed.
-- Span by span, by the primary key: else the planner reads the whole table for many spans.
select v.channel_id, v.interval_s, v.time, v.observed_s, v.gap_s, v.volume, v.total,
       v.unclassified, v.motorcycle, v.car, v.van, v.car_trailer, v.truck,
       v.truck_trailer, v.articulated, v.bus, v.bicycle, v.pedestrian, v.speed_kmh,
       v.usual, v.usual_spread, v.valid
from unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) as span (since, until)
join vp.channel c on c.site_id = %(site_id)s and c.quantity = %(quantity)s
join vp.site s using (site_id)
cross join lateral (
    select * from vp.volume v
    where v.channel_id = c.channel_id and v.interval_s in (900, 3600)
      and v.time >= span.since and v.time < span.until
    offset 0
) v
where s.visibility = any(%(visible)s::text[]) and v.time <= now()
order by v.channel_id, v.interval_s, v.time

-- name: read_long_volumes
-- Counts over intervals above an hour of the channels of a site and quantity, those that
-- began in the period.
select v.channel_id, v.time, v.interval_s, v.volume, v.total, v.unclassified,
       v.motorcycle, v.car, v.van, v.car_trailer, v.truck, v.truck_trailer,
       v.articulated, v.bus, v.bicycle, v.pedestrian, v.speed_kmh
from vp.long_volume v
join vp.channel c using (channel_id)
join vp.site s using (site_id)
where c.site_id = %(site_id)s
  and s.visibility = any(%(visible)s::text[])
  and c.quantity = %(quantity)s
  and v.time >= %(start)s and v.time < %(end)s and v.time <= now()

-- name: read_excluded
-- When a person excluded what channels of sites count; direction 'all' is all.
select c.site_id, e.channel_id, e.began as since, e.ended as until
from vp.case_member e
join vp.anomaly_case a using (anomaly_case_id)
join vp.channel c on c.channel_id = e.channel_id
join vp.site s on s.site_id = c.site_id
where c.site_id = any(%(site_ids)s::integer[])
  and s.visibility = any(%(visible)s::text[])
  and c.quantity = %(quantity)s
  and (%(direction)s::text = 'all' or c.direction = %(direction)s)
  and e.withdrawn_at is null
  and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
  and e.began < %(end)s and e.ended > %(start)s

-- name: read_environment
-- Hourly means of an environment quantity of a site, per channel. An hour that a person
-- excluded knows nothing but its share.
with measured as (
    select c.channel_id, c.key
    from vp.channel c
    join vp.site s using (site_id)
    where c.site_id = %(site_id)s
      and s.visibility = any(%(visible)s::text[])
      and c.quantity = %(quantity)s
), left_out as materialized (
    select e.channel_id, e.began, e.ended
    from vp.case_member e
    join vp.anomaly_case a using (anomaly_case_id)
    join measured on measured.channel_id = e.channel_id
    where e.withdrawn_at is null
      and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
      and e.began < %(end)s + interval '1 hour' and e.ended > %(start)s
    union all
    select f.channel_id, f.began, f.ended
    from vp.suspected(
        array(select channel_id from measured), %(start)s, %(end)s + interval '1 hour',
        %(faults)s::text[], %(verdicts)s::text[]) f
    where %(trusted)s::boolean
)
select h.time, measured.key as channel,
       case when excluded.is_so then 0 else share.of_hour end as observed,
       case when excluded.is_so then share.of_hour else 0 end as excluded,
       case when not excluded.is_so then h.mean end as mean,
       case when not excluded.is_so then h.minimum end as minimum,
       case when not excluded.is_so then h.maximum end as maximum
from vp.environment_hour h
join measured using (channel_id)
cross join lateral (
    select round(h.observed_s::numeric / 3600, 4)::double precision as of_hour
) share
cross join lateral (
    -- asked of each hour only where anything is excluded at all, and once (offset 0)
    select exists (select from left_out) and exists (
        select from left_out x
        where x.channel_id = h.channel_id
          and x.began < h.time + interval '1 hour' and x.ended > h.time
    ) as is_so
    offset 0
) excluded
where h.time >= %(start)s and h.time < %(end)s and h.time <= now()
order by h.time, measured.key

-- name: read_long_environment
-- Values of an environment quantity of a site over intervals above an hour, per channel,
-- without those that a person excluded or, where they are to be trusted, that are
-- suspected: see vp.suspected.
with measured as (
    select c.channel_id, c.key
    from vp.channel c
    join vp.site s using (site_id)
    where c.site_id = %(site_id)s
      and s.visibility = any(%(visible)s::text[])
      and c.quantity = %(quantity)s
), left_out as materialized (
    select x.channel_id, x.began, x.ended
    from vp.case_member x
    join vp.anomaly_case a using (anomaly_case_id)
    join measured on measured.channel_id = x.channel_id
    where x.withdrawn_at is null
      and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
      and x.ended > %(start)s
    union all
    select f.channel_id, f.began, f.ended
    from vp.suspected(
        -- none is longer than a local day
        array(select channel_id from measured), %(start)s, %(end)s + interval '25 hours',
        %(faults)s::text[], %(verdicts)s::text[]) f
    where %(trusted)s::boolean
)
select e.channel_id, e.time, e.interval_s, e.value
from vp.long_environment e
join measured using (channel_id)
where e.time >= %(start)s and e.time < %(end)s and e.time <= now()
  and not exists (
      select from left_out x
      where x.channel_id = e.channel_id and x.ended > e.time
        and x.began < e.time + make_interval(secs => e.interval_s))
order by e.time, measured.key

-- name: read_speed_histograms
-- Merged speed histograms of a site's hours, per channel; direction 'all' is all. An hour
-- that a person excluded knows nothing but how much of it there was.
with counted as (
    select c.channel_id
    from vp.channel c
    join vp.site s using (site_id)
    where c.site_id = %(site_id)s
      and s.visibility = any(%(visible)s::text[])
      and c.quantity = %(quantity)s
      and (%(direction)s::text = 'all' or c.direction = %(direction)s)
), left_out as materialized (
    select e.channel_id, e.began, e.ended
    from vp.case_member e
    join vp.anomaly_case a using (anomaly_case_id)
    join counted on counted.channel_id = e.channel_id
    where e.withdrawn_at is null
      and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
      and e.began < %(end)s + interval '1 hour' and e.ended > %(start)s
    union all
    select f.channel_id, f.began, f.ended
    from vp.suspected(
        array(select channel_id from counted), %(start)s, %(end)s + interval '1 hour',
        %(faults)s::text[], %(verdicts)s::text[]) f
    where %(trusted)s::boolean
)
select h.channel_id, h.time,
       case when excluded.is_so then 0 else h.observed_s end as observed_s,
       case when excluded.is_so then h.observed_s else 0 end as excluded_s,
       case when not excluded.is_so then h.counts end as counts,
       case when not excluded.is_so then h.open_kmh end as open_kmh,
       case when not excluded.is_so then h.rebinned end as rebinned,
       case when not excluded.is_so then h.refused end as refused
from vp.speed_histogram h
join counted using (channel_id)
cross join lateral (
    -- asked of each hour only where anything is excluded at all, and once (offset 0)
    select exists (select from left_out) and exists (
        select from left_out x
        where x.channel_id = h.channel_id
          and x.began < h.time + interval '1 hour' and x.ended > h.time
    ) as is_so
    offset 0
) excluded
where h.time >= %(start)s and h.time < %(end)s and h.time <= now()
order by h.time, h.channel_id

-- name: list_cases
-- Anomaly cases, newest first; keys and times that are null select all. How a case
-- stands: see vp.case_stands. A case is at the sites of all its members, but shown only
-- where its leading site is visible. What it says is what was found there: of the
-- members that match what is asked the one that names the case, else the first by
-- `naming`, else the least likely. Members that were withdrawn tell only of a case
-- without others.
select a.anomaly_case_id, own.detector, own.first as began, own.last as ended,
       own.began as found_began, own.ended as found_ended,
       own.observed, own.usual, own.score, own.reason, a.state, a.effect, a.severity,
       a.detectors, a.channels, a.sites,
       a.opened_at, a.updated_at, a.withdrawn_at,
       m.key as municipality, own.site, own.site_name,
       own.channel, own.channel_name, own.quantity, own.direction,
       own.direction_name,
       m.time_zone, m.simulated,
       stands.how <> 'closed' as open, stands.how = 'current' as current,
       stands.how as standing, (count(*) over ())::integer as matching
from vp.anomaly_case a
join vp.site s on s.site_id = a.site_id
join vp.municipality m using (municipality_id)
cross join lateral (
    select vp.case_stands(
        a, coalesce(%(now)s::timestamptz, now()), %(current_days)s) as how
) stands
cross join lateral (
    select e.detector, e.began, e.ended, e.observed, e.usual, e.score, e.reason,
           min(e.began) over () as first, max(e.ended) over () as last,
           t.key as site, t.name as site_name, c.key as channel, c.name as channel_name,
           c.quantity, c.direction, c.direction_name
    from vp.case_member e
    join vp.channel c using (channel_id)
    join vp.site t using (site_id)
    cross join lateral (
        select (e.channel_id, e.detector, e.reason, e.score)
               = (a.channel_id, a.detector, a.reason, a.score) as names
    ) leads
    where e.anomaly_case_id = a.anomaly_case_id
      and (e.withdrawn_at is null or not exists (
          select from vp.case_member o
          where o.anomaly_case_id = a.anomaly_case_id and o.withdrawn_at is null))
      and t.visibility = any(%(visible)s::text[])
      and (%(site)s::text is null or t.key = %(site)s)
      and (%(quantity)s::text is null or c.quantity = %(quantity)s)
      and (%(direction)s::text is null or c.direction = %(direction)s)
      and (%(start)s::timestamptz is null or e.ended > %(start)s)
      and (%(end)s::timestamptz is null or e.began < %(end)s)
    order by leads.names desc, e.channel_id = a.channel_id and e.reason = a.reason desc,
             e.reason = a.reason desc,
             array_position(%(naming)s::text[], e.reason), e.score desc, e.began,
             e.case_member_id
    limit 1
) own
where s.visibility = any(%(visible)s::text[])
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(case)s::bigint is null or a.anomaly_case_id = %(case)s)
  and (%(standing)s::text[] is null or stands.how = any(%(standing)s::text[]))
  -- so that the index of the site is used
  and (%(site)s::text is null or a.anomaly_case_id in (
      select e.anomaly_case_id
      from vp.case_member e
      join vp.channel c using (channel_id)
      join vp.site t using (site_id)
      where t.key = %(site)s))
  and (%(start)s::timestamptz is null or a.ended > %(start)s)
  and (%(end)s::timestamptz is null or a.began < %(end)s)
order by own.first desc, a.anomaly_case_id desc
limit %(limit)s offset %(skip)s

-- name: count_cases
-- Open cases by how they stand, of municipalities and of the sites at which they are: a
-- case at several sites counts once for its municipality. Seen as in list_cases.
select m.key as municipality, t.key as site,
       count(distinct a.anomaly_case_id) filter (where stands.how = 'current') as current,
       count(distinct a.anomaly_case_id) filter (where stands.how = 'older') as older,
       count(distinct a.anomaly_case_id) filter (where stands.how = 'history') as history
from vp.anomaly_case a
join vp.site s on s.site_id = a.site_id
join vp.municipality m using (municipality_id)
join vp.case_member e on e.anomaly_case_id = a.anomaly_case_id and e.withdrawn_at is null
join vp.channel c on c.channel_id = e.channel_id
join vp.site t on t.site_id = c.site_id
cross join lateral (
    select vp.case_stands(
        a, coalesce(%(now)s::timestamptz, now()), %(current_days)s) as how
) stands
where a.withdrawn_at is null and a.state in ('suspected', 'confirmed')
  and s.visibility = any(%(visible)s::text[])
  and t.visibility = any(%(visible)s::text[])
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(site)s::text is null or t.key = %(site)s)
group by grouping sets ((m.key), (m.key, t.key))
order by 1, 2

-- name: read_findings
-- What was found of a quantity at a site in a period, as open cases tell: of each the
-- channel's direction. Seen as in list_cases.
select e.anomaly_case_id, c.key as channel, c.direction, e.reason, e.began, e.ended,
       e.score
from vp.case_member e
join vp.anomaly_case a using (anomaly_case_id)
join vp.channel c on c.channel_id = e.channel_id
join vp.site t on t.site_id = c.site_id
join vp.site s on s.site_id = a.site_id
where c.site_id = %(site_id)s and c.quantity = %(quantity)s
  and s.visibility = any(%(visible)s::text[]) and t.visibility = any(%(visible)s::text[])
  and e.withdrawn_at is null and a.withdrawn_at is null
  and a.state in ('suspected', 'confirmed')
  and e.began < %(end)s and e.ended > %(start)s
order by e.anomaly_case_id, c.direction,
         array_position(%(naming)s::text[], e.reason), e.score desc, e.began

-- name: list_open_cases
-- Open cases with a member in a period at one of some places; direction 'all' is all.
-- Shown only where the leading site is visible.
select distinct a.anomaly_case_id, c.site_id
from unnest(%(sites)s::integer[], %(quantities)s::text[], %(directions)s::text[])
     as place (site_id, quantity, direction)
join vp.channel c
  on c.site_id = place.site_id and c.quantity = place.quantity
 and place.direction in ('all', c.direction)
join vp.case_member e on e.channel_id = c.channel_id
join vp.anomaly_case a on a.anomaly_case_id = e.anomaly_case_id
join vp.site s on s.site_id = a.site_id
where s.visibility = any(%(visible)s::text[])
  and e.withdrawn_at is null and a.withdrawn_at is null
  and a.state in ('suspected', 'confirmed')
  and e.began < %(end)s and e.ended > %(start)s
order by a.anomaly_case_id

-- name: list_ambiguous_hours
-- Hours (UTC) of readings at some places whose wall clock showed their time twice, while
-- nothing tells which of the two is meant; direction 'all' is all.
select distinct c.site_id, date_trunc('hour', a.time, 'UTC') as hour
from unnest(%(sites)s::integer[], %(quantities)s::text[], %(directions)s::text[])
     as place (site_id, quantity, direction)
join vp.channel c
  on c.site_id = place.site_id and c.quantity = place.quantity
 and place.direction in ('all', c.direction)
join vp.site s on s.site_id = c.site_id
join vp.ambiguous a on a.channel_id = c.channel_id
where s.visibility = any(%(visible)s::text[])
  and a.time >= %(start)s and a.time < %(end)s
order by hour

-- name: read_latest
-- The newest whole hour of each site and counted quantity: the last one that had ended
-- by `now` and for which anything was counted that no person excluded. Observed is the
-- share over the channels at which a sensor was attached.
with left_out as materialized (
    select e.channel_id, e.began, e.ended
    from vp.case_member e
    join vp.anomaly_case a using (anomaly_case_id)
    where e.withdrawn_at is null
      and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
), counted as materialized (
    select c.channel_id, c.site_id, c.quantity
    from vp.channel c
    join vp.site s using (site_id)
    where s.visibility = any(%(visible)s::text[])
), newest as (
    -- of each channel, with that of its site
    select counted.*, v.*,
           max(v.time) over (partition by counted.site_id, counted.quantity) as last
    from counted
    left join lateral (
        select v.time, v.volume, v.usual, v.usual_spread, v.observed_s
        from vp.volume v
        where v.channel_id = counted.channel_id and v.interval_s = 3600
          and v.time <= coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
          and not exists (
              select from left_out x
              where x.channel_id = v.channel_id
                and x.began < v.time + interval '1 hour' and x.ended > v.time)
        order by v.time desc
        limit 1
    ) v on true
), told as (
    select newest.*, newest.time = newest.last as counts,
           exists (
               select from vp.installation i
               where i.channel_id = newest.channel_id
                 and i.period && tstzrange(newest.last, newest.last + interval '1 hour')
           ) as attached
    from newest
    where newest.last is not null
)
select site_id, quantity, last as time, sum(volume) filter (where counts) as volume,
       round(case when count(*) filter (where counts)
                       = count(usual) filter (where counts)
                  then sum(usual::double precision) filter (where counts)
             end::numeric, 1)::double precision as usual,
       -- what is usual swings between two kinds of days: see analytics/baseline/baseline.py
       bool_or(usual is null and usual_spread is not null) filter (where counts)
           as two_kinds,
       round(sum(observed_s) filter (where counts)::numeric
             / (3600 * greatest(count(*) filter (where counts),
                                count(*) filter (where attached))), 4)
           ::double precision as observed
from told
group by site_id, quantity, last
order by site_id, quantity

-- name: read_latest_values
-- The newest whole hour, or longer interval where that ended later, of each environment
-- quantity of each site that counts nothing: of the first channel of those that have the
-- newest one, what no person excluded.
with left_out as materialized (
    select e.channel_id, e.began, e.ended
    from vp.case_member e
    join vp.anomaly_case a using (anomaly_case_id)
    where e.withdrawn_at is null
      and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
)
select distinct on (c.site_id, c.quantity)
       c.site_id, c.quantity, h.time, h.interval_s, h.mean
from vp.channel c
join vp.site s using (site_id)
cross join lateral (
    select newest.*, newest.time + make_interval(secs => newest.interval_s) as ended
    from (
        (select h.time, 3600 as interval_s, h.mean
         from vp.environment_hour h
         where h.channel_id = c.channel_id
           and h.time <= coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
           and not exists (
               select from left_out x
               where x.channel_id = h.channel_id
                 and x.began < h.time + interval '1 hour' and x.ended > h.time)
         order by h.time desc
         limit 1)
        union all
        (select l.time, l.interval_s, l.value
         from vp.long_environment l
         where l.channel_id = c.channel_id
           and l.time + make_interval(secs => l.interval_s)
               <= coalesce(%(now)s::timestamptz, now())
           and not exists (
               select from left_out x
               where x.channel_id = l.channel_id
                 and x.began < l.time + make_interval(secs => l.interval_s)
                 and x.ended > l.time)
         order by l.time desc
         limit 1)
    ) newest
    order by ended desc
    limit 1
) h
where s.visibility = any(%(visible)s::text[])
  and not exists (select from vp.channel o
                  where o.site_id = c.site_id and o.quantity = any(%(counted)s::text[]))
order by c.site_id, c.quantity, h.ended desc, c.key

-- name: list_ledger
-- The ledger per sensor and hour of reception, over all worker slots; messages of no
-- known sensor have neither municipality nor sensor and are left out where one is asked
-- for. Expected are the readings of all outputs while they were installed, up to now;
-- `silent` asks for hours too in which nothing came. A sensor is visible where one of
-- its sites is.
with visible as (
    select e.sensor_id, m.key as municipality, e.key as sensor, e.interval_s
    from vp.sensor e
    join vp.municipality m using (municipality_id)
    where (%(municipality)s::text is null or m.key = %(municipality)s)
      and (%(sensor)s::text is null or e.key = %(sensor)s)
      and exists (
          select from vp.installation i
          join vp.channel c using (channel_id)
          join vp.site s using (site_id)
          where i.sensor_id = e.sensor_id
            and s.visibility = any(%(visible)s::text[]))
), came as (
    select l.sensor_id, l.hour,
           max(l.last_received_at) as last_received_at,
           sum(l.messages_received)::bigint as messages_received,
           sum(l.messages_accepted)::bigint as messages_accepted,
           sum(l.messages_partly_accepted)::bigint as messages_partly_accepted,
           sum(l.messages_rejected)::bigint as messages_rejected,
           sum(l.messages_unknown_sensor)::bigint as messages_unknown_sensor,
           sum(l.readings_received)::bigint as readings_received,
           sum(l.readings_stored)::bigint as readings_stored,
           sum(l.readings_duplicate)::bigint as readings_duplicate,
           sum(l.readings_corrected)::bigint as readings_corrected,
           sum(l.readings_rejected)::bigint as readings_rejected,
           sum(l.readings_late)::bigint as readings_late,
           sum(l.readings_overlapping)::bigint as readings_overlapping,
           sum(l.sequence_lost)::bigint as sequence_lost
    from vp.ledger l
    where l.hour >= %(start)s and l.hour < %(end)s
      and (l.sensor_id in (select sensor_id from visible)
           or (l.sensor_id is null
               and %(municipality)s::text is null and %(sensor)s::text is null))
    group by l.sensor_id, l.hour
), rejects as (
    select sensor_id, hour, jsonb_object_agg(reason, messages order by reason) as reasons
    from (
        select r.sensor_id, r.hour, r.reason, sum(r.messages)::bigint as messages
        from vp.ledger_reject r
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
        from vp.ledger_field f
        where f.hour >= %(start)s and f.hour < %(end)s
        group by 1, 2, 3, 4
    ) f
    group by sensor_id, hour
), hours as (
    select sensor_id, hour from came
    union
    select visible.sensor_id, hour
    from visible, generate_series(
        date_trunc('hour', %(start)s::timestamptz, 'UTC'),
        least(%(end)s::timestamptz, now()) - interval '1 microsecond', '1 hour') hour
    where %(silent)s::boolean and hour >= %(start)s
), expected as (
    select hours.sensor_id, hours.hour,
           round(sum(extract(epoch from
               least(upper(i.period), hours.hour + interval '1 hour', now())
               - greatest(lower(i.period), hours.hour))
               / visible.interval_s))::bigint as readings
    from hours
    join visible using (sensor_id)
    join vp.installation i using (sensor_id)
    where i.period && tstzrange(
        least(hours.hour, now()), least(hours.hour + interval '1 hour', now()))
    group by hours.sensor_id, hours.hour
)
select visible.municipality, visible.sensor, hours.hour, came.last_received_at,
       coalesce(expected.readings, 0) as readings_expected,
       coalesce(came.messages_received, 0) as messages_received,
       coalesce(came.messages_accepted, 0) as messages_accepted,
       coalesce(came.messages_partly_accepted, 0) as messages_partly_accepted,
       coalesce(came.messages_rejected, 0) as messages_rejected,
       coalesce(came.messages_unknown_sensor, 0) as messages_unknown_sensor,
       coalesce(came.readings_received, 0) as readings_received,
       coalesce(came.readings_stored, 0) as readings_stored,
       coalesce(came.readings_duplicate, 0) as readings_duplicate,
       coalesce(came.readings_corrected, 0) as readings_corrected,
       coalesce(came.readings_rejected, 0) as readings_rejected,
       coalesce(came.readings_late, 0) as readings_late,
       coalesce(came.readings_overlapping, 0) as readings_overlapping,
       coalesce(came.sequence_lost, 0) as sequence_lost,
       coalesce(rejects.reasons, '{}') as rejects,
       coalesce(left_out.dropped, '{}') as fields_dropped
from hours
-- no sensor is 0: a join by `is not distinct from` would try each with each
left join came on came.hour = hours.hour
    and coalesce(came.sensor_id, 0) = coalesce(hours.sensor_id, 0)
left join visible on visible.sensor_id = hours.sensor_id
left join expected on expected.hour = hours.hour
    and expected.sensor_id = hours.sensor_id
left join rejects on rejects.hour = hours.hour
    and coalesce(rejects.sensor_id, 0) = coalesce(hours.sensor_id, 0)
left join left_out on left_out.hour = hours.hour
    and left_out.sensor_id = hours.sensor_id
where came.hour is not null or expected.readings > 0
order by hours.hour desc, visible.municipality, visible.sensor
limit %(limit)s

-- name: sum_ledger
-- The whole ledger per municipality, by its running sums; null is that of no known
-- sensor.
select m.key as municipality,
       sum(l.messages_received)::bigint as messages_received,
       sum(l.messages_accepted)::bigint as messages_accepted,
       sum(l.messages_partly_accepted)::bigint as messages_partly_accepted,
       sum(l.messages_rejected)::bigint as messages_rejected,
       sum(l.messages_unknown_sensor)::bigint as messages_unknown_sensor,
       sum(l.readings_received)::bigint as readings_received,
       sum(l.readings_stored)::bigint as readings_stored,
       sum(l.readings_duplicate)::bigint as readings_duplicate,
       sum(l.readings_corrected)::bigint as readings_corrected,
       sum(l.readings_rejected)::bigint as readings_rejected,
       sum(l.readings_late)::bigint as readings_late,
       sum(l.readings_overlapping)::bigint as readings_overlapping,
       sum(l.sequence_lost)::bigint as sequence_lost
from vp.ledger_sum l
left join vp.municipality m using (municipality_id)
group by m.key
order by m.key

-- name: count_rejected
-- Rejected messages by reason: all that ever were, and those of them that were only
-- counted because there was no room; replays are not counted again.
select reason, sum(messages)::bigint as messages,
       sum(messages - kept)::bigint as only_counted
from vp.ledger_reject_sum
where slot <> 101
group by reason
order by reason

-- name: count_open_cases
-- Current cases per municipality that has sites, those without a case too.
select m.key as municipality, count(a.anomaly_case_id) as cases
from vp.municipality m
join vp.site s using (municipality_id)
left join vp.anomaly_case a on a.site_id = s.site_id
    and vp.case_stands(a, now(), %(current_days)s) = 'current'
group by m.key
order by m.key

-- name: read_work
-- What is left to compute, and how long ago the newest committed message came from a
-- broker: what is imported or replayed is no sign of one that still sends.
select (select count(*) from vp.stale_bucket) as stale_buckets,
       (select extract(epoch from now() - max(newest.last_received_at))
        from (
            (select l.last_received_at
             from vp.sensor e
             cross join lateral (
                 select l.last_received_at
                 from vp.ledger l
                 where l.sensor_id = e.sensor_id and l.hour <= now() and l.slot < 100
                 order by l.hour desc, l.last_received_at desc
                 limit 1
             ) l)
            union all
            (select l.last_received_at
             from vp.ledger l
             where l.sensor_id is null and l.hour <= now() and l.slot < 100
             order by l.hour desc, l.last_received_at desc
             limit 1)
        ) newest)::double precision as since_last_commit_s,
       (select min(certificate_ends) from vp.ingest_session) as certificate_ends

-- name: list_corridors
-- Corridors with their stations, in the order in which they are passed; only those all
-- of whose sites may be seen. A key that is null selects all.
select r.corridor_id, r.key, r.name, m.key as municipality, m.state, m.time_zone,
       m.simulated, k.stations
from vp.corridor r
join vp.municipality m using (municipality_id)
join lateral (
    select jsonb_agg(jsonb_build_object(
               'station', t.station, 'site_id', t.site_id, 'site', s.key,
               'site_name', s.name, 'direction', t.direction,
               'chainage_m', t.chainage_m, 'speed_limit_kmh', s.speed_limit_kmh)
               order by t.station) as stations,
           bool_and(s.visibility = any(%(visible)s::text[])) as seen
    from vp.corridor_station t
    join vp.site s using (site_id)
    where t.corridor_id = r.corridor_id
) k on k.seen
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(corridor)s::text is null or r.key = %(corridor)s)
order by m.key, r.key

-- name: list_junctions
-- Junctions with their arms; only those all of whose sites may be seen. A key that is
-- null selects all.
select j.junction_id, j.key, j.name, m.key as municipality, m.time_zone,
       m.simulated, k.arms
from vp.junction j
join vp.municipality m using (municipality_id)
join lateral (
    select jsonb_agg(jsonb_build_object(
               'site_id', a.site_id, 'site', s.key, 'site_name', s.name,
               'direction', a.direction, 'leads', a.leads)
               order by a.leads, s.key, a.direction) as arms,
           bool_and(s.visibility = any(%(visible)s::text[])) as seen
    from vp.junction_arm a
    join vp.site s using (site_id)
    where a.junction_id = j.junction_id
) k on k.seen
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(junction)s::text is null or j.key = %(junction)s)
order by m.key, j.key

-- name: read_volumes_of_sites
-- Volumes of motor vehicles of several sites, per direction, summed over lanes. What a
-- person excluded counts for nothing but its share. `observed` is the share over all
-- lanes at which a sensor was attached, as in read_volumes, `least_observed` that of the
-- one with the least: nothing where one is missing or excluded.
with counted as (
    select c.channel_id, c.site_id, c.direction,
           min(coalesce(lower(i.period), '-infinity')) as since,
           max(coalesce(upper(i.period), 'infinity')) as until
    from vp.channel c
    join vp.site s using (site_id)
    left join vp.installation i using (channel_id)
    where c.site_id = any(%(site_ids)s::integer[])
      and s.visibility = any(%(visible)s::text[])
      and c.quantity = 'motor'
    group by c.channel_id
), lanes as materialized (
    select site_id, direction, count(*) as channels,
           bool_and(since <= %(start)s and until >= %(end)s
                    + make_interval(secs => %(interval_s)s)) as always
    from counted
    group by site_id, direction
), left_out as materialized (
    -- as one value for each channel: to search in it costs little for each bin
    select channel_id, range_agg(tstzrange(began, greatest(began, ended))) as spans
    from (
        select e.channel_id, e.began, e.ended
        from vp.case_member e
        join vp.anomaly_case a using (anomaly_case_id)
        join counted on counted.channel_id = e.channel_id
        where e.withdrawn_at is null
          and a.effect = 'exclude' and a.state in ('confirmed', 'explained')
          and e.began < %(end)s + make_interval(secs => %(interval_s)s)
          and e.ended > %(start)s
        union all
        select f.channel_id, f.began, f.ended
        from vp.suspected(
            array(select channel_id from counted), %(start)s, %(end)s + make_interval(secs => %(interval_s)s),
            %(faults)s::text[], %(verdicts)s::text[]) f
        where %(trusted)s::boolean
    ) f
    group by channel_id
), summed as (
    select o.site_id, o.direction, v.time, count(*) as channels,
           coalesce(sum(v.observed_s) filter (where not excluded.is_so), 0)
               as observed_s,
           coalesce(sum(v.observed_s) filter (where excluded.is_so), 0) as excluded_s,
           min(case when excluded.is_so then 0 else v.observed_s end) as least_s,
           (sum(v.volume) filter (where not excluded.is_so))::integer as volume,
           sum(v.speed_kmh::double precision * v.volume)
               filter (where not excluded.is_so)
               / nullif(sum(v.volume) filter (where v.speed_kmh is not null
                                              and not excluded.is_so), 0)
               as speed_kmh
    from vp.volume v
    join counted o using (channel_id)
    left join left_out x using (channel_id)
    cross join lateral (
        -- once (offset 0): else each column that it decides on would ask again
        select coalesce(x.spans && tstzrange(
            v.time, v.time + make_interval(secs => v.interval_s)), false) as is_so
        offset 0
    ) excluded
    where v.interval_s = %(interval_s)s
      and v.time >= %(start)s and v.time < %(end)s and v.time <= now()
    group by o.site_id, o.direction, v.time
)
-- rounded half up as doubles, as in read_volumes
select summed.site_id, summed.direction, summed.time,
       floor(summed.observed_s / whole.length_s * 10000 + 0.5) / 10000 as observed,
       floor(summed.excluded_s / whole.length_s * 10000 + 0.5) / 10000 as excluded,
       case when summed.channels * %(interval_s)s = whole.length_s
           then floor(summed.least_s / %(interval_s)s::double precision * 10000 + 0.5)
                / 10000
           else 0
       end as least_observed,
       summed.volume, summed.speed_kmh
from summed
join lanes using (site_id, direction)
-- looked up for each bin only where a channel was not attached all the time
cross join lateral (
    select count(*) as channels
    from counted
    where not lanes.always
      and counted.site_id = summed.site_id and counted.direction = summed.direction
      and counted.since < summed.time + make_interval(secs => %(interval_s)s)
      and counted.until > summed.time
) part
cross join lateral (
    select (%(interval_s)s
            * greatest(summed.channels, case when lanes.always then lanes.channels
                                             else part.channels end))
               ::double precision as length_s
) whole
order by summed.time, summed.site_id, summed.direction

-- name: read_counts_known_at
-- Count readings of a site in the versions that were known at an earlier time: a value
-- that was corrected since then, but had come, is the replaced one.
with known as (
    select r.* from vp.count_reading r
    join vp.channel c using (channel_id)
    join vp.site s using (site_id)
    where c.site_id = %(site_id)s and c.quantity = %(quantity)s
      and s.visibility = any(%(visible)s::text[])
      and r.time >= %(start)s and r.time < %(end)s
      and r.received_at <= %(known_at)s
    union all
    select h.channel_id, h.time, h.interval_s, h.sensor_id, h.received_at,
           h.time_origin, h.revision, h.total, h.unclassified, h.motorcycle, h.car,
           h.van, h.car_trailer, h.truck, h.truck_trailer, h.articulated, h.bus,
           h.bicycle, h.pedestrian, h.speed_kmh, h.occupancy, h.histogram_from_kmh,
           h.histogram_width_kmh, h.histogram, h.observed_s
    from vp.count_reading_history h
    join vp.channel c using (channel_id)
    join vp.site s using (site_id)
    where c.site_id = %(site_id)s and c.quantity = %(quantity)s
      and s.visibility = any(%(visible)s::text[])
      and h.time >= %(start)s and h.time < %(end)s
      and h.received_at <= %(known_at)s and h.replaced_at > %(known_at)s
)
select k.channel_id, k.time, k.interval_s, k.received_at, k.observed_s, k.total,
       k.unclassified, k.motorcycle, k.car, k.van, k.car_trailer, k.truck, k.truck_trailer,
       k.articulated, k.bus, k.bicycle, k.pedestrian, k.speed_kmh, c.quantity
from known k
join vp.channel c using (channel_id)

-- name: read_installed
-- When sensors were attached to the channels of a site; open ends far away.
select i.channel_id,
       greatest('1970-01-01', least('2200-01-01', lower(i.period))) as since,
       greatest('1970-01-01', least('2200-01-01', upper(i.period))) as until,
       e.interval_s, e.class_scheme
from vp.installation i
join vp.sensor e using (sensor_id)
join vp.channel c using (channel_id)
join vp.site s using (site_id)
where c.site_id = %(site_id)s and s.visibility = any(%(visible)s::text[])
