-- Lists and counts of anomaly cases; only those whose leading site is seen.

-- name: list_cases
-- Anomaly cases, newest first; keys and times that are null select all. How a case
-- stands: see vp.case_stands. A case is at the sites of all its members, but shown only
-- where its leading site is seen. What it says is what was found there: of the
-- members that match what is asked the one that names the case, else the first by
-- rank, else the least likely. Members that were withdrawn tell only of a case
-- without others.
select a.anomaly_case_id, own.detector, own.first as began, own.last as ended,
       own.began as found_began, own.ended as found_ended,
       own.observed, own.usual, own.score, own.reason, a.state, a.effect, a.severity,
       a.detectors, a.channels, a.sites,
       a.opened_at, a.updated_at, a.withdrawn_at,
       m.key as municipality, own.site, own.site_name,
       own.channel, own.channel_name, own.quantity, own.direction,
       own.direction_name,
       m.time_zone, m.simulated,
       stands.how <> 'closed' as open, stands.how = 'current' as current,
       stands.how as standing, (count(*) over ())::integer as matching,
       a.assigned_to, shown.person(a.assigned_to, m.municipality_id) as assignee,
       coalesce((select max(e.case_event_id) from case_event e
                 where e.anomaly_case_id = a.anomaly_case_id), 0) as version
from anomaly_case a
join site s on s.site_id = a.site_id
join municipality m using (municipality_id)
cross join lateral (
    select vp.case_stands(
        a.withdrawn_at, a.state, a.ended, a.opened_at, coalesce(%(now)s::timestamptz, now()), %(current_days)s) as how
) stands
cross join lateral (
    select e.detector, e.began, e.ended, e.observed, e.usual, e.score, e.reason,
           min(e.began) over () as first, max(e.ended) over () as last,
           t.key as site, t.name as site_name, c.key as channel, c.name as channel_name,
           c.quantity, c.direction, c.direction_name
    from case_member e
    join channel c using (channel_id)
    join site t using (site_id)
    cross join lateral (
        select (e.channel_id, e.detector, e.reason, e.score)
               = (a.channel_id, a.detector, a.reason, a.score) as names
    ) leads
    where e.anomaly_case_id = a.anomaly_case_id
      and (e.withdrawn_at is null or not exists (
          select from case_member o
          where o.anomaly_case_id = a.anomaly_case_id and o.withdrawn_at is null))
     
      and (%(site)s::text is null or t.key = %(site)s)
      and (%(quantity)s::text is null or c.quantity = %(quantity)s and {{> of_figures}})
      and (%(direction)s::text is null or c.direction = %(direction)s)
      and (%(start)s::timestamptz is null or e.ended > %(start)s)
      and (%(end)s::timestamptz is null or e.began < %(end)s)
    order by leads.names desc, e.channel_id = a.channel_id and e.reason = a.reason desc,
             e.reason = a.reason desc,
             e.rank, e.score desc, e.began,
             e.case_member_id
    limit 1
) own
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(case)s::bigint is null or a.anomaly_case_id = %(case)s)
  and (%(standing)s::text[] is null or stands.how = any(%(standing)s::text[]))
  and (%(state)s::text is null or a.state = %(state)s)
  and (%(severity)s::text is null or a.severity = %(severity)s)
  and (%(assigned_to)s::integer is null or a.assigned_to = %(assigned_to)s)
  -- so that the index of the site is used
  and (%(site)s::text is null or a.anomaly_case_id in (
      select e.anomaly_case_id
      from case_member e
      join channel c using (channel_id)
      join site t using (site_id)
      where t.key = %(site)s))
  and (%(start)s::timestamptz is null or a.ended > %(start)s)
  and (%(end)s::timestamptz is null or a.began < %(end)s)
order by own.first desc, a.anomaly_case_id desc
limit %(limit)s offset %(skip)s

-- name: count_cases
-- Open cases by how they stand, of municipalities and of the sites at which they are: a
-- case at several sites counts once for its municipality. What says nothing of the site,
-- only of its device, counts for the municipality. Seen as in list_cases.
select m.key as municipality, place.site,
       count(distinct a.anomaly_case_id) filter (where stands.how = 'current') as current,
       count(distinct a.anomaly_case_id) filter (where stands.how = 'older') as older,
       count(distinct a.anomaly_case_id) filter (where stands.how = 'history') as history
from anomaly_case a
join site s on s.site_id = a.site_id
join municipality m using (municipality_id)
join case_member e on e.anomaly_case_id = a.anomaly_case_id and e.withdrawn_at is null
join channel c on c.channel_id = e.channel_id
join site t on t.site_id = c.site_id
cross join lateral (
    select null as site union all select t.key where {{> of_figures}}
) place
cross join lateral (
    select vp.case_stands(
        a.withdrawn_at, a.state, a.ended, a.opened_at, coalesce(%(now)s::timestamptz, now()), %(current_days)s) as how
) stands
where vp.is_open(a.withdrawn_at, a.state)
 
 
  and (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(site)s::text is null or t.key = %(site)s)
group by m.key, place.site
order by 1, 2

-- name: read_findings
-- What was found of a quantity at a site in a period, as open cases tell: of each the
-- channel's direction. Seen as in list_cases.
select e.anomaly_case_id, c.key as channel, c.direction, e.reason, e.began, e.ended,
       e.score
from case_member e
join anomaly_case a using (anomaly_case_id)
join channel c on c.channel_id = e.channel_id
join site t on t.site_id = c.site_id
join site s on s.site_id = a.site_id
where c.site_id = %(site_id)s and c.quantity = %(quantity)s
  and e.withdrawn_at is null and vp.is_open(a.withdrawn_at, a.state)
  and {{> of_figures}}
  and e.began < %(end)s and e.ended > %(start)s
order by e.anomaly_case_id, c.direction,
         e.rank, e.score desc, e.began

-- name: list_open_cases
-- Open cases with a member in a period at one of some places; direction 'all' is all.
-- Shown only where the leading site is seen.
select distinct a.anomaly_case_id, c.site_id
from {{> at_places}}
join case_member e on e.channel_id = c.channel_id
join anomaly_case a on a.anomaly_case_id = e.anomaly_case_id
join site s on s.site_id = a.site_id
where e.withdrawn_at is null and vp.is_open(a.withdrawn_at, a.state)
  and {{> of_figures}}
  and e.began < %(end)s and e.ended > %(start)s
order by a.anomaly_case_id
