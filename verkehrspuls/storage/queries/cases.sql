-- Cases: what detectors write, what persons decide, and alerts.

-- name: cases_of_channels
-- Members of cases that touch a span of each channel: decided ones, and undecided ones
-- that stand.
select e.case_member_id, e.channel_id, e.detector, e.began, e.ended, a.state, a.effect
from case_member e
join anomaly_case a using (anomaly_case_id)
join {{> spans}}
  on e.channel_id = span.channel_id and e.began <= span.until and e.ended >= span.since
where a.state <> 'suspected' or e.withdrawn_at is null;

-- name: excluded_spans
-- What persons excluded from the figures of sites.
select e.channel_id, e.began as since, e.ended as until
from exclusion e
join channel c using (channel_id)
where c.site_id = any(%(sites)s)
  and e.began < %(until)s and e.ended > %(since)s;

-- name: put_members
-- Write what detectors found, where no person has decided; returns what is new or other.
insert into case_member as e (
    channel_id, detector, began, ended, observed, usual, score, reason, rank, is_fault)
select * from unnest(
    %(channel_id)s::integer[], %(detector)s::text[], %(began)s::timestamptz[],
    %(ended)s::timestamptz[], %(observed)s::real[], %(usual)s::real[], %(score)s::real[],
    %(reason)s::text[], %(rank)s::smallint[], %(is_fault)s::boolean[])
on conflict (channel_id, detector, began) do update set
    ended = excluded.ended, observed = excluded.observed, usual = excluded.usual,
    score = excluded.score, reason = excluded.reason, rank = excluded.rank,
    is_fault = excluded.is_fault, withdrawn_at = null
where not exists (
        select from anomaly_case a
        where a.anomaly_case_id = e.anomaly_case_id and a.state <> 'suspected')
  and (e.ended, e.observed, e.usual, e.score, e.reason, e.rank, e.is_fault,
       e.withdrawn_at)
      is distinct from (excluded.ended, excluded.observed, excluded.usual,
                        excluded.score, excluded.reason, excluded.rank,
                        excluded.is_fault, null)
returning channel_id, began, ended;

-- name: withdraw_members
-- What caused them is no longer in the data. Never what a person decided.
update case_member e
set withdrawn_at = now()
from anomaly_case a
where e.case_member_id = any(%(members)s) and e.withdrawn_at is null
  and a.anomaly_case_id = e.anomaly_case_id and a.state = 'suspected'
returning e.channel_id, e.began, e.ended;

-- name: lock_municipalities
-- Cases of a municipality are grouped, and decided, by one transaction at a time.
select m.municipality_id
from municipality m
where m.municipality_id in (
    select s.municipality_id from channel c join site s using (site_id)
    where c.channel_id = any(%(channels)s))
order by m.municipality_id
for no key update;

-- name: members_to_group
-- Undecided members that stand, of municipalities: those that touch a span, and all
-- others of their cases.
with undecided as (
    select e.*, c.site_id, c.audience, c.quantity, s.municipality_id, s.latitude,
           s.longitude
    from case_member e
    join channel c using (channel_id)
    join site s using (site_id)
    left join anomaly_case a on a.anomaly_case_id = e.anomaly_case_id
    where s.municipality_id = any(%(municipalities)s) and e.withdrawn_at is null
      and coalesce(a.state, 'suspected') = 'suspected'
), touched as (
    select anomaly_case_id
    from case_member
    where began <= %(until)s and ended >= %(since)s
)
select case_member_id, anomaly_case_id, municipality_id, audience, site_id, quantity,
       latitude, longitude, channel_id, began, ended, observed, usual, score, reason, detector
from undecided
where (began <= %(until)s and ended >= %(since)s)
   or anomaly_case_id in (select anomaly_case_id from touched);

-- name: mixed_members
-- Members that stand of undecided cases with members of several audiences, by case.
with mixed as (
    select e.anomaly_case_id
    from case_member e
    join channel c using (channel_id)
    join anomaly_case a using (anomaly_case_id)
    where e.withdrawn_at is null and a.state = 'suspected' and a.sites > 1
    group by e.anomaly_case_id
    having min(c.audience) < max(c.audience)
)
select e.channel_id, e.began, e.ended, e.anomaly_case_id
from case_member e
join mixed using (anomaly_case_id)
where e.withdrawn_at is null
order by e.anomaly_case_id;

