-- How a case stands at a time: `current` is to be looked at, because its cause lasts or
-- ended no more than `days` ago; `older` was, but nobody decided it; `history` never
-- was, because it had ended for longer than that when it was found, as in what is
-- imported; `closed` is what was withdrawn, explained or rejected.
create function vp.case_stands(a vp.anomaly_case, at timestamptz, days integer)
returns text language sql stable as $$
    select case
        when a.withdrawn_at is not null or a.state not in ('suspected', 'confirmed')
            then 'closed'
        when a.ended > at - make_interval(days => days) then 'current'
        when a.ended > a.opened_at - make_interval(days => days) then 'older'
        else 'history'
    end
$$;

-- What nobody has decided yet and is suspected to be a fault of a sensor, by channel: what
-- detectors found, and whole local days on which health found a fault of which no case
-- tells the hours. `faults` are reasons of cases, `verdicts` those of health.
create function vp.suspected(
    of_channels integer[], since timestamptz, until timestamptz, faults text[],
    verdicts text[])
returns table (channel_id integer, began timestamptz, ended timestamptz, fault text)
language sql stable as $$
    select e.channel_id, e.began, e.ended, e.reason
    from vp.case_member e
    join vp.anomaly_case a using (anomaly_case_id)
    where e.channel_id = any(of_channels) and e.reason = any(faults)
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
    where h.channel_id = any(of_channels) and h.verdict = any(verdicts)
      and h.day >= (since at time zone m.time_zone)::date
      and h.day <= (until at time zone m.time_zone)::date
      and span.began < until and span.ended > since
      and not exists (
          -- a case tells which hours it is, or a person said what it is
          select from vp.case_member e
          join vp.anomaly_case a using (anomaly_case_id)
          where e.channel_id = h.channel_id and e.reason = any(faults)
            and e.withdrawn_at is null and a.withdrawn_at is null
            and e.began < span.ended and e.ended > span.began)
$$;

-- When the newest reading of a channel was measured, before a time: its start. When a
-- message came is another fact. Where raw readings are not kept for so long, the newest
-- hour of figures, or what was told over a longer interval.
create function vp.newest_reading(of_channel integer, before timestamptz)
returns timestamptz language sql stable as $$
    select coalesce(
        (select max(newest.time) from (
            (select r.time from vp.count_reading r
             where r.channel_id = of_channel and r.time < before
             order by r.time desc limit 1)
            union all
            (select r.time from vp.environment_reading r
             where r.channel_id = of_channel and r.time < before
             order by r.time desc limit 1)) newest),
        (select max(newest.time) from (
            (select v.time from vp.volume v
             where v.channel_id = of_channel and v.interval_s = 3600 and v.time < before
             order by v.time desc limit 1)
            union all
            (select h.time from vp.environment_hour h
             where h.channel_id = of_channel and h.time < before
             order by h.time desc limit 1)
            union all
            (select v.time from vp.long_volume v
             where v.channel_id = of_channel and v.time < before
             order by v.time desc limit 1)
            union all
            (select e.time from vp.long_environment e
             where e.channel_id = of_channel and e.time < before
             order by e.time desc limit 1)) newest))
$$;
