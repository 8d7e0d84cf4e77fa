-- Words that queries of several files share: see verkehrspuls/storage/named.py. They are
-- filled in as text, so that a query is planned as if they were written out in it.

-- part: chosen_sites
-- Sites `s` of municipalities `m`: all, those of one municipality, or one.
(%(municipality)s::text is null or m.key = %(municipality)s)
and (%(site)s::text is null or s.key = %(site)s)

-- part: chosen_sensors
-- Sensors `e` of municipalities `m`: all, those of one municipality, or one.
(%(municipality)s::text is null or m.key = %(municipality)s)
and (%(sensor)s::text is null or e.key = %(sensor)s)

-- part: at_site
-- Channels `c` of a quantity at a site.
channel c
join site s using (site_id)
where c.site_id = %(site_id)s
 
  and c.quantity = %(quantity)s

-- part: at_site_in_direction
-- The same in a direction; 'all' is all.
{{> at_site}}
  and (%(direction)s::text = 'all' or c.direction = %(direction)s)

-- part: at_places
-- Channels `c` of places; direction 'all' is all.
unnest(%(sites)s::integer[], %(quantities)s::text[], %(directions)s::text[])
    as place (site_id, quantity, direction)
join channel c
  on c.site_id = place.site_id and c.quantity = place.quantity
 and place.direction in ('all', c.direction)

-- part: of_figures
-- Members `e` that say something of what was measured: a battery that ends does not.
e.detector <> 'device-battery'

-- part: calibrations
-- The calibrations of installations `i`: each holds until the next one begins.
cross join lateral (
    select greatest(one.since, lower(i.period)) as since,
           least(lead(one.since) over (order by one.since), upper(i.period)) as until,
           one.factor, one.uncertainty, coalesce(one.source, '') as source
    from jsonb_to_recordset(i.calibrations) as one (
        since timestamptz, factor double precision, uncertainty double precision,
        source text)
) given

-- part: spans
-- A span of each channel.
unnest(%(channels)s::integer[], %(since)s::timestamptz[], %(until)s::timestamptz[])
    as span (channel_id, since, until)

-- part: in_span
-- Of the channel of a span: what begins in it, as `r`.
r.channel_id = span.channel_id and r.time >= span.since and r.time < span.until

-- part: excluded_by_person
-- Whether a person excluded some of the interval `v`.
exists (
    select from exclusion e
    where e.channel_id = v.channel_id
      and e.began < v.time + make_interval(secs => v.interval_s) and e.ended > v.time)

-- part: left_out
-- When values of the channels `chosen` are left out of figures: what a person excluded
-- and, where figures are to be trusted, what is suspected (see vp.suspected). No interval
-- that begins in the period is longer than a local day.
select e.channel_id, e.began, e.ended
from exclusion e
join chosen on chosen.channel_id = e.channel_id
where e.began < %(end)s + interval '25 hours' and e.ended > %(start)s
union all
select f.channel_id, f.began, f.ended
from vp.suspected(
    array(select channel_id from chosen), %(start)s, %(end)s + interval '25 hours') f
where %(trusted)s::boolean

-- part: left_out_by_channel
-- The same as one value for each channel: to search in it costs little for each bin.
select channel_id, range_agg(tstzrange(began, greatest(began, ended))) as spans
from ({{> left_out}}) f
group by channel_id

-- part: hour_left_out
-- Whether some of the hour `h` is `left_out`.
exists (
    select from left_out x
    where x.channel_id = h.channel_id
      and x.began < h.time + interval '1 hour' and x.ended > h.time)

-- part: hours_of_period
-- Hours `h` of the period, and whether each is left out.
cross join lateral (
    -- asked of each hour only where anything is excluded at all, and once (offset 0)
    select exists (select from left_out) and {{> hour_left_out}} as is_so
    offset 0
) excluded
where h.time >= %(start)s and h.time < %(end)s and h.time <= now()

-- part: bins_of_period
-- Volumes `v` of the period, and whether each is left out.
left join left_out x using (channel_id)
cross join lateral (
    -- once (offset 0): else each column that it decides on would ask again
    select x.spans is not null and x.spans && tstzrange(
        v.time, v.time + make_interval(secs => v.interval_s)) as is_so
    offset 0
) excluded
where v.interval_s = %(interval_s)s
  and v.time >= %(start)s and v.time < %(end)s and v.time <= now()
