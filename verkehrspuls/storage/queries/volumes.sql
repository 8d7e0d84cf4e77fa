-- Volumes: what was counted, per interval. Nothing of the future is read: a clock that is or was ahead wrote
-- that.

-- part: bins
-- Bins of lanes of a site, quantity and direction in a period; null is each direction.
with chosen as (
    select c.channel_id,
           case when %(direction)s::text = 'all' then 'all' else c.direction end
               as direction,
           min(coalesce(lower(i.period), '-infinity')) as since,
           max(coalesce(upper(i.period), 'infinity')) as until
    from channel c
    join site s using (site_id)
    left join installation i using (channel_id)
    where c.site_id = %(site_id)s
     
      and c.quantity = %(quantity)s
      and (%(direction)s::text is null or %(direction)s::text = 'all'
           or c.direction = %(direction)s)
    group by c.channel_id, c.direction
), lanes as materialized (
    select sums.direction, count(*) as channels,
           bool_and(since <= %(start)s and until >= %(end)s
                    + make_interval(secs => %(interval_s)s)) as always
    from chosen
    cross join lateral unnest(
        case when %(together)s::boolean then array[direction, 'all']
             else array[direction] end) as sums (direction)
    group by sums.direction
), left_out as materialized (
    {{> left_out_by_channel}}
), bins as (
    -- a bin that is excluded knows nothing
    select v.time, chosen.direction, v.observed_s as seen_s, excluded.is_so,
           case when not excluded.is_so then v.observed_s end as observed_s,
           case when not excluded.is_so then v.volume end as volume,
           {{case when not excluded.is_so then v.$count end as $count}},
           case when not excluded.is_so then v.speed_kmh end as speed_kmh,
           case when not excluded.is_so then v.usual end as usual,
           case when not excluded.is_so then v.usual_spread end as usual_spread,
           case when not excluded.is_so then v.valid end as valid
    from volume v
    join chosen using (channel_id)
    {{> bins_of_period}}
)

-- part: attached
-- Channels at which a sensor was attached in a bin.
chosen
where summed.direction in (chosen.direction, 'all')
  and chosen.since < summed.time + make_interval(secs => %(interval_s)s)
  and chosen.until > summed.time

-- part: volumes
{{> bins}}, summed as (
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
           {{case when count(v.observed_s) = count(v.$count)
               then sum(v.$count) end as $count}},
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
       {{summed.$count}},
       floor(summed.speed_kmh * 10 + 0.5) / 10 as speed_kmh,
       floor(summed.usual * 10 + 0.5) / 10 as usual,
       floor(summed.usual_spread * 10 + 0.5) / 10 as usual_spread
from summed
join lanes using (direction)
cross join lateral (
    -- looked up for each bin only where a channel was not attached all the time
    select case when lanes.always then lanes.channels
                else (select count(*) from {{> attached}}) end as channels,
           case when lanes.always then lanes.channels * %(interval_s)s
                else (select coalesce(sum(extract(epoch from
                          least(chosen.until,
                                summed.time + make_interval(secs => %(interval_s)s))
                          - greatest(chosen.since, summed.time))), 0)
                          ::double precision
                      from {{> attached}}) end as attached_s
    offset 0
) installed
cross join lateral (
    select (%(interval_s)s * greatest(summed.channels, installed.channels))
               ::double precision as length_s
) whole

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
{{> volumes}}
order by summed.time, summed.direction

-- name: read_flows
-- The same without classes and speeds, which take half of the time; in any order. What
-- is usual is null where it is not asked for.
select time, direction, observed, normalised, imputed, excluded, valid,
       volume, volume_normalised,
       case when %(usual)s::boolean then usual end as usual,
       case when %(usual)s::boolean then usual_spread end as usual_spread
from ({{> volumes}}) v

-- name: read_class_sums
-- Volumes of a cross-section by class: sums over the bins that know the same classes.
-- As in read_volumes a class is unknown where it is unknown for one of the lanes.
{{> bins}}, hours as (
    select sum(v.volume)::double precision as volume,
           {{case when count(v.observed_s) = count(v.$count)
               then sum(v.$count)::double precision end as $count}}
    from bins v
    group by v.time
)
select sum(volume) as volume, {{sum($count) as $count}}
from hours
group by {{$count is null}}

-- name: read_volumes_of_sites
-- Volumes of motor vehicles of several sites, per direction, summed over lanes. What a
-- person excluded counts for nothing but its share. `observed` is the share over all
-- lanes at which a sensor was attached, as in read_volumes, `least_observed` that of the
-- one with the least: nothing where one is missing or excluded.
with chosen as (
    select c.channel_id, c.site_id, c.direction,
           min(coalesce(lower(i.period), '-infinity')) as since,
           max(coalesce(upper(i.period), 'infinity')) as until
    from channel c
    join site s using (site_id)
    left join installation i using (channel_id)
    where c.site_id = any(%(site_ids)s::integer[])
     
      and c.quantity = 'motor'
    group by c.channel_id, c.site_id, c.direction
), lanes as materialized (
    select site_id, direction, count(*) as channels,
           bool_and(since <= %(start)s and until >= %(end)s
                    + make_interval(secs => %(interval_s)s)) as always
    from chosen
    group by site_id, direction
), left_out as materialized (
    {{> left_out_by_channel}}
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
    from volume v
    join chosen o using (channel_id)
    {{> bins_of_period}}
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
    from chosen
    where not lanes.always
      and chosen.site_id = summed.site_id and chosen.direction = summed.direction
      and chosen.since < summed.time + make_interval(secs => %(interval_s)s)
      and chosen.until > summed.time
) part
cross join lateral (
    select (%(interval_s)s
            * greatest(summed.channels, case when lanes.always then lanes.channels
                                             else part.channels end))
               ::double precision as length_s
) whole
order by summed.time, summed.site_id, summed.direction

-- name: read_channel_volumes
-- Quarter-hours and hours of the channels of a site and quantity in spans, as computed.
-- Span by span, by the primary key: else the planner reads the whole table for many spans.
select v.channel_id, v.interval_s, v.time, v.observed_s, v.gap_s, v.volume, {{v.$count}},
       v.speed_kmh,
       v.usual, v.usual_spread, v.valid
from unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) as span (since, until)
join channel c on c.site_id = %(site_id)s and c.quantity = %(quantity)s
join site s using (site_id)
cross join lateral (
    select * from volume v
    where v.channel_id = c.channel_id and v.interval_s in (900, 3600)
      and v.time >= span.since and v.time < span.until
    offset 0
) v
where v.time <= now()
order by v.channel_id, v.interval_s, v.time

