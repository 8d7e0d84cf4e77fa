-- The fields of the ledger's readings that could not be used and were left out of them,
-- by what was wrong: the speed of -1 that says that none was measured.
create table vp.ledger_field (
    slot smallint not null,
    sensor_id integer not null references vp.sensor,
    hour timestamptz not null,
    field text not null,
    problem text not null,
    -- as it came the last time
    value text not null,
    fields bigint not null,
    primary key (slot, sensor_id, hour, field, problem)
);
comment on column vp.ledger_field.hour is
    'Hour (UTC) in which the messages were received.';
create index on vp.ledger_field (sensor_id, hour);
