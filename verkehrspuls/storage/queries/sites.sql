-- Municipalities and sites.

-- name: list_municipalities
-- Municipalities with a site, how many they have, and how many of them are for everybody.
select m.municipality_id, m.key, m.name, m.state, m.time_zone, m.licence, m.simulated,
       m.imprint, m.privacy, m.contact, m.latitude, m.longitude,
       own.sites, own.public_sites
from municipality m
join lateral (
    select count(*)::integer as sites,
           (count(*) filter (where s.audience = 0))::integer as public_sites
    from site s
    where s.municipality_id = m.municipality_id
) own on own.sites > 0
order by m.name, m.key

-- name: list_sites
-- Sites with their channels. Where it is asked for (`heard`): when a sensor of theirs was
-- last heard of, and when the newest of their readings was measured. What came in its
-- last hour was used, rejected, or imported from a file; the shortest and longest
-- interval of those heard of. A key that is null selects all, of which so many come after
-- those that are skipped.
with chosen as (
    select s.site_id
    from site s
    join municipality m using (municipality_id)
    where {{> chosen_sites}}
    order by m.name, s.name, s.key
    limit %(limit)s offset %(skip)s
)
select s.site_id, s.key, s.name, s.road, s.place, s.latitude, s.longitude,
       s.speed_limit_kmh, s.visibility, s.status,
       m.key as municipality, m.name as municipality_name, m.state, m.time_zone,
       m.licence, m.simulated, m.imprint, m.privacy, m.contact,
       m.latitude as town_latitude, m.longitude as town_longitude,
       coalesce(measuring.channels, '[]') as channels,
       heard.last_received_at, heard.last_messages, heard.shortest_s,
       heard.longest_s, measuring.newest_reading_at
from chosen
join site s using (site_id)
join municipality m using (municipality_id)
left join lateral (
    select json_agg(json_build_object(
               'channel_id', c.channel_id, 'key', c.key, 'name', c.name,
               'quantity', c.quantity, 'direction', c.direction,
               'direction_name', c.direction_name, 'lane', c.lane,
               'thresholds', c.thresholds)
               order by c.quantity, c.direction, c.lane, c.key) as channels,
           max(newest.newest_reading_at) as newest_reading_at
    from channel c
    left join newest_reading known using (channel_id)
    left join lateral vp.newest_reading_since(c.channel_id, known.time) newest
      on %(heard)s::boolean
    where c.site_id = s.site_id
) measuring on true
left join lateral (
    select max(newest.last_received_at) as last_received_at,
           min(e.interval_s) as shortest_s, max(e.interval_s) as longest_s,
           case when bool_or(newest.used) then 'used'
                when bool_or(newest.rejected) then 'rejected'
                when bool_and(newest.slot >= 100) then 'imported'
                else 'used'
           end as last_messages
    from channel c
    join installation i using (channel_id)
    join sensor e using (sensor_id)
    cross join lateral vp.last_heard(e.sensor_id) newest
    where c.site_id = s.site_id and %(heard)s::boolean
) heard on true
order by m.name, s.name, s.key
