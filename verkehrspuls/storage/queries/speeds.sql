-- Speed histograms. Only sites whose visibility is
-- in `visible` are read, and nothing that lies in the future: that is of a clock that is,
-- or was, ahead.

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
    from vp.exclusion e
    join counted on counted.channel_id = e.channel_id
    where e.began < %(end)s + interval '1 hour' and e.ended > %(start)s
    union all
    select f.channel_id, f.began, f.ended
    from vp.suspected(
        array(select channel_id from counted), %(start)s, %(end)s + interval '1 hour') f
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
