-- School holidays and local events.

-- name: imported_school_holidays
-- All that were imported.
select state, name, first, last, source
from school_holiday
order by state, first;

-- name: states_of_towns
-- The states that have a municipality.
select distinct state from municipality where removed_at is null order by state;

-- name: drop_school_holidays
-- Forget what was imported for states, but periods that stay as they are.
delete from school_holiday h
where h.state = any(%(states)s)
  and (h.state, h.name, h.first, h.last, h.source) not in (
      select * from unnest(%(state)s::text[], %(name)s::text[], %(first)s::date[],
                           %(last)s::date[], %(source)s::text[]));

-- name: add_school_holiday
-- One period of a state, unless it is there.
insert into school_holiday (state, name, first, last, source)
select %(state)s::text, %(name)s, %(first)s::date, %(last)s, %(source)s
where not exists (
    select from school_holiday h
    where (h.state, h.name, h.first, h.last, h.source)
          = (%(state)s, %(name)s, %(first)s, %(last)s, %(source)s));

-- name: put_event
-- Add an event, or bring it up to date; returns its id and its last day before, or
-- nothing where there is no such municipality or site.
with place as (
    select m.municipality_id, s.site_id
    from municipality m
    left join site s
      on s.municipality_id = m.municipality_id and s.key = %(site)s::text
    where m.key = %(municipality)s and m.removed_at is null
      and (%(site)s::text is null) = (s.site_id is null)
), known as (
    select e.last
    from local_event e
    join place p on p.municipality_id = e.municipality_id
                and p.site_id is not distinct from e.site_id
    where e.name = %(name)s and e.first = %(first)s
)
insert into vp.local_event (municipality_id, site_id, name, first, last, note)
select municipality_id, site_id, %(name)s, %(first)s, %(last)s, %(note)s
from place
on conflict (municipality_id, site_id, name, first) do update set
    last = excluded.last, note = excluded.note
returning local_event_id, (select last from known) as last_before;

-- name: list_events
-- Events that touch a period of local days, in their order; keys that are null select
-- all. Those of a whole municipality are at each of its sites.
select e.local_event_id as event, m.key as municipality, s.key as site, e.name,
       e.first, e.last, e.note
from local_event e
join municipality m using (municipality_id)
left join site s on s.site_id = e.site_id
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(site)s::text is null or s.key = %(site)s or s.key is null)
  and (%(first)s::date is null or e.last >= %(first)s)
  and (%(last)s::date is null or e.first <= %(last)s)
order by e.first, m.key, e.name;

-- name: remove_event
-- Forget an event; returns where and when it was, if there was one.
with gone as (
    delete from vp.local_event where local_event_id = %(event)s returning *
)
select m.key as municipality, s.key as site, gone.first, gone.last
from gone
join municipality m using (municipality_id)
left join site s on s.site_id = gone.site_id;

-- name: events_of_sites
-- Events as they concern each site.
select s.site_id, e.name, e.first, e.last
from local_event e
join site s on s.municipality_id = e.municipality_id
           and (e.site_id is null or e.site_id = s.site_id)
where s.site_id = any(%(sites)s::integer[]);
