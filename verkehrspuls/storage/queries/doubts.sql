-- Which values are excluded, suspected, or of a time that nobody knows.

-- name: read_excluded
-- When a person excluded what channels of sites count; direction 'all' is all.
select c.site_id, e.channel_id, e.began as since, e.ended as until
from exclusion e
join channel c using (channel_id)
join site s using (site_id)
where c.site_id = any(%(site_ids)s::integer[])
 
  and c.quantity = %(quantity)s
  and (%(direction)s::text = 'all' or c.direction = %(direction)s)
  and e.began < %(end)s and e.ended > %(start)s

-- name: read_suspected
-- When values of channels of sites are suspected to be of a sensor's fault, and nobody has
-- decided: see vp.suspected. Direction 'all' is all, and so is a quantity that is null.
with counted as (
    select c.site_id, c.channel_id, c.key, c.quantity, c.direction
    from channel c
    join site s using (site_id)
    where c.site_id = any(%(site_ids)s::integer[])
     
      and (%(quantity)s::text is null or c.quantity = %(quantity)s)
      and (%(direction)s::text = 'all' or c.direction = %(direction)s)
)
select counted.site_id, f.channel_id, counted.key as channel, counted.quantity,
       counted.direction, f.began as since, f.ended as until, f.fault
from vp.suspected(
    array(select channel_id from counted), %(start)s, %(end)s) f
join counted using (channel_id)
where f.began < least(%(end)s, now())
order by f.channel_id, f.began

-- name: list_ambiguous_hours
-- Hours (UTC) of readings at some places whose wall clock showed their time twice, while
-- nothing tells which of the two is meant; direction 'all' is all.
select distinct c.site_id, date_trunc('hour', a.time, 'UTC') as hour
from {{> at_places}}
join site s on s.site_id = c.site_id
join ambiguous a on a.channel_id = c.channel_id
where a.time >= %(start)s and a.time < %(end)s
order by hour
