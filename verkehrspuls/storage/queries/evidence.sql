-- The course of a channel around an anomaly case.

-- part: of_case
-- The channel that a case names.
municipality m
join site s using (municipality_id)
join channel c using (site_id)
where m.key = %(municipality)s and s.key = %(site)s and c.key = %(channel)s
 

-- name: read_evidence_volumes
-- Volumes and speeds of a channel in a span, also those that a person excluded.
with chosen as (select c.channel_id from {{> of_case}})
select v.channel_id, v.interval_s, v.time, v.observed_s, v.volume, v.speed_kmh, v.usual,
       v.usual_spread
from chosen
join volume v using (channel_id)
where v.interval_s = any(%(intervals)s::integer[])
  and v.time >= %(start)s and v.time < %(end)s
order by v.time;

-- name: read_evidence_values
-- Hours of an environment channel in a span, also those that a person excluded.
with chosen as (select c.channel_id from {{> of_case}})
select h.time, h.observed_s, h.mean, h.minimum, h.maximum
from chosen
join environment_hour h using (channel_id)
where h.time >= %(start)s and h.time < %(end)s
order by h.time;
