-- The maintenance log of sites and sensors.

-- name: list_maintenance
-- What was done in a municipality, at one site or with one sensor, the newest first.
select n.maintenance_id as number, s.key as site, e.key as sensor, n.done_at, n.kind,
       n.note, n.due_on, n.noted_at, n.noted_by,
       coalesce((select array_agg(p.photograph_id order by p.photograph_id)
                 from photograph p where p.maintenance_id = n.maintenance_id), '{}')
           as photographs
from maintenance n
join municipality m using (municipality_id)
left join site s on s.site_id = n.site_id
left join sensor e on e.sensor_id = n.sensor_id
where m.key = %(municipality)s
  and (%(site)s::text is null or s.key = %(site)s)
  and (%(sensor)s::text is null or e.key = %(sensor)s)
  and (%(number)s::integer is null or n.maintenance_id = %(number)s)
order by n.done_at desc, n.maintenance_id desc
limit %(limit)s offset %(skip)s;

-- name: maintenance_due
-- The day of the next maintenance of each sensor that has one: that of its newest entry.
select e.key as sensor, newest.due_on
from municipality m
join sensor e using (municipality_id)
cross join lateral (
    select n.due_on from maintenance n
    where n.sensor_id = e.sensor_id
    order by n.done_at desc, n.maintenance_id desc limit 1) newest
where m.key = %(municipality)s and e.removed_at is null and newest.due_on is not null
order by e.key;

-- name: add_maintenance
-- Note what was done; no row where there is no such site or sensor.
insert into vp.maintenance (municipality_id, site_id, sensor_id, done_at, kind, note,
                            due_on)
select m.municipality_id, s.site_id, e.sensor_id, %(done_at)s, %(kind)s, %(note)s,
       %(due_on)s
from municipality m
left join site s on s.municipality_id = m.municipality_id and s.key = %(site)s::text
left join sensor e on e.municipality_id = m.municipality_id
                  and e.key = %(sensor)s::text and e.removed_at is null
where m.key = %(municipality)s and m.removed_at is null
  and num_nonnulls(s.site_id, e.sensor_id) = 1
returning maintenance_id;

-- name: change_maintenance
-- Correct an entry of a municipality; no row where there is none.
update vp.maintenance n
set done_at = %(done_at)s, kind = %(kind)s, note = %(note)s, due_on = %(due_on)s
from municipality m
where n.maintenance_id = %(number)s and m.municipality_id = n.municipality_id
  and m.key = %(municipality)s
returning n.maintenance_id;

-- name: remove_maintenance
-- Remove an entry of a municipality, with its photographs; no row where there is none.
delete from vp.maintenance n
using municipality m
where n.maintenance_id = %(number)s and m.municipality_id = n.municipality_id
  and m.key = %(municipality)s
returning n.maintenance_id;

-- name: add_photograph
-- Add a photograph to an entry of a municipality; no row where there is none.
insert into vp.photograph (maintenance_id, image, width, height)
select n.maintenance_id, %(image)s, %(width)s, %(height)s
from maintenance n
join municipality m using (municipality_id)
where n.maintenance_id = %(number)s and m.key = %(municipality)s
returning photograph_id;

-- name: read_photograph
-- The image of a photograph in a municipality; no row where there is none.
select p.image
from photograph p
join maintenance n using (maintenance_id)
join municipality m using (municipality_id)
where p.photograph_id = %(photograph)s and m.key = %(municipality)s;

-- name: remove_photograph
-- Remove a photograph in a municipality; no row where there is none.
delete from vp.photograph p
using maintenance n, municipality m
where p.photograph_id = %(photograph)s and n.maintenance_id = p.maintenance_id
  and m.municipality_id = n.municipality_id and m.key = %(municipality)s
returning p.photograph_id;
