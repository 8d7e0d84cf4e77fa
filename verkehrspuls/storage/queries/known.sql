-- name: known_municipalities
-- Keys of the municipalities with a visible site; all for who may see everything.
select m.key
from vp.municipality m
where m.removed_at is null
  and ('private' = any(%(visible)s::text[])
       or exists (select from vp.site s
                  where s.municipality_id = m.municipality_id
                    and s.visibility = any(%(visible)s::text[])))
order by m.key;

-- name: known_sites
-- Keys of the visible sites of a municipality; of all where it is null. Only `key` where
-- that is given.
select distinct s.key
from vp.site s
join vp.municipality m using (municipality_id)
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(key)s::text is null or s.key = %(key)s)
  and s.visibility = any(%(visible)s::text[])
order by s.key
limit %(most)s;

-- name: known_sensors
-- Keys of the sensors at visible sites of a municipality; of all where it is null. One
-- that is installed nowhere is known to who may see everything. Only `key` where that is
-- given.
select distinct e.key
from vp.sensor e
join vp.municipality m using (municipality_id)
left join vp.installation i using (sensor_id)
left join vp.channel c using (channel_id)
left join vp.site s using (site_id)
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(key)s::text is null or e.key = %(key)s)
  and e.removed_at is null
  and coalesce(s.visibility, 'private') = any(%(visible)s::text[])
order by e.key
limit %(most)s;

-- name: known_time_zones
select distinct time_zone from vp.municipality
where %(municipality)s::text is null or key = %(municipality)s;