-- name: open_case
-- A new case; its leading member tells the rest.
insert into anomaly_case (site_id, channel_id, detector, began, ended, score, reason)
values (%(site_id)s, %(channel_id)s, %(detector)s, %(began)s, %(ended)s, %(score)s,
        %(reason)s)
returning anomaly_case_id;

-- name: put_case
-- What a group of members says of its case; returns what it said before.
with before as (
    select anomaly_case_id, severity, withdrawn_at
    from anomaly_case where anomaly_case_id = %(anomaly_case_id)s
)
update anomaly_case a
set site_id = %(site_id)s, channel_id = %(channel_id)s, detector = %(detector)s,
    began = %(began)s, ended = %(ended)s, observed = %(observed)s, usual = %(usual)s,
    score = %(score)s, reason = %(reason)s, severity = %(severity)s,
    detectors = %(detectors)s, channels = %(channels)s, sites = %(sites)s,
    updated_at = now(), withdrawn_at = null
from before
where a.anomaly_case_id = before.anomaly_case_id and a.state = 'suspected'
  and (a.site_id, a.channel_id, a.detector, a.began, a.ended, a.observed, a.usual,
       a.score, a.reason, a.severity, a.detectors, a.channels, a.sites, a.withdrawn_at)
      is distinct from
      (%(site_id)s, %(channel_id)s, %(detector)s, %(began)s, %(ended)s,
       %(observed)s::real, %(usual)s::real, %(score)s::real, %(reason)s, %(severity)s,
       %(detectors)s::text[], %(channels)s, %(sites)s, null)
returning before.severity, before.withdrawn_at;

-- name: put_member_cases
-- Which case each member belongs to.
update case_member e
set anomaly_case_id = n.anomaly_case_id
from unnest(%(members)s::bigint[], %(cases)s::bigint[]) as n (member, anomaly_case_id)
where e.case_member_id = n.member
  and e.anomaly_case_id is distinct from n.anomaly_case_id;

-- name: withdraw_cases
-- Undecided cases without a member that stands.
update anomaly_case a
set withdrawn_at = now(), updated_at = now()
from site s
where s.site_id = a.site_id and s.municipality_id = any(%(municipalities)s)
  and a.state = 'suspected' and a.withdrawn_at is null
  and not exists (
      select from case_member e
      where e.anomaly_case_id = a.anomaly_case_id and e.withdrawn_at is null)
returning a.anomaly_case_id;

-- name: note_case
-- What became of a case. `who` names a command or token; an account signs by itself.
insert into vp.case_event (
    anomaly_case_id, kind, who, state, effect, severity, comment, assignee_id)
select a.anomaly_case_id, %(kind)s, %(who)s, a.state, a.effect, a.severity, %(comment)s,
       %(assignee)s
from anomaly_case a
where a.anomaly_case_id = %(anomaly_case_id)s
returning case_event_id;

-- name: lock_municipalities_of_cases
-- The same for a person; in the order of the detectors.
select vp.lock_municipality(towns.municipality_id)
from (
    select distinct s.municipality_id
    from anomaly_case a
    join site s using (site_id)
    where a.anomaly_case_id = any(%(cases)s::bigint[])
    order by s.municipality_id
) towns;

-- name: find_case
-- How a case stands, and whether the viewer may decide it.
select a.anomaly_case_id, a.state, a.effect, a.withdrawn_at, a.assigned_to,
       m.key as municipality, shown.decides(m.municipality_id) as is_decided_here,
       coalesce((select max(e.case_event_id) from case_event e
                 where e.anomaly_case_id = a.anomaly_case_id), 0) as version
from anomaly_case a
join site s using (site_id)
join municipality m using (municipality_id)
where a.anomaly_case_id = %(anomaly_case_id)s;

