-- Manual counts beside sensors.

-- name: start_manual_count
-- Begin a count at a site.
insert into manual_count (site_id, began, counted_by, note)
select s.site_id, %(at)s, %(counted_by)s, %(note)s
from site s
join municipality m using (municipality_id)
where m.key = %(municipality)s and s.key = %(site)s
returning manual_count_id as number;

-- part: manual_counts
-- As in `registry.manual_counts.ManualCount`.
select m.manual_count_id as number, t.key as municipality, s.site_id, s.key as site,
       s.name as site_name, t.time_zone, m.began, m.ended, m.counted_by, m.note,
       m.accepted, m.decided_at, m.decided_by, m.remark, m.result
from manual_count m
join site s using (site_id)
join municipality t using (municipality_id)

-- name: list_manual_counts
-- Counts of a municipality or site, the newest first.
{{> manual_counts}}
where t.key = %(municipality)s and (%(site)s::text is null or s.key = %(site)s)
order by m.began desc, m.manual_count_id desc
limit 500;

-- name: read_manual_count
{{> manual_counts}}
where t.key = %(municipality)s and m.manual_count_id = %(number)s;

-- name: lock_manual_count
-- The same, while nobody else changes it.
{{> manual_counts}}
where t.key = %(municipality)s and m.manual_count_id = %(number)s
for update of m;

-- name: ways_of_site
-- The directions of what is counted at a site, and which sensors count it at a time.
select c.quantity, c.direction,
       coalesce(max(nullif(c.direction_name, '')), min(c.name)) as name,
       array_agg(distinct c.channel_id) as channels,
       array_agg(distinct e.class_scheme::text) as schemes
from channel c
join installation i using (channel_id)
join sensor e using (sensor_id)
where c.site_id = %(site_id)s and e.class_scheme is not null
  and i.period @> %(at)s::timestamptz
group by c.quantity, c.direction
order by c.quantity desc, c.direction;

-- name: sensors_of_site
-- The devices that count at a site at a time.
select distinct e.key, e.name, e.model, e.serial, e.firmware
from channel c
join installation i using (channel_id)
join sensor e using (sensor_id)
where c.site_id = %(site_id)s and e.class_scheme is not null
  and i.period @> %(at)s::timestamptz
order by e.key;

-- name: put_taps
-- Store taps; of one that comes again, the greatest revision counts.
insert into tap as t (manual_count_id, tap_id, at, quantity, direction, class,
                      vehicles, revision)
select %(number)s, e.tap_id, e.at, e.quantity, e.direction, e.class, e.vehicles,
       e.revision
from jsonb_to_recordset(%(rows)s) as e (
    tap_id uuid, at timestamptz, quantity text, direction text, class text,
    vehicles smallint, revision smallint)
on conflict (manual_count_id, tap_id) do update set
    vehicles = excluded.vehicles, revision = excluded.revision
where excluded.revision > t.revision;

-- name: count_taps
-- How many vehicles were counted, by direction and class.
select t.quantity, t.direction, t.class, sum(t.vehicles)::integer as vehicles
from tap t
where t.manual_count_id = %(number)s
group by t.quantity, t.direction, t.class;

-- name: read_taps
-- What was counted of each direction and class, by quarter-hour.
select date_bin('15 minutes', t.at, 'epoch') as time, t.quantity,
       t.direction, t.class, sum(t.vehicles)::bigint as vehicles
from tap t
where t.manual_count_id = %(number)s and t.vehicles > 0
group by 1, 2, 3, 4
order by 1, 2, 3, 4;

-- name: last_tap
-- The newest tap that was not undone.
select t.tap_id, t.at, t.quantity, t.direction, t.class, t.revision
from tap t
where t.manual_count_id = %(number)s and t.vehicles > 0
order by t.at desc, t.tap_id
limit 1;

-- name: end_manual_count
update manual_count set ended = %(at)s
where manual_count_id = %(number)s and ended is null;

-- name: decide_manual_count
update manual_count
set accepted = %(accepted)s, decided_at = now(), remark = %(remark)s, result = %(result)s
where manual_count_id = %(number)s;
