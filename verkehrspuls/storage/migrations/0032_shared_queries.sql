-- What many queries ask in the same words: each stands here once. All of it becomes part
-- of the query that asks, so that its plan is the one of the words written out.

-- Whether a case is open: not withdrawn, and nobody explained or rejected it.
create function vp.is_open(a vp.anomaly_case) returns boolean language sql stable as $$
    select a.withdrawn_at is null and a.state in ('suspected', 'confirmed')
$$;

create or replace function vp.case_stands(
    a vp.anomaly_case, at timestamptz, days integer)
returns text language sql stable as $$
    select case
        when not vp.is_open(a) then 'closed'
        when a.ended > at - make_interval(days => days) then 'current'
        when a.ended > a.opened_at - make_interval(days => days) then 'older'
        else 'history'
    end
$$;

create view vp.exclusion as
select e.channel_id, e.began, e.ended
from vp.case_member e
join vp.anomaly_case a using (anomaly_case_id)
where e.withdrawn_at is null
  and a.effect = 'exclude' and a.state in ('confirmed', 'explained');
comment on view vp.exclusion is
    'When a person excluded the values of a channel from figures: spans, half-open.';

create view vp.installed as
select i.installation_id, i.sensor_id, i.channel_id, i.output, i.period, i.mapping,
       greatest('1970-01-01', least('2200-01-01', lower(i.period))) as since,
       greatest('1970-01-01', least('2200-01-01', upper(i.period))) as until
from vp.installation i;
comment on view vp.installed is
    'Installations with their dates: open ends are far away, so that none is infinite.';

-- What the newest hour of a sensor's ledger says: when its last message came, over which
-- slot, and whether any was used or rejected. Slots from 100 on are imports and replays.
create function vp.last_heard(of_sensor integer, below_slot integer default null)
returns table (last_received_at timestamptz, slot smallint, used boolean, rejected boolean)
language sql stable as $$
    select l.last_received_at, l.slot,
           l.slot < 100 and l.readings_received > l.readings_rejected,
           l.slot < 100 and l.messages_rejected > 0
    from vp.ledger l
    where l.sensor_id = of_sensor and l.hour <= now()
      and (below_slot is null or l.slot < below_slot)
    order by l.hour desc, l.last_received_at desc
    limit 1
$$;
