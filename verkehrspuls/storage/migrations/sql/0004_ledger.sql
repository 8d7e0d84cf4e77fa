-- The ledger: every message and every reading in it is counted exactly once, in the
-- transaction that holds its effect. Each worker slot has rows of its own, so that
-- workers never wait for each other.

create table vp.ledger (
    slot smallint not null,
    sensor_id integer references vp.sensor,
    hour timestamptz not null,
    last_received_at timestamptz not null,
    messages_received bigint not null,
    messages_accepted bigint not null,
    messages_partly_accepted bigint not null,
    messages_rejected bigint not null,
    messages_unknown_sensor bigint not null,
    readings_received bigint not null,
    readings_stored bigint not null,
    readings_duplicate bigint not null,
    readings_corrected bigint not null,
    readings_rejected bigint not null,
    unique nulls not distinct (slot, sensor_id, hour),
    constraint messages_balance check (
        messages_received = messages_accepted + messages_partly_accepted
                          + messages_rejected + messages_unknown_sensor),
    constraint readings_balance check (
        readings_received = readings_stored + readings_duplicate
                          + readings_corrected + readings_rejected)
);
comment on column vp.ledger.hour is 'Hour (UTC) in which the messages were received.';
comment on column vp.ledger.sensor_id is 'NULL for messages of no known sensor.';
create index on vp.ledger (sensor_id, hour);

create sequence vp.rejected_message_id;
create table vp.rejected_message (
    rejected_message_id bigint not null default nextval('vp.rejected_message_id'),
    received_at timestamptz not null,
    slot smallint not null,
    sensor_id integer,
    topic text not null,
    payload bytea not null,
    payload_bytes integer not null,
    reason text not null,
    detail text not null,
    readings_rejected integer not null,
    replayed_at timestamptz,
    primary key (rejected_message_id, received_at)
);
comment on table vp.rejected_message is
    'Messages that could not be used, wholly or in part, kept to be replayed.';
create index on vp.rejected_message (received_at);
select vp.make_series('rejected_message', 'received_at');
