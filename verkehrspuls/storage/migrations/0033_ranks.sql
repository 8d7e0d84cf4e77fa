-- What the records of detectors and of tests of health say of a finding is stored with it:
-- queries need no list of reasons.

alter table vp.case_member
    add column rank smallint,
    add column is_fault boolean not null default false;
comment on column vp.case_member.rank is
    'Place among the reasons that name a case; null after all of them.';
comment on column vp.case_member.is_fault is
    'Whether values are suspected to be a sensor''s fault.';
alter table vp.channel_health add column is_fault boolean not null default false;
comment on column vp.channel_health.is_fault is
    'Whether the values of the day are suspected to be a sensor''s fault.';

update vp.case_member e
set rank = of.rank, is_fault = e.reason in ('stuck', 'zeros', 'no-traffic')
from (values
    ('silent', 10), ('stuck', 20), ('zeros', 30), ('above-limit', 40),
    ('noise-without-cars', 50), ('cars-without-noise', 60), ('level-up', 70),
    ('level-down', 80), ('drift-up', 90), ('drift-down', 100),
    ('incident-speed', 1010), ('incident', 1020), ('congestion', 1030),
    ('no-traffic', 1040), ('spike', 1050)) as of (reason, rank)
where e.reason = of.reason;

update vp.channel_health
set is_fault = true
where verdict in ('out-of-range', 'zero-count', 'card-off', 'high-value', 'intermittent',
                  'constant', 'frozen');

-- What nobody has decided yet and is suspected to be a fault of a sensor, by channel: what
-- detectors found, and whole local days on which health found a fault of which no case
-- contains the hours.
drop function vp.suspected(integer[], timestamptz, timestamptz, text[], text[]);
create function vp.suspected(
    of_channels integer[], since timestamptz, until timestamptz)
returns table (channel_id integer, began timestamptz, ended timestamptz, fault text)
language sql stable as $$
    select e.channel_id, e.began, e.ended, e.reason
    from vp.case_member e
    join vp.anomaly_case a using (anomaly_case_id)
    where e.channel_id = any(of_channels) and e.is_fault
      and e.withdrawn_at is null and a.withdrawn_at is null and a.state = 'suspected'
      and e.began < until and e.ended > since
    union all
    select h.channel_id, span.began, span.ended, h.verdict
    from vp.channel_health h
    join vp.channel c using (channel_id)
    join vp.site s using (site_id)
    join vp.municipality m using (municipality_id)
    cross join lateral (
        select h.day::timestamp at time zone m.time_zone as began,
               (h.day + 1)::timestamp at time zone m.time_zone as ended
    ) span
    where h.channel_id = any(of_channels) and h.is_fault
      and h.day >= (since at time zone m.time_zone)::date
      and h.day <= (until at time zone m.time_zone)::date
      and span.began < until and span.ended > since
      and not exists (
          -- a case contains the hours, or a person said what it is
          select from vp.case_member e
          join vp.anomaly_case a using (anomaly_case_id)
          where e.channel_id = h.channel_id and e.is_fault
            and e.withdrawn_at is null and a.withdrawn_at is null
            and e.began < span.ended and e.ended > span.began)
$$;