-- name: decide_case
-- What a person decided; the audit log says whether it undoes a decision.
with named as materialized (
    select set_config('vp.undone', case when %(undoes)s then %(anomaly_case_id)s::text
                                        else '' end, true)
)
update vp.anomaly_case
set state = %(state)s, effect = %(effect)s, updated_at = now()
from named
where anomaly_case_id = %(anomaly_case_id)s;

-- name: assign_case
update vp.anomaly_case
set assigned_to = %(assignee)s, updated_at = now()
where anomaly_case_id = %(anomaly_case_id)s;

-- name: case_people
-- To whom cases of a municipality can be assigned.
select account_id, email, name from shown.case_people(%(municipality)s);

-- name: mark_case_stale
-- Let the figures of the hours of a case be computed anew, and the days of intervals
-- above an hour that it touches; returns how many.
insert into vp.stale_bucket (channel_id, hour)
select e.channel_id, hour
from case_member e
cross join generate_series(
    date_trunc('hour', e.began), e.ended - interval '1 microsecond', interval '1 hour')
    as hour
where e.anomaly_case_id = %(anomaly_case_id)s and e.withdrawn_at is null
union
-- one belongs to the day of its middle
select e.channel_id,
       date_trunc('hour', v.time + make_interval(secs => v.interval_s / 2))
from case_member e
join long_volume v using (channel_id)
where e.anomaly_case_id = %(anomaly_case_id)s and e.withdrawn_at is null
  and v.time < e.ended and v.time + make_interval(secs => v.interval_s) > e.began;

-- name: case_members
-- The members of a case, those that were withdrawn too.
select e.case_member_id, e.detector, e.began, e.ended, e.observed, e.usual, e.score,
       e.reason, e.withdrawn_at, s.key as site, s.name as site_name, c.key as channel,
       c.name as channel_name, c.quantity, c.direction, c.direction_name
from case_member e
join channel c using (channel_id)
join site s using (site_id)
where e.anomaly_case_id = %(anomaly_case_id)s
order by e.began, s.key, c.key, e.detector;

-- name: case_history
-- What became of a case, the oldest first. Names are shown to who belongs to the town.
select e.case_event_id, e.at, e.kind,
       coalesce(e.who, shown.person(e.account_id, s.municipality_id), e.acted_as) as who,
       e.acted_as, shown.person(e.assignee_id, s.municipality_id) as assignee,
       e.state, e.effect, e.severity, e.comment
from case_event e
join anomaly_case a using (anomaly_case_id)
join site s using (site_id)
where e.anomaly_case_id = %(anomaly_case_id)s
order by e.case_event_id;

-- name: make_alerts
-- A message for each change of a case that a rule and a destination are for: that it
-- opened, came back or got worse while it was new, and what became of it once somebody
-- was told. Nobody is told of history. After one message the next of a municipality
-- waits for the digest.
insert into alert (case_event_id, anomaly_case_id, municipality_id, destination, due_at)
select e.case_event_id, a.anomaly_case_id, m.municipality_id, d.destination,
       greatest(
           %(now)s::timestamptz,
           -- none was sent by a clock that was ahead
           (select max(l.sent_at) from alert l
            where l.municipality_id = m.municipality_id
              and l.destination = d.destination and l.sent_at <= %(now)s)
               + make_interval(mins => %(digest_min)s))
from case_event e
join anomaly_case a using (anomaly_case_id)
join site s using (site_id)
join municipality m using (municipality_id)
join unnest(%(rules)s::text[], %(severities)s::text[]) as r (municipality, severity)
  on r.municipality = m.key
cross join unnest(%(destinations)s::text[]) as d (destination)
where e.at > %(now)s::timestamptz - make_interval(hours => %(newest_h)s)
  and case
      when e.kind in ('opened', 'raised', 'returned') then
          a.withdrawn_at is null and a.state = 'suspected'
          and vp.case_stands(a.withdrawn_at, a.state, a.ended, a.opened_at, %(now)s::timestamptz, %(current_days)s) <> 'history'
          and a.ended > %(now)s::timestamptz - make_interval(hours => %(newest_h)s)
          and (a.reason = any(%(always)s::text[])
               or array_position(array['low', 'medium', 'high'], a.severity)
                   >= array_position(array['low', 'medium', 'high'], r.severity))
      else e.kind in ('withdrawn', 'decided', 'undone') and exists (
          select from alert l
          where l.anomaly_case_id = a.anomaly_case_id
            and l.destination = d.destination and l.sent_at is not null)
      end
