-- Removing what is registered. The ledger and the rejects stay.

-- part: of_channels
where channel_id = any(%(channels)s::integer[])

-- part: of_sites
where site_id = any(%(sites)s::integer[])

-- part: of_sensors
where sensor_id = any(%(sensors)s::integer[])

-- part: of_town
where municipality_id = %(municipality_id)s

-- name: find_town
-- A municipality that is registered.
select municipality_id from municipality
where key = %(municipality)s and removed_at is null;

-- name: lock_sites_of_town
-- Lock the sites of a municipality, or one of them: meanwhile no figure of theirs is
-- computed.
select s.site_id
from site s
join municipality m using (municipality_id)
where m.key = %(municipality)s and (%(key)s::text is null or s.key = %(key)s)
order by s.site_id
for update of s;

-- name: lock_town
-- Lock a municipality: its cases are grouped, and decided, by one transaction at a time.
select municipality_id from municipality
where key = %(municipality)s
for no key update;

-- name: channels_of_sites
-- The channels of sites.
select channel_id from channel {{> of_sites}};

-- name: channels_of_town
-- All channels of a municipality.
select c.channel_id
from channel c
join site s using (site_id)
join municipality m using (municipality_id)
where m.key = %(municipality)s;

-- name: lock_sensors_of_town
-- Lock the sensors of a municipality, or one of them.
select e.sensor_id
from sensor e
join municipality m using (municipality_id)
where m.key = %(municipality)s and (%(key)s::text is null or e.key = %(key)s)
  and e.removed_at is null
order by e.sensor_id
for update of e;

-- name: data_of
-- Count the data of channels and sensors: readings of all sensors at the channels, or
-- only of these; cases; what the ledger counts and what is kept, which stay.
with concerned as (
    select sensor_id from unnest(%(sensors)s::integer[]) as given (sensor_id)
    union
    select sensor_id from installation
    where channel_id = any(%(case_channels)s::integer[])
)
select (select count(*) from count_reading
        {{> of_channels}}
          and (%(sensor)s::integer is null or sensor_id = %(sensor)s))
       + (select count(*) from environment_reading
          {{> of_channels}}
            and (%(sensor)s::integer is null or sensor_id = %(sensor)s)) as readings,
       (select count(distinct anomaly_case_id) from case_member
        where channel_id = any(%(case_channels)s::integer[])) as cases,
       (select coalesce(sum(messages_received), 0)::bigint from ledger
        where sensor_id = any(array(select sensor_id from concerned))) as messages,
       (select count(*) from rejected_message
        where sensor_id = any(array(select sensor_id from concerned))) as rejects;

-- name: remove_readings
-- Remove readings of channels, those of one sensor or of all.
select remove_readings(%(channels)s::integer[], %(sensor)s::integer);

-- name: forget_ambiguous
-- Forget that times of these readings are ambiguous.
delete from ambiguous_reading a
where a.channel_id = any(%(channels)s::integer[])
  and (%(sensor)s::integer is null
       or {{exists (
           select from $readings r
           where r.channel_id = a.channel_id and r.time = a.time
             and r.sensor_id = %(sensor)s) or}});

-- name: forget_sensors
-- Take sensors out of the registry; what they sent stays in the ledger.
with installations as (delete from installation {{> of_sensors}}),
     status as (delete from sensor_status {{> of_sensors}}),
     days as (delete from status_day {{> of_sensors}}),
     messages as (delete from newest_message {{> of_sensors}}),
     tokens as (
         update api_token set revoked_at = coalesce(revoked_at, now()) {{> of_sensors}})
update sensor set removed_at = now() {{> of_sensors}};

-- name: remove_members
-- Remove what detectors found on channels; returns the cases that it was part of.
delete from case_member {{> of_channels}} returning anomaly_case_id;

