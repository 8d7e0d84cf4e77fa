-- When the newest reading of each channel was measured, so that nobody looks for it in
-- all partitions or chunks; and installations by sensor and by channel.

create table vp.newest_reading (
    channel_id integer primary key references vp.channel,
    time timestamptz not null
) with (fillfactor = 50);
comment on table vp.newest_reading is
    'When the newest reading of a channel was measured of which figures were computed. What '
    'came since is looked for from there: see vp.newest_reading_since.';

insert into vp.newest_reading (channel_id, time)
select channel_id, newest.time
from vp.channel
cross join lateral (select vp.newest_reading(channel_id, now()) as time) newest
where newest.time is not null;

-- When the newest reading of a channel was measured, of which a time is known at which
-- there was one; null is none. One query: it becomes part of the one that asks.
create function vp.newest_reading_since(of_channel integer, known timestamptz)
returns table (newest_reading_at timestamptz) language sql stable as $$
    select coalesce(max(newer.time), known)
    from (
        (select r.time from vp.count_reading r
         where r.channel_id = of_channel and r.time < now()
           and r.time > coalesce(known, '-infinity')
         order by r.time desc limit 1)
        union all
        (select r.time from vp.environment_reading r
         where r.channel_id = of_channel and r.time < now()
           and r.time > coalesce(known, '-infinity')
         order by r.time desc limit 1)) newer
$$;

-- Which sensors are attached to a channel, and to which channels a sensor: the indexes of
-- the constraints are of ranges, and several times slower.
create index installation_sensor on vp.installation (sensor_id) include (channel_id);
create index installation_channel on vp.installation (channel_id) include (sensor_id);
