-- What devices say of themselves besides the battery.
alter table vp.sensor_status
    add column signal_dbm real,
    add column temperature_c real;
comment on column vp.sensor_status.signal_dbm is 'Received signal strength.';
comment on column vp.sensor_status.temperature_c is 'Of the device itself.';
select vp.show('sensor_status', vp.seen_by('sensor'));
