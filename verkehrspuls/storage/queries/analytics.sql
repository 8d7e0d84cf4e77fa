-- What analytics reads and writes. Sites are locked while one is computed, so that a
-- site has one worker at a time; stale buckets are claimed in the transaction that
-- writes what was computed from them.

-- name: stale_sites
-- Sites that have something to compute, those with the least first: live sites come
-- before a back-fill.
select c.site_id, count(*) as hours
from stale_bucket b
join channel c using (channel_id)
group by c.site_id
order by hours, c.site_id;

-- name: lock_site
-- Returns the site where no other worker has it.
select site_id from site where site_id = %(site)s for no key update skip locked;

-- name: lock_sites
-- Returns all sites that no other worker has.
select site_id from site order by site_id for no key update skip locked;

-- name: claim_buckets
-- Take the oldest stale hours of locked sites, of each site those of its first weeks;
-- hours as arrays.
-- By index and by place, whatever the planner last knew of a table that is mostly empty.
with mine as materialized (
    select c.site_id, b.hour, b.place
    from channel c
    cross join lateral (
        select b.hour, b.ctid as place from stale_bucket b
        where b.channel_id = c.channel_id
        offset 0
    ) b
    where c.site_id = any(%(sites)s)
), picked as (
    select m.place
    from mine m
    join (select site_id, min(hour) as hour from mine group by site_id) o using (site_id)
    where m.hour < o.hour + make_interval(weeks => %(weeks)s)
    order by m.hour
    limit %(hours)s
), claimed as (
    delete from stale_bucket b
    where b.ctid = any(array(select place from picked))
    returning b.channel_id, b.hour
)
select channel_id, array_agg(hour) as hour from claimed group by channel_id;

-- name: channels_of_channels
-- All channels of the sites of some channels, with what their municipality says of
-- calendar and clock.
select c.channel_id, c.site_id, c.quantity, c.direction, m.state, m.time_zone, c.audience
from channel c
join site s using (site_id)
join municipality m using (municipality_id)
where c.site_id in (select site_id from channel where channel_id = any(%(channels)s))
order by c.channel_id;

-- name: installations_of_sites
-- When sensors were attached to the channels of sites; open ends far away.
select i.channel_id, i.since, i.until,
       e.interval_s, e.class_scheme
from installed i
join sensor e using (sensor_id)
join channel c using (channel_id)
where c.site_id = any(%(sites)s);

-- part: reaching_span
-- Of the channel of a span: what begins in it, and what begins in the hour before and
-- reaches into it, as `r`.
r.channel_id = span.channel_id
  and r.time >= span.since - interval '1 hour' and r.time < span.until
  and (r.time >= span.since
       or r.time + make_interval(secs => r.interval_s) > span.since)

-- name: count_readings
-- Count readings in a span of each channel, and those of the hour before that reach into
-- it, by the primary key; columns as arrays.
select span.channel_id, r.*
from {{> spans}}
cross join lateral (
    select count(r.histogram)::integer as histograms,
           count(r.observed_s)::integer as observed,
           array_agg(r.time) as time, array_agg(r.interval_s) as interval_s,
           {{array_agg(r.$count) as $count}},
           array_agg(r.speed_kmh) as speed_kmh
    from count_reading r
    where {{> reaching_span}}
) r

-- name: reading_details
-- When the readings in a span of each channel were received, and what their sensors say
-- that they observed.
select r.channel_id, r.time, r.received_at, r.observed_s
from {{> spans}}
cross join lateral (
    {{(select r.channel_id, r.time, r.received_at, r.observed_s from $readings r
       where {{> in_span}} offset 0) union all}}
) r

-- name: histogram_readings
-- The speed histograms of count readings in a span of each channel.
select r.channel_id, r.time, r.interval_s,
       r.histogram_from_kmh, r.histogram_width_kmh, r.histogram
from {{> spans}}
cross join lateral (
    select * from count_reading r
    where {{> in_span}} and r.histogram is not null
    offset 0
) r

-- name: environment_readings
-- Environment readings in a span of each channel, and those of the hour before that
-- reach into it.
select r.channel_id, r.time, r.interval_s, r.value, r.observed_s
from {{> spans}}
cross join lateral (
    select * from environment_reading r
    where {{> reaching_span}}
    offset 0
) r

