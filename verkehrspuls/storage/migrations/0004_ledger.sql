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
    readings_late bigint not null default 0,
    sequence_lost bigint not null default 0,
    unique nulls not distinct (slot, sensor_id, hour),
    constraint messages_balance check (
        messages_received = messages_accepted + messages_partly_accepted
                          + messages_rejected + messages_unknown_sensor),
    constraint readings_balance check (
        readings_received = readings_stored + readings_duplicate
                          + readings_corrected + readings_rejected),
    constraint late_are_written check (
        readings_late <= readings_received - readings_rejected)
);
comment on column vp.ledger.hour is 'Hour (UTC) in which the messages were received.';
comment on column vp.ledger.sensor_id is 'NULL for messages of no known sensor.';
comment on column vp.ledger.readings_late is
    'Of those stored, duplicate or corrected: older than the setting ingest.late_h.';
comment on column vp.ledger.sequence_lost is
    'Gaps in sequence numbers that came to light, less those that were filled.';
create index on vp.ledger (sensor_id, hour);

-- The slots that ingest workers served, each with its newest batch: a worker whose
-- connection broke in a commit learns from it whether that one took place.
create table vp.ingest_slot (
    slot smallint primary key,
    batch uuid not null,
    committed_at timestamptz not null,
    -- how often the broker had forgotten the session, so that messages may be missing
    sessions_lost integer not null default 0,
    session_lost_at timestamptz,
    -- when all that waited for it at the broker was taken and its session ended
    drained_at timestamptz
);

-- The rejected, partly accepted and unknown messages of the ledger, by reason. What was
-- received by a sensor in an hour beyond the limits is counted, but not kept.
create table vp.ledger_reject (
    slot smallint not null,
    sensor_id integer references vp.sensor,
    hour timestamptz not null,
    reason text not null,
    messages bigint not null,
    kept bigint not null,
    readings bigint not null,
    unique nulls not distinct (slot, sensor_id, hour, reason),
    check (kept between 0 and messages)
);
create index on vp.ledger_reject (hour);

-- What retention dropped, counted when it did, so that the ledger can be proved for
-- ever: versions of readings (`stored`, `corrected`) and kept messages (`rejected`).
create table vp.ledger_dropped (
    sensor_id integer,
    hour timestamptz not null,
    outcome text not null check (outcome in ('stored', 'corrected', 'rejected')),
    reason text not null default '',
    dropped bigint not null,
    unique nulls not distinct (sensor_id, hour, outcome, reason)
);
comment on column vp.ledger_dropped.hour is 'Hour (UTC) of receipt.';

create function vp.note_dropped(series text, range regclass) returns void
language plpgsql as $$
declare
    what text := case
        when series in ('count_reading', 'count_reading_history',
                        'environment_reading', 'environment_reading_history')
            then 'case revision when 0 then ''stored'' else ''corrected'' end, '''''
        when series = 'rejected_message' then '''rejected'', reason'
    end;
begin
    if what is null then
        return;
    end if;
    execute format(
        'insert into vp.ledger_dropped as d '
        'select sensor_id, date_trunc(''hour'', received_at, ''UTC''), %s, count(*) '
        'from %s group by 1, 2, 3, 4 '
        'on conflict (sensor_id, hour, outcome, reason) '
        'do update set dropped = d.dropped + excluded.dropped', what, range);
end $$;

-- What the sequence numbers of a sensor's messages tell, for each kind of message:
-- `state` is what `ingest.sequence` knows of them.
create table vp.sequence (
    sensor_id integer not null references vp.sensor,
    kind text not null,
    lost bigint not null,
    resets integer not null,
    state jsonb not null,
    primary key (sensor_id, kind)
);

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
    -- replaying: when it was used at last, how often it was tried, why not the last time
    replayed_at timestamptz,
    attempts integer not null default 0,
    last_reason text,
    last_detail text,
    primary key (rejected_message_id, received_at)
);
comment on table vp.rejected_message is
    'Messages that could not be used, wholly or in part, kept to be replayed.';
create index on vp.rejected_message (received_at);
select vp.make_series('rejected_message', 'received_at');

-- Who may send readings over HTTP. The token itself is never stored.
create table vp.api_token (
    api_token_id integer generated always as identity primary key,
    -- begin of the token: shown in lists, and found by
    prefix text not null unique,
    sha256 bytea not null check (length(sha256) = 32),
    municipality_id integer not null references vp.municipality,
    -- NULL: all sensors of the municipality
    sensor_id integer references vp.sensor,
    note text not null default '',
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);

-- Answers that are given again to a request with the same key, for a day.
create table vp.idempotent_request (
    api_token_id integer not null references vp.api_token,
    key text not null check (length(key) between 1 and 255),
    sha256 bytea not null,
    received_at timestamptz not null default now(),
    -- NULL while the first request runs
    answer jsonb,
    primary key (api_token_id, key)
);
create index on vp.idempotent_request (received_at);