-- name: read_long_volumes
-- Counts over intervals above an hour of the channels of a site and quantity, those that
-- began in the period.
select v.channel_id, v.time, v.interval_s, v.volume, {{v.$count}}, v.speed_kmh
from long_volume v
join channel c using (channel_id)
join site s using (site_id)
where c.site_id = %(site_id)s
 
  and c.quantity = %(quantity)s
  and v.time >= %(start)s and v.time < %(end)s and v.time <= now()

-- name: read_counts_known_at
-- Count readings of a site in the versions that were known at an earlier time: a value
-- that was corrected since then, but had come, is the replaced one.
with known as (
    select r.* from count_reading r
    join channel c using (channel_id)
    join site s using (site_id)
    where c.site_id = %(site_id)s and c.quantity = %(quantity)s
     
      and r.time >= %(start)s and r.time < %(end)s
      and r.received_at <= %(known_at)s
    union all
    select h.channel_id, h.time, h.interval_s, h.sensor_id, h.received_at,
           h.time_origin, h.revision, {{h.$count}}, h.speed_kmh, h.occupancy,
           h.histogram_from_kmh,
           h.histogram_width_kmh, h.histogram, h.observed_s
    from count_reading_history h
    join channel c using (channel_id)
    join site s using (site_id)
    where c.site_id = %(site_id)s and c.quantity = %(quantity)s
     
      and h.time >= %(start)s and h.time < %(end)s
      and h.received_at <= %(known_at)s and h.replaced_at > %(known_at)s
)
select k.channel_id, k.time, k.interval_s, k.received_at, k.observed_s, {{k.$count}},
       k.speed_kmh, c.quantity
from known k
join channel c using (channel_id)

-- name: read_latest
-- The newest whole hour of each site and counted quantity: the last one that had ended
-- by `now` and for which anything was counted that no person excluded. Observed is the
-- share over the channels at which a sensor was attached. It is looked for in the newest
-- days first: a view that is a barrier reads all hours of a channel that it is asked for.
with left_out as materialized (
    select channel_id, began, ended from exclusion
), counted as materialized (
    select c.channel_id, c.site_id, c.quantity, known.time - interval '3 days' as since
    from channel c
    join site s using (site_id)
    left join newest_reading known using (channel_id)
), recent as materialized (
    select counted.channel_id, h.*
    from counted
    cross join lateral (
        select h.time, h.volume, h.usual, h.usual_spread, h.observed_s
        from volume h
        where h.channel_id = counted.channel_id and h.interval_s = 3600
          and h.time >= counted.since
          and h.time <= coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
          and not {{> hour_left_out}}
        order by h.time desc
        limit 1
    ) h
), older as materialized (
    select counted.channel_id, h.*
    from counted
    cross join lateral (
        select h.time, h.volume, h.usual, h.usual_spread, h.observed_s
        from volume h
        where h.channel_id = counted.channel_id and h.interval_s = 3600
          and h.time <= coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
          and not {{> hour_left_out}}
        order by h.time desc
        limit 1
    ) h
    where counted.channel_id not in (select channel_id from recent)
), newest as (
    -- of each channel, with that of its site
    select counted.*, h.time, h.volume, h.usual, h.usual_spread, h.observed_s,
           max(h.time) over (partition by counted.site_id, counted.quantity) as last
    from counted
    left join (select * from recent union all select * from older) h using (channel_id)
), compared as (
    select newest.*, newest.time = newest.last as counts,
           exists (
               select from installation i
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
from compared
group by site_id, quantity, last
order by site_id, quantity

-- name: calibrations
-- When which factor of the counts of a channel holds, within the installations of sites.
select i.channel_id, given.since, coalesce(given.until, '2200-01-01') as until, given.factor
from installation i
join channel c using (channel_id)
{{> calibrations}}
where c.site_id = any(%(sites)s)
order by i.channel_id, given.since

-- name: list_calibrations
-- What the counts of some places were multiplied with in a period.
select c.site_id, t.key as site, c.key as channel,
       coalesce(nullif(c.direction_name, ''), c.name) as name, given.*
from {{> at_places}}
join site t on t.site_id = c.site_id
join installation i on i.channel_id = c.channel_id
{{> calibrations}}
where given.since < %(end)s
  and coalesce(given.until, 'infinity') > greatest(given.since, %(start)s)
order by given.since, t.key, c.key