-- name: neighbour_readings
-- The reading before and the one after a span of each channel.
select r.channel_id, r.time, r.interval_s
from {{> spans}}
cross join lateral (
    {{(select r.channel_id, r.time, r.interval_s from $readings r
       where r.channel_id = span.channel_id and r.time < span.since
       order by r.time desc limit 1)
      union all
      (select r.channel_id, r.time, r.interval_s from $readings r
       where r.channel_id = span.channel_id and r.time >= span.until
       order by r.time limit 1) union all}}
) r;

-- name: last_readings
-- The newest reading of each channel of sites at which a sensor is installed now, and
-- the newest that is not of the future: a clock that was ahead may have been mended. Of a
-- sensor of which all was imported from files nobody expects that it sends.
select r.channel_id, r.time, r.interval_s, r.received_at
from channel c
join installation i
  on i.channel_id = c.channel_id and i.period @> %(now)s::timestamptz
cross join lateral (
    {{(select r.channel_id, r.time, r.interval_s, r.received_at from $readings r
       where r.channel_id = c.channel_id order by r.time desc limit 1)
      union
      (select r.channel_id, r.time, r.interval_s, r.received_at from $readings r
       where r.channel_id = c.channel_id and r.time <= %(now)s
       order by r.time desc limit 1) union all}}
) r
where c.site_id = any(%(sites)s)
  and (exists (select from ledger l where l.sensor_id = i.sensor_id and l.slot < 100)
       or not exists (select from ledger l where l.sensor_id = i.sensor_id));

-- name: future_members
-- Members of cases at sites that end in the future: a clock was ahead. With the local
-- day in which each began.
select e.case_member_id, e.channel_id, e.detector, e.began, c.site_id,
       coalesce(a.state, 'suspected') as state,
       (e.began at time zone m.time_zone)::date as day
from case_member e
join channel c using (channel_id)
join site s using (site_id)
join municipality m using (municipality_id)
left join anomaly_case a using (anomaly_case_id)
where c.site_id = any(%(sites)s) and e.withdrawn_at is null
  and e.ended > %(now)s::timestamptz + interval '1 minute';

-- name: end_members
-- Let members of cases that a person decided end now, or withdraw what is to begin.
with ended as (
    update case_member e
    set ended = case when e.began < %(now)s then %(now)s else e.ended end,
        withdrawn_at = case when e.began >= %(now)s then now() end
    where e.case_member_id = any(%(members)s)
    returning e.anomaly_case_id
)
update anomaly_case a
set ended = case when a.began < %(now)s then %(now)s else a.ended end,
    withdrawn_at = case when a.began >= %(now)s then now() else a.withdrawn_at end,
    updated_at = now()
where a.anomaly_case_id in (select anomaly_case_id from ended)
  and a.ended > %(now)s;

-- name: drop_future
-- Forget what was computed for times that are still to come: hours that were imputed,
-- and the health of days. Imputed hours have to be computed without them.
with hours as (
    delete from imputed_hour i
    using channel c
    where c.channel_id = i.channel_id and c.site_id = any(%(sites)s)
      and i.time > %(now)s
    returning i.channel_id, i.time
), health as (
    delete from channel_health h
    using channel c
    join site s using (site_id)
    join municipality m using (municipality_id)
    where c.channel_id = h.channel_id and s.site_id = any(%(sites)s)
      and h.day > (%(now)s::timestamptz at time zone m.time_zone)::date
)
insert into stale_bucket (channel_id, hour) select channel_id, time from hours;

-- part: spans_of_length
-- A span of each channel and length of intervals.
unnest(%(channels)s::integer[], %(intervals)s::integer[], %(since)s::timestamptz[],
       %(until)s::timestamptz[]) as span (channel_id, interval_s, since, until)

-- name: stored_volumes
-- Volumes in a span of each channel and length, as they were last computed.
select r.channel_id, r.interval_s, r.time, r.observed_s, r.gap_s, r.volume, {{r.$count}},
       r.speed_kmh, r.usual, r.usual_spread, r.valid
from {{> spans_of_length}}
cross join lateral (
    select * from volume r
    where {{> in_span}} and r.interval_s = span.interval_s
    offset 0
) r

-- name: volume_columns
-- The same, columns as arrays.
select span.channel_id, span.interval_s, v.*
from {{> spans_of_length}}
cross join lateral (
    select array_agg(r.time) as time, array_agg(r.observed_s) as observed_s,
           array_agg(r.gap_s) as gap_s, array_agg(r.volume) as volume,
           {{array_agg(r.$count) as $count}},
           array_agg(r.speed_kmh) as speed_kmh, array_agg(r.usual) as usual,
           array_agg(r.usual_spread) as usual_spread,
           array_agg(r.valid::integer) as valid
    from volume r
    where {{> in_span}} and r.interval_s = span.interval_s
) v

