-- What ingest is called at the broker. Whoever connects with the client identifier of a
-- session takes it over, and whoever subscribes with the name of a group takes a share
-- of its messages, at Mosquitto also without the right to read them. So both are random. Sessions that exist keep their
-- name until the slot is drained: messages may wait in them.

create table vp.ingest_session (
    slot smallint primary key,
    client_id text not null unique,
    -- of the broker that was met last; null: it spoke no TLS, or none was met yet
    certificate_ends timestamptz
);

-- the groups of shared subscriptions, by the setting ingest.share
create table vp.ingest_group (
    share text primary key,
    name text not null unique
);

insert into vp.ingest_session (slot, client_id)
select slot, 'verkehrspuls-ingest-' || slot from vp.ingest_slot
where slot < 100 and drained_at is null;
