-- Corridors and junctions; only those all of whose sites are seen.

-- name: list_corridors
-- Corridors with their stations, in the order in which they are passed; only those all
-- of whose sites may be seen. A key that is null selects all.
select r.corridor_id, r.key, r.name, m.key as municipality, m.state, m.time_zone,
       m.simulated, k.stations
from corridor r
join municipality m using (municipality_id)
join lateral (
    select jsonb_agg(jsonb_build_object(
               'station', t.station, 'site_id', t.site_id, 'site', s.key,
               'site_name', s.name, 'direction', t.direction,
               'chainage_m', t.chainage_m, 'speed_limit_kmh', s.speed_limit_kmh)
               order by t.station) as stations
    from corridor_station t
    join site s using (site_id)
    where t.corridor_id = r.corridor_id
) k on true
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(corridor)s::text is null or r.key = %(corridor)s)
order by m.key, r.key

-- name: list_junctions
-- Junctions with their arms; only those all of whose sites may be seen. A key that is
-- null selects all.
select j.junction_id, j.key, j.name, m.key as municipality, m.time_zone,
       m.simulated, k.arms
from junction j
join municipality m using (municipality_id)
join lateral (
    select jsonb_agg(jsonb_build_object(
               'site_id', a.site_id, 'site', s.key, 'site_name', s.name,
               'direction', a.direction, 'leads', a.leads)
               order by a.leads, s.key, a.direction) as arms
    from junction_arm a
    join site s using (site_id)
    where a.junction_id = j.junction_id
) k on true
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(junction)s::text is null or j.key = %(junction)s)
order by m.key, j.key