-- name: stored_environment_hours
-- Environment figures in a span of each channel, as they were last computed.
select r.channel_id, r.time, r.observed_s, r.mean, r.minimum, r.maximum
from {{> spans}}
cross join lateral (
    select * from environment_hour r where {{> in_span}} offset 0
) r

-- name: stored_long_volumes
-- Counts over intervals above an hour that began in a span of each channel.
select r.channel_id, r.time, r.interval_s, r.volume, {{r.$count}}, r.speed_kmh
from {{> spans}}
cross join lateral (
    select * from long_volume r where {{> in_span}} offset 0
) r;

-- name: drop_volumes
-- Remove the volumes in spans of channels.
delete from volume r using {{> spans}}
where {{> in_span}} and r.interval_s in (900, 3600);

-- name: drop_speed_histograms
-- Remove the speed histograms in spans of channels.
delete from speed_histogram r using {{> spans}} where {{> in_span}};

-- name: drop_environment_hours
-- Remove the environment figures in spans of channels.
delete from environment_hour r using {{> spans}} where {{> in_span}};

-- name: drop_long_volumes
-- Remove counts over intervals above an hour that began in spans of channels.
delete from long_volume r using {{> spans}} where {{> in_span}};

-- name: drop_long_environment
-- Remove environment values over such intervals.
delete from long_environment r using {{> spans}} where {{> in_span}};

-- name: drop_days
-- Remove the figures of local days of sites.
delete from daily_figure d
using unnest(%(sites)s::integer[], %(days)s::date[]) as stale (site_id, day)
where d.site_id = stale.site_id and d.day = stale.day;

-- name: copy_volumes
-- Columns in the order of analytics.frames.VALID_VOLUMES.
copy volume (
    channel_id, interval_s, time, observed_s, gap_s, volume, {{$count}}, speed_kmh,
    usual, usual_spread, valid
) from stdin (format binary);

-- name: copy_environment_hours
-- Columns in the order of analytics.frames.ENVIRONMENT_HOURS.
copy environment_hour (channel_id, time, observed_s, mean, minimum, maximum)
from stdin (format csv);

-- name: put_long_volumes
-- Columns of analytics.frames.LONG_VOLUMES.
insert into long_volume (channel_id, time, interval_s, volume, {{$count}}, speed_kmh)
select channel_id, time, interval_s, volume, {{$count}}, speed_kmh
from json_populate_recordset(null::long_volume, %(rows)s);

-- name: put_long_environment
-- Columns of analytics.frames.LONG_VALUES.
insert into long_environment (channel_id, time, interval_s, value)
select channel_id, time, interval_s, value
from json_populate_recordset(null::long_environment, %(rows)s);

-- name: copy_speed_histograms
-- Columns in the order of analytics.frames.SPEED_HISTOGRAMS.
copy speed_histogram (
    channel_id, time, observed_s, counts, open_kmh, rebinned, refused
) from stdin (format csv);

-- name: put_days
-- Columns of analytics.frames.DAYS.
insert into daily_figure (
    site_id, quantity, direction, day, volume, volume_normalised, volume_estimated,
    heavy, speed_kmh, peak_hour, peak_volume, expected, observed, normalised, imputed,
    excluded, valid, method)
select site_id, quantity, direction, day, volume, volume_normalised, volume_estimated,
       heavy, speed_kmh, peak_hour, peak_volume, expected, observed, normalised, imputed,
       excluded, valid, method
from json_populate_recordset(null::daily_figure, %(rows)s);

-- name: put_usual
-- What is usual for hours whose counts stay as they are.
update volume v
set usual = n.usual, usual_spread = n.usual_spread
from unnest(%(channels)s::integer[], %(hours)s::timestamptz[], %(usual)s::real[],
            %(spreads)s::real[]) as n (channel_id, hour, usual, usual_spread)
where v.channel_id = n.channel_id and v.interval_s = 3600 and v.time = n.hour;