on conflict (case_event_id, destination) do nothing;

-- name: hasten_alerts
-- No message waits longer than a day for its turn: a clock was ahead when it was put off.
update alert set due_at = %(now)s
where sent_at is null and given_up is null
  and due_at > %(now)s::timestamptz + interval '1 day';

-- name: municipality_keys
-- All municipalities.
select key from municipality where removed_at is null order by key;

-- name: due_alerts
-- Messages of one municipality and destination that are due and were tried as often, at
-- most so many; no other sender has them.
with first as (
    select f.alert_id, f.municipality_id, f.destination, f.attempts, d.most
    from alert f
    join unnest(%(destinations)s::text[], %(most)s::integer[])
        as d (destination, most) using (destination)
    where f.sent_at is null and f.given_up is null and f.due_at <= %(now)s
    order by f.due_at, f.alert_id
    limit 1
    for no key update of f skip locked
)
select l.alert_id, attempts, destination, l.anomaly_case_id, e.kind, e.at,
       coalesce(e.who, e.acted_as) as who,
       m.key as municipality, m.name as municipality_name, m.time_zone, m.simulated
from first
join alert l using (municipality_id, destination, attempts)
join case_event e using (case_event_id)
join municipality m on m.municipality_id = l.municipality_id
where l.sent_at is null and l.given_up is null and l.due_at <= %(now)s
order by l.alert_id
limit (select most from first)
for no key update of l skip locked;

-- name: give_up_unset_alerts
-- Messages to a destination for which no address is set any more.
update alert set given_up = 'no address is set'
where sent_at is null and given_up is null
  and destination <> all(%(destinations)s::text[]);

-- name: alerts_held_up
select waiting, oldest_s, given_up from shown.alerts_held_up();

-- name: delay_alerts
-- Put messages off; `attempts` more were made.
update alert set attempts = attempts + %(attempts)s, due_at = %(due_at)s
where alert_id = any(%(alerts)s);

-- name: settle_alerts
-- Note that messages were sent, or that they will not be.
update alert
set attempts = attempts + 1, sent_at = %(sent_at)s, given_up = %(given_up)s
where alert_id = any(%(alerts)s);

-- name: mark_case_days
-- Note local days of sites that were computed: they have to be judged as a whole.
insert into stale_case_day (municipality_id, day)
select distinct s.municipality_id, n.day
from unnest(%(sites)s::integer[], %(days)s::date[]) as n (site_id, day)
join site s using (site_id)
order by 1, 2
on conflict do nothing;

-- name: take_days
-- Take the days of one municipality that ended by `now`, once no hour before today is
-- left to compute there; the municipality is locked.
with ready as (
    select m.municipality_id, m.time_zone,
           (%(now)s::timestamptz at time zone m.time_zone)::date as today
    from municipality m
    where m.municipality_id <> all(%(avoid)s::integer[])
      and exists (
            select from stale_case_day d
            where d.municipality_id = m.municipality_id
              and d.day < (%(now)s::timestamptz at time zone m.time_zone)::date)
      and not exists (
            select from stale_bucket b
            join channel c using (channel_id)
            join site s using (site_id)
            where s.municipality_id = m.municipality_id
              and b.hour < (%(now)s::timestamptz at time zone m.time_zone)::date
                  at time zone m.time_zone)
    order by m.municipality_id
    limit 1
    for no key update of m skip locked
)
delete from stale_case_day d
using ready r
where d.municipality_id = r.municipality_id and d.day < r.today
returning d.municipality_id, d.day, r.time_zone, r.today;

