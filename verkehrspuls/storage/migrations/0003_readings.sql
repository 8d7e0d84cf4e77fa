-- Readings, the values that corrections replaced, and what analytics has to do again.
--
-- A reading is identified by (channel_id, time); `time` is the start of its interval.
-- NULL in a count column means unknown, never zero.

create table vp.count_reading (
    channel_id integer not null,
    time timestamptz not null,
    interval_s integer not null,
    sensor_id integer not null,
    received_at timestamptz not null,
    time_origin smallint not null default 0 check (time_origin between 0 and 2),
    revision integer not null default 0,
    total integer,
    unclassified integer,
    motorcycle integer,
    car integer,
    van integer,
    car_trailer integer,
    truck integer,
    truck_trailer integer,
    articulated integer,
    bus integer,
    bicycle integer,
    pedestrian integer,
    speed_kmh real,
    occupancy real,
    histogram_from_kmh real,
    histogram_width_kmh real,
    histogram integer[],
    primary key (channel_id, time)
);
comment on column vp.count_reading.time_origin is
    'Whose clock the time is from: 0 the device''s, 1 that of gateway or network, '
    '2 ours on receipt.';
comment on column vp.count_reading.revision is 'How often the reading was corrected.';

create table vp.environment_reading (
    channel_id integer not null,
    time timestamptz not null,
    interval_s integer not null,
    sensor_id integer not null,
    received_at timestamptz not null,
    time_origin smallint not null default 0 check (time_origin between 0 and 2),
    revision integer not null default 0,
    value double precision not null,
    primary key (channel_id, time)
);

create table vp.count_reading_history (
    like vp.count_reading,
    replaced_at timestamptz not null,
    primary key (channel_id, time, revision)
);
create table vp.environment_reading_history (
    like vp.environment_reading,
    replaced_at timestamptz not null,
    primary key (channel_id, time, revision)
);

select vp.make_series('count_reading', 'time');
select vp.make_series('environment_reading', 'time');
select vp.make_series('count_reading_history', 'time');
select vp.make_series('environment_reading_history', 'time');

-- Keep the replaced value, whoever corrects a reading and however: with the two times,
-- received_at and replaced_at, any figure can be computed as known at an earlier time.
create function vp.keep_replaced_count() returns trigger language plpgsql as $$
begin
    perform vp.ensure_range('count_reading_history', old.time, old.time);
    insert into vp.count_reading_history select old.*, now();
    return null;
end $$;
create function vp.keep_replaced_environment() returns trigger language plpgsql as $$
begin
    perform vp.ensure_range('environment_reading_history', old.time, old.time);
    insert into vp.environment_reading_history select old.*, now();
    return null;
end $$;
create trigger keep_replaced after update on vp.count_reading
    for each row execute function vp.keep_replaced_count();
create trigger keep_replaced after update on vp.environment_reading
    for each row execute function vp.keep_replaced_environment();

-- Hours (UTC) of channels whose figures have to be computed anew. Append-only: the
-- same hour may stand here twice. Analytics claims by site and deletes what it claims.
create table vp.stale_bucket (
    channel_id integer not null,
    hour timestamptz not null
);
create index on vp.stale_bucket (channel_id);
