-- name: known_municipalities
-- Keys of the municipalities.
select m.key
from municipality m
where m.removed_at is null
order by m.key;

-- name: known_sites
-- Keys of the sites of a municipality; of all where it is null. Only `key` where
-- that is given.
select distinct s.key
from site s
join municipality m using (municipality_id)
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(key)s::text is null or s.key = %(key)s)
 
order by s.key
limit %(most)s;

-- name: known_sensors
-- Keys of the sensors of a municipality; of all where it is null. Only `key` where that
-- is given.
select distinct e.key
from sensor e
join municipality m using (municipality_id)
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(key)s::text is null or e.key = %(key)s)
  and e.removed_at is null
order by e.key
limit %(most)s;

-- name: known_time_zones
select distinct time_zone from municipality
where %(municipality)s::text is null or key = %(municipality)s;