-- name: mark_case_hours
-- Note hours of sites: they have to be judged beside the rest of their town.
insert into stale_case_hour (municipality_id, hour)
select distinct s.municipality_id, n.hour
from unnest(%(sites)s::integer[], %(hours)s::timestamptz[]) as n (site_id, hour)
join site s using (site_id)
order by 1, 2
on conflict do nothing;

-- name: take_hours
-- Take hours of one municipality that ended by `now`: four weeks from the first one on.
-- The municipality is locked.
with ready as (
    select m.municipality_id,
           (select min(h.hour) from stale_case_hour h
            where h.municipality_id = m.municipality_id) as first
    from municipality m
    where m.municipality_id <> all(%(avoid)s::integer[])
      and exists (
        select from stale_case_hour h
        where h.municipality_id = m.municipality_id
          and h.hour <= %(now)s::timestamptz - interval '1 hour')
    order by m.municipality_id
    limit 1
    for no key update of m skip locked
)
delete from stale_case_hour h
using ready r
where h.municipality_id = r.municipality_id
  and h.hour <= %(now)s::timestamptz - interval '1 hour'
  and h.hour < r.first + interval '28 days'
returning h.municipality_id, h.hour;

-- name: channels_of_municipality
-- All channels of a municipality: where they are, what they measure, and who sees it.
select c.channel_id, c.site_id, c.quantity, c.audience
from channel c join site s using (site_id)
where s.municipality_id = %(municipality)s
order by c.channel_id;

-- name: usual_hours
-- Hours of counting channels for which something is usual.
select channel_id, time, observed_s, volume, usual, usual_spread
from volume
where channel_id = any(%(channels)s) and interval_s = 3600
  and time >= %(since)s and time < %(until)s and usual is not null;

-- name: channel_days
-- Local days of counting channels against what is usual; hours that are observed well enough.
select v.channel_id, c.site_id, c.quantity, c.audience, m.time_zone,
       (v.time at time zone m.time_zone)::date as day, count(*)::integer as hours,
       sum(v.volume * 3600.0::double precision / v.observed_s) as observed,
       sum(v.usual::double precision) as usual
from volume v
join channel c using (channel_id)
join site s using (site_id)
join municipality m using (municipality_id)
where v.channel_id = any(%(channels)s) and v.interval_s = 3600
  and v.time >= %(since)s and v.time < %(until)s
  and v.usual is not null and v.observed_s >= 2700
group by 1, 2, 3, 4, 5, 6;

-- name: value_days
-- Local days of environment channels: the lowest of the hours that are observed well enough.
select e.channel_id, c.quantity, m.time_zone,
       (e.time at time zone m.time_zone)::date as day, count(*)::integer as hours,
       min(e.mean) as minimum
from environment_hour e
join channel c using (channel_id)
join site s using (site_id)
join municipality m using (municipality_id)
where e.channel_id = any(%(channels)s) and e.time >= %(since)s and e.time < %(until)s
  and e.observed_s >= 2700
group by 1, 2, 3, 4;

-- name: paired_hours
-- Hours of sites that count motor vehicles and measure noise, all channels observed.
select min(v.channel_id) as channel_id, e.channel_id as noise_channel_id, v.time,
       extract(hour from v.time at time zone m.time_zone)::smallint as local_hour,
       extract(isodow from v.time at time zone m.time_zone) > 5 as weekend,
       sum(v.volume * 3600.0::double precision / v.observed_s) as volume,
       sum(v.usual::double precision) as usual, e.mean as level
from channel n
join site s using (site_id)
join municipality m using (municipality_id)
join channel c on c.site_id = s.site_id and c.quantity = 'motor'
join volume v on v.channel_id = c.channel_id and v.interval_s = 3600
join environment_hour e on e.channel_id = n.channel_id and e.time = v.time
where n.channel_id = any(%(channels)s) and n.quantity = 'laeq_db'
  and v.time >= %(since)s and v.time < %(until)s
  and v.usual is not null and v.observed_s >= 2700 and e.observed_s >= 2700
group by e.channel_id, v.time, m.time_zone, e.mean, s.site_id
having count(*) = (
    select count(*) from channel o where o.site_id = s.site_id and o.quantity = 'motor');
