-- Readings of the hour that a wall clock shows twice, of which nobody knows the pass.

create table vp.ambiguous_reading (
    channel_id integer not null references vp.channel on delete cascade,
    -- of the reading, as it was taken
    time timestamptz not null,
    -- see verkehrspuls.wire.Ambiguous
    why text not null check (why in ('once', 'unordered', 'ends', 'begins', 'late')),
    noted_at timestamptz not null default now(),
    primary key (channel_id, time)
);
comment on table vp.ambiguous_reading is
    'Readings whose wall clock showed their time twice, while nothing tells which of the '
    'two is meant. Gone as soon as the reading comes with a time that is certain.';

-- Those that are not certain by now. What ended in the hour, and what went on from there,
-- are its two passes as soon as both are there.
create view vp.ambiguous as
select a.channel_id, a.time, a.why
from vp.ambiguous_reading a
where a.why not in ('ends', 'begins')
   or not exists (
       select from (
           select channel_id, time from vp.count_reading
           union all
           select channel_id, time from vp.environment_reading
       ) r
       where r.channel_id = a.channel_id
         and r.time = a.time + case a.why when 'ends' then interval '1 hour'
                               else interval '-1 hour' end
         and not exists (
             select from vp.ambiguous_reading b
             where b.channel_id = r.channel_id and b.time = r.time
               and (b.why not in ('ends', 'begins') or b.why = a.why)));
