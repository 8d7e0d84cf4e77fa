-- What devices said of themselves, day by day: how fast a battery empties.
create table vp.status_day (
    sensor_id integer not null references vp.sensor,
    day date not null,
    battery_pct real,
    signal_dbm real,
    temperature_c real,
    primary key (sensor_id, day)
);
comment on table vp.status_day is
    'The last of what a device said of itself on a day (UTC).';
select vp.show('status_day', vp.seen_by('sensor'));
grant select, insert, update on vp.status_day to vp_ingest;
grant select on vp.status_day to vp_analytics;