-- name: mark_stale
-- Mark the hours that have readings or figures as stale; returns how many.
with chosen as (
    select c.channel_id,
           coalesce(%(first)s::date::timestamp at time zone m.time_zone, '-infinity')
               as since,
           coalesce((%(last)s::date + 1)::timestamp at time zone m.time_zone, 'infinity')
               as until
    from channel c
    join site s using (site_id)
    join municipality m using (municipality_id)
    where (%(state)s::text is null or m.state = %(state)s)
      and {{> chosen_sites}}
)
insert into vp.stale_bucket (channel_id, hour)
select c.channel_id, h.hour
from chosen c
cross join lateral (
    select date_bin('1 hour', r.time, 'epoch') as hour from count_reading r
    where r.channel_id = c.channel_id and r.time >= c.since and r.time < c.until
    union
    select date_bin('1 hour', r.time, 'epoch') from environment_reading r
    where r.channel_id = c.channel_id and r.time >= c.since and r.time < c.until
    union
    select v.time from volume v
    where v.channel_id = c.channel_id and v.interval_s = 3600
      and v.time >= c.since and v.time < c.until
    union
    select e.time from environment_hour e
    where e.channel_id = c.channel_id and e.time >= c.since and e.time < c.until
    union
    select date_bin('1 hour', l.time, 'epoch') from long_volume l
    where l.channel_id = c.channel_id and l.time >= c.since and l.time < c.until
    union
    select date_bin('1 hour', l.time, 'epoch') from long_environment l
    where l.channel_id = c.channel_id and l.time >= c.since and l.time < c.until
    order by hour
) h;

-- name: put_newest_readings
-- Note when the newest readings of channels were measured; what is known to be newer stays.
insert into newest_reading as n (channel_id, time)
select channel_id, time
from unnest(%(channels)s::integer[], %(times)s::timestamptz[]) as given (channel_id, time)
on conflict (channel_id) do update set time = excluded.time
where n.time < excluded.time;

-- name: mark_hours
-- Mark hours of channels as stale.
insert into stale_bucket (channel_id, hour)
select channel_id, hour
from unnest(%(channels)s::integer[], %(hours)s::timestamptz[]) as marked (channel_id, hour);

-- name: count_stale
-- Stale hours of the chosen sites.
select count(*) as hours
from stale_bucket b
join channel c using (channel_id)
join site s using (site_id)
join municipality m using (municipality_id)
where {{> chosen_sites}};

-- name: count_chosen_sites
-- How many sites a choice names.
select count(*) as sites
from site s
join municipality m using (municipality_id)
where {{> chosen_sites}};

-- name: ensure_figures
-- Make room for figures of these times.
select ensure_range(series, %(earliest)s, %(latest)s)
from series where series in ('volume', 'environment_hour', 'speed_histogram');

-- name: try_maintenance
-- True for one worker at a time, to the end of its transaction.
select pg_try_advisory_xact_lock(hashtext('vp.maintenance')) as mine;

-- name: ensure_ahead
-- Make partitions for this month and the next two.
select ensure_range(series, %(now)s::timestamptz, %(now)s::timestamptz + interval '2 months')
from series order by series;

-- name: drop_frames
-- Forget frames of radio networks: they come again within a day, or not at all.
delete from frame where time < %(now)s::timestamptz - interval '2 days';

-- name: drop_raw
-- Drop readings, and what corrections replaced, that are older; returns chunks dropped.
select coalesce(sum(drop_old(series, %(cutoff)s)), 0) as chunks
from series
where series in ('count_reading', 'environment_reading',
                 'count_reading_history', 'environment_reading_history');

-- name: drop_rejected
-- Drop rejected messages that are older; returns chunks dropped.
select drop_old('rejected_message', %(cutoff)s) as chunks;

-- name: compress_old
-- Compress what is older, where the edition can; returns chunks compressed.
select coalesce(sum(compress_before(series, %(cutoff)s)), 0) as chunks
from series
where series <> 'rejected_message';

-- name: put_set_aside
-- Note that the figures of a site, or the cases of a municipality, could not be computed.
insert into set_aside (municipality_id, site_id, at, reason)
select coalesce(%(municipality)s::integer,
                (select municipality_id from site where site_id = %(site)s::integer)),
       %(site)s::integer, now(), left(%(reason)s, 300)
on conflict (municipality_id, site_id) do update set at = now(), reason = excluded.reason;

-- name: lately_set_aside
-- What failed within half an hour, that is at the last try.
select m.key as municipality, s.key as site, a.reason
from set_aside a
join municipality m using (municipality_id)
left join site s on s.site_id = a.site_id
where a.at > now() - interval '30 minutes'
order by m.key, s.key;
