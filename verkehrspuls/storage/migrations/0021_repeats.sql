-- What comes again under the same frame counter, and what devices say that they observed.

-- The frames of radio networks that came of late, so that one that is delivered again,
-- with another time of receipt, is known. `session` names the device and its session:
-- a device that joins anew counts anew.
create table vp.frame (
    sensor_id integer not null references vp.sensor on delete cascade,
    session text not null,
    counter bigint not null,
    -- of its reading
    time timestamptz not null,
    primary key (sensor_id, session, counter)
);
create index on vp.frame (time);

-- Seconds of the interval that the device says it observed; NULL where it says nothing.
alter table vp.count_reading add column observed_s integer;
alter table vp.environment_reading add column observed_s integer;
alter table vp.count_reading_history add column observed_s integer;
alter table vp.environment_reading_history add column observed_s integer;

create or replace function vp.keep_replaced_count() returns trigger
language plpgsql as $$
begin
    perform vp.ensure_range('count_reading_history', old.time, old.time);
    insert into vp.count_reading_history (
        channel_id, time, interval_s, sensor_id, received_at, time_origin, revision,
        total, unclassified, motorcycle, car, van, car_trailer, truck, truck_trailer,
        articulated, bus, bicycle, pedestrian, speed_kmh, occupancy,
        histogram_from_kmh, histogram_width_kmh, histogram, observed_s, replaced_at)
    values (
        old.channel_id, old.time, old.interval_s, old.sensor_id, old.received_at,
        old.time_origin, old.revision, old.total, old.unclassified, old.motorcycle,
        old.car, old.van, old.car_trailer, old.truck, old.truck_trailer,
        old.articulated, old.bus, old.bicycle, old.pedestrian, old.speed_kmh,
        old.occupancy, old.histogram_from_kmh, old.histogram_width_kmh, old.histogram,
        old.observed_s, now());
    return null;
end $$;
create or replace function vp.keep_replaced_environment() returns trigger
language plpgsql as $$
begin
    perform vp.ensure_range('environment_reading_history', old.time, old.time);
    insert into vp.environment_reading_history (
        channel_id, time, interval_s, sensor_id, received_at, time_origin, revision,
        value, observed_s, replaced_at)
    values (
        old.channel_id, old.time, old.interval_s, old.sensor_id, old.received_at,
        old.time_origin, old.revision, old.value, old.observed_s, now());
    return null;
end $$;

alter table vp.ledger add column readings_overlapping bigint not null default 0;
comment on column vp.ledger.readings_overlapping is
    'Of those stored, duplicate or corrected: shared their time with other readings of '
    'their channel when they came.';
