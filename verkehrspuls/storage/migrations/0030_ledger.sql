-- Overlaps among the running sums, and whose a rejected message under a shared topic is.

alter table vp.ledger_sum add column readings_overlapping bigint not null default 0;
update vp.ledger_sum s
set readings_overlapping = l.overlapping
from (
    select l.slot, e.municipality_id, sum(l.readings_overlapping) as overlapping
    from vp.ledger l
    left join vp.sensor e using (sensor_id)
    group by l.slot, e.municipality_id
) l
where l.slot = s.slot
  and l.municipality_id is not distinct from s.municipality_id;

-- In the pattern of a topic `+` is a level, `#` the rest.
create function vp.shared_by(topic text, municipality text, sensor text)
returns boolean
language sql stable parallel safe
as $$
    select exists (
        select from vp.sensor s
        join vp.municipality m using (municipality_id)
        where s.topic is not null and s.removed_at is null
          and m.key = shared_by.municipality
          and (shared_by.sensor is null or s.key = shared_by.sensor)
          and shared_by.topic ~ ('^' || replace(replace(replace(
              regexp_replace(s.topic, '([][\\.*?(){}|^$])', '\\\1', 'g'),
              '/#', '(/.*)?'), '#', '.*'), '+', '[^/]*') || '$'))
$$;
comment on function vp.shared_by is
    'Whether a topic is one that sensors of a municipality, or this one of them, share.';
