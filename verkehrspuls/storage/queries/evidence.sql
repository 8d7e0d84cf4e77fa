-- The course of a channel around an anomaly case.

-- name: read_evidence_volumes
-- Volumes and speeds of a channel in a span, also those that a person excluded.
select c.channel_id, v.interval_s, v.time, v.observed_s, v.volume, v.speed_kmh, v.usual, v.usual_spread
from vp.municipality m
join vp.site s using (municipality_id)
join vp.channel c using (site_id)
join vp.volume v using (channel_id)
where m.key = %(municipality)s and s.key = %(site)s and c.key = %(channel)s
  and s.visibility = any(%(visible)s::text[])
  and v.interval_s = any(%(intervals)s::integer[])
  and v.time >= %(start)s and v.time < %(end)s
order by v.time;

-- name: read_evidence_values
-- Hours of an environment channel in a span, also those that a person excluded.
select h.time, h.observed_s, h.mean, h.minimum, h.maximum
from vp.municipality m
join vp.site s using (municipality_id)
join vp.channel c using (site_id)
join vp.environment_hour h using (channel_id)
where m.key = %(municipality)s and s.key = %(site)s and c.key = %(channel)s
  and s.visibility = any(%(visible)s::text[])
  and h.time >= %(start)s and h.time < %(end)s
order by h.time;