-- name: lead_cases
-- Cases that still have members, at other channels: show each by its worst member. They
-- are grouped anew when one of their hours is computed.
update anomaly_case a
set (site_id, channel_id, detector, observed, usual, score, reason) = (
        select c.site_id, e.channel_id, e.detector, e.observed, e.usual, e.score,
               e.reason
        from case_member e
        join channel c using (channel_id)
        where e.anomaly_case_id = a.anomaly_case_id
        order by e.withdrawn_at is not null, e.score desc, e.case_member_id
        limit 1),
    (began, ended, detectors, channels, sites) = (
        select min(e.began), max(e.ended), array_agg(distinct e.detector),
               count(distinct e.channel_id), count(distinct c.site_id)
        from case_member e
        join channel c using (channel_id)
        where e.anomaly_case_id = a.anomaly_case_id),
    updated_at = now()
where a.anomaly_case_id = any(%(cases)s::bigint[])
  and exists (select from case_member e where e.anomaly_case_id = a.anomaly_case_id);

-- name: remove_cases
-- Remove cases that have no member left, with what became of them.
with gone as (
    select a.anomaly_case_id
    from anomaly_case a
    where (a.anomaly_case_id = any(%(cases)s::bigint[])
           or a.channel_id = any(%(channels)s::integer[])
           or a.site_id = any(%(sites)s::integer[]))
      and not exists (
          select from case_member e where e.anomaly_case_id = a.anomaly_case_id)
), alerts as (
    delete from alert where anomaly_case_id in (select anomaly_case_id from gone)
), events as (
    delete from case_event where anomaly_case_id in (select anomaly_case_id from gone)
)
delete from anomaly_case where anomaly_case_id in (select anomaly_case_id from gone);

-- name: remove_figures
-- Remove what was computed of channels.
select remove_figures(%(channels)s::integer[]);

-- name: leave_roads
-- Take sites out of corridors and junctions.
with stations as (delete from corridor_station {{> of_sites}})
delete from junction_arm {{> of_sites}};

-- name: remove_roads
-- Remove corridors with fewer than two stations, and junctions without ways in or out.
with corridors as (
    delete from corridor r
    where r.municipality_id = %(municipality_id)s
      and (select count(*) from corridor_station t
           where t.corridor_id = r.corridor_id) < 2
)
delete from junction j
where j.municipality_id = %(municipality_id)s
  and (select count(distinct a.leads) from junction_arm a
       where a.junction_id = j.junction_id) < 2;

-- name: empty_sites
-- Remove the channels, days and events of sites; by now nothing else refers to them.
with days as (delete from daily_figure {{> of_sites}}),
     stale as (delete from stale_day {{> of_sites}}),
     events as (delete from local_event {{> of_sites}})
delete from channel {{> of_sites}};

-- name: remove_sites
-- Remove empty sites: last, because the audit log names what they had by them.
delete from site {{> of_sites}};

-- name: forget_town
-- Take a municipality out of the registry.
with events as (delete from local_event {{> of_town}}),
     profiles as (delete from device_profile {{> of_town}}),
     days as (delete from stale_case_day {{> of_town}}),
     hours as (delete from stale_case_hour {{> of_town}}),
     tokens as (
         update api_token set revoked_at = coalesce(revoked_at, now()) {{> of_town}})
update municipality set removed_at = now() {{> of_town}};

-- name: forget_people
-- Take all roles in a municipality that was taken out.
delete from account_role where municipality_id = %(municipality_id)s;

-- name: sweep
-- Remove what a worker wrote for channels that it did not yet know to be removed.
select sweep() as channels;

-- name: list_towns
-- All municipalities that are registered, those without sites too.
select m.key as town, m.name, m.state, m.time_zone,
       (select count(*) from site s where s.municipality_id = m.municipality_id)
           as sites,
       (select count(*) from sensor e
        where e.municipality_id = m.municipality_id and e.removed_at is null) as sensors
from municipality m
where m.removed_at is null
order by m.key;
